"""Scores for lm-evaluation-harness: what the task pack in `lm_eval_tasks/` computes of each answer.

    lm_eval --include_path "$(python -m orcamath.evaluate.harness)" --tasks orca_gsm8k --apply_chat_template \\
        --model hf --model_args pretrained=runs/…/model

The pack ships inside the package, so that it is found wherever the package is installed and its scores are the very
functions that `orcamath evaluate` uses. Nothing of the harness is imported here.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orcamath.evaluate.scores import flexible, strict
from orcamath.judges.rules import rule
from orcamath.ports import Comparison

__all__ = ["TASKS", "process_results"]

TASKS = Path(__file__).with_name("lm_eval_tasks")
"""The folder for `--include_path`."""


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Score one answer to one row of GSM8K, SVAMP, GSM-Hard or GSM-Plus as they are on the hub.

    `judged` is what the rules of the cascade say without a model; `unjudged` is the share they leave open (not in `judged`).
    """
    question, gold = _row(doc)
    response = results[0]
    outcome = rule(Comparison(question, gold, response)).outcome
    return {
        "judged": float(outcome == "agrees"),
        "strict": float(strict(response, gold)),
        "flexible": float(flexible(response, gold)),
        "unjudged": float(outcome == "unjudged"),
    }


def _row(doc: Mapping[str, Any]) -> tuple[str, str]:
    if "Body" in doc:  # SVAMP
        question, answer = f"{doc['Body']} {doc['Question']}", doc["Answer"]
    elif "target" in doc:  # GSM-Hard
        question, answer = doc["input"], doc["target"]
    else:
        question, answer = doc["question"], doc["answer"]
    gold = str(answer).rpartition("####")[2].strip()
    return str(question), gold.removesuffix(".0")


if __name__ == "__main__":
    sys.stdout.write(f"{TASKS}\n")
