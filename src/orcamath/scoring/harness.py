"""Scores for lm-evaluation-harness: what the task pack in `lm_eval_tasks/` computes of each answer.

    lm_eval --include_path "$(python -m orcamath.scoring.harness)" --tasks orca_gsm8k --apply_chat_template \\
        --model hf --model_args pretrained=runs/…/model

A file of one's own, in the form of one of the sets, without a hub:

    mkdir tasks && python -m orcamath.scoring.harness orca_gsm8k mine.jsonl > tasks/mine.yaml
    lm_eval --include_path tasks --tasks mine …

The pack ships inside the package, so that it is found wherever the package is installed and its scores are the very
functions that `orcamath evaluate` uses. Nothing of the harness is imported here.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from orcamath.errors import OrcamathError, UsageError, nearest
from orcamath.judges.rules import rule
from orcamath.ports import Comparison
from orcamath.scoring.scores import flexible, strict
from orcamath.sources.gsm_plus import UNANSWERABLE
from orcamath.sources.rows import rows
from orcamath.sources.source import Row

__all__ = ["TASKS", "answerable", "local_task", "main", "process_results"]

TASKS = Path(__file__).with_name("lm_eval_tasks")
"""The folder for `--include_path`."""


class _Docs(Protocol):
    """Rows of a set, as the `datasets` library has them."""

    def filter(self, keep: Callable[[Mapping[str, object]], bool], /) -> Self:
        """Return the rows to keep."""
        ...


def answerable(docs: _Docs) -> _Docs:
    """Leave out GSM-Plus' variation without an answer, as its source does: rules cannot judge a refusal."""
    return docs.filter(lambda doc: doc.get("perturbation_type") != UNANSWERABLE)


def process_results(doc: Mapping[str, object], results: Sequence[str]) -> dict[str, float]:
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


def local_task(task: str, file: Path) -> str:
    """Return a task of the pack over a local file (JSON Lines, CSV or Parquet), as YAML; it is called as the file is.

    Raises UsageError where there is no such task or file, or the file lacks a column that the task reads.
    """
    known = {p.stem: p for p in TASKS.glob("orca_*.yaml")}
    if task not in known:
        raise UsageError(f"the pack has no task `{task}`; {nearest(task, known)}")
    if not file.is_file():
        raise UsageError(f"there is no file `{file}`; check the path")
    _refuse_other_columns(task, known[task], file)
    form = {".csv": "csv", ".parquet": "parquet"}.get(file.suffix, "json")
    return (
        f"include: {json.dumps(str(known[task]))}\ntask: {json.dumps(file.stem)}\ndataset_path: {form}\ndataset_name: null\n"
        f"test_split: test\ndataset_kwargs: {{data_files: {{test: {json.dumps(str(file.absolute()))}}}}}\n"
    )


def _refuse_other_columns(task: str, pack: Path, file: Path) -> None:
    needed = re.findall(r"\{\{\s*(\w+)\s*\}\}", pack.read_text(encoding="utf-8"))
    first = next((row for row in rows(file) if isinstance(row, Row)), None)
    held = list(first.values) if first is not None else []
    if missing := [name for name in needed if name not in held]:
        has = ", ".join(f"`{name}`" for name in held) or "no row"
        lacks = ", ".join(f"`{name}`" for name in missing)
        raise UsageError(f"`{task}` reads {lacks}, and `{file}` has {has}; rename the columns, or choose another task")


def main(arguments: Sequence[str]) -> None:
    """Print the pack's folder, or (TASK FILE) a task over a local file."""
    if len(arguments) not in (0, 2):
        raise UsageError("python -m orcamath.scoring.harness [TASK FILE]: nothing, or a task of the pack and a file")
    sys.stdout.write(local_task(arguments[0], Path(arguments[1])) if arguments else f"{TASKS}\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OrcamathError as e:
        sys.exit(f"error: {e}")
