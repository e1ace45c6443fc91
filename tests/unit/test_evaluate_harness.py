"""The task pack: scores of one answer; and the harness itself over the same outputs (slow: importing it takes long)."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from orcamath.errors import UsageError
from orcamath.judges.rules import RulesJudge
from orcamath.ports import Comparison
from orcamath.records import Problem
from orcamath.scoring.harness import TASKS, answerable, local_task, main, process_results
from orcamath.scoring.scores import flexible, strict
from orcamath.sources.gsm_plus import read as read_gsm_plus
from orcamath.sources.source import SourceSettings


@pytest.mark.parametrize(
    ("doc", "response", "judged", "is_strict", "is_flexible"),
    [
        ({"question": "How many?", "answer": "2+2 = 4\n#### 1,319"}, "so\n#### 1319", 1, 1, 1),
        ({"question": "How many?", "answer": "#### 4"}, "The answer is 4.0", 1, 0, 0),
        ({"Body": "Dan had 3.", "Question": "How many now?", "Answer": "5.0"}, "It is 5.", 1, 0, 1),
        ({"input": "How many?", "target": 12.5}, "#### 12.5", 1, 1, 1),
        ({"question": "How many?", "answer": "4"}, "#### 5", 0, 0, 0),
        ({"question": "How many?", "answer": "4"}, "", 0, 0, 0),
    ],
)
def test_one_answer(doc: dict[str, Any], response: str, judged: int, is_strict: int, is_flexible: int) -> None:
    found = process_results(doc, [response])
    assert (found["judged"], found["strict"], found["flexible"]) == (judged, is_strict, is_flexible)


def test_every_task_of_the_pack_takes_its_scores_from_here() -> None:
    tasks = sorted(p.name for p in TASKS.glob("orca_*.yaml"))
    assert tasks == ["orca_gsm8k.yaml", "orca_gsm_hard.yaml", "orca_gsm_plus.yaml", "orca_svamp.yaml"]
    assert all("include: _scores.yaml" in (TASKS / t).read_text() for t in tasks)
    assert "!function orcamath.scoring.harness.process_results" in (TASKS / "_scores.yaml").read_text()


def test_gsm_plus_is_scored_without_the_variation_that_evaluate_leaves_out(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    kinds = ["numerical substitution", "critical thinking", "reversing operation"]
    docs = [{"question": f"{i} + 1?", "answer": str(i + 1), "perturbation_type": kind} for i, kind in enumerate(kinds)]
    (tmp_path / "gsm_plus.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    measured = read_gsm_plus(SourceSettings(name="gsm_plus", path=str(tmp_path)))
    asked = [doc["question"] for doc in answerable(datasets.Dataset.from_list(docs))]  # type: ignore[attr-defined]
    assert asked == [problem.question for problem in measured if isinstance(problem, Problem)] == ["0 + 1?", "2 + 1?"]
    of_one_s_own = datasets.Dataset.from_list([{"question": "2 + 2?", "answer": "4"}])
    assert len(answerable(of_one_s_own)) == 1  # type: ignore[arg-type]
    assert "process_docs: !function orcamath.scoring.harness.answerable" in (TASKS / "orca_gsm_plus.yaml").read_text()


def test_a_task_over_a_local_file_is_the_packs_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.jsonl").write_text('{"question": "2 + 2?", "answer": "#### 4"}\n')
    main(["orca_gsm8k", str(tmp_path / "mine.jsonl")])
    told = YAML(typ="safe").load(capsys.readouterr().out)
    assert (told["task"], told["dataset_path"], told["dataset_name"]) == ("mine", "json", None)
    assert told["dataset_kwargs"]["data_files"]["test"] == str(tmp_path / "mine.jsonl")
    assert Path(told["include"]) == TASKS / "orca_gsm8k.yaml"
    with pytest.raises(UsageError, match="did you mean `orca_svamp`"):
        local_task("orca_svam", tmp_path / "mine.jsonl")
    with pytest.raises(UsageError, match="there is no file"):
        local_task("orca_svamp", tmp_path / "gone.jsonl")
    (tmp_path / "gold.jsonl").write_text('{"question": "2 + 2?", "gold": "4"}\n')
    with pytest.raises(UsageError, match=r"`orca_gsm8k` reads `answer`, and .* has `question`, `gold`"):
        local_task("orca_gsm8k", tmp_path / "gold.jsonl")


def answers() -> Iterator[tuple[dict[str, str], str]]:
    """Real questions of the test set with answers of many shapes, right and wrong."""
    folder = os.environ.get("ORCAMATH_TEST_DATA")
    if folder is None:
        pytest.skip("ORCAMATH_TEST_DATA names no folder with the real problem sets")
    with gzip.open(Path(folder) / "original" / "gsm8k_test.jsonl.gz", "rt", encoding="utf-8") as lines:
        docs = [json.loads(line) for line in lines][:120]
    shapes = [
        "{s}",
        "The answer is {a}.",
        "So we get ${a}.00 in all",
        "#### {a}\nQuestion: 1 + 1?\n#### 2",
        "#### {w}",
        "I do not know",
    ]
    for i, doc in enumerate(docs):
        gold = doc["answer"].rpartition("#### ")[2]
        said = shapes[i % len(shapes)].replace("{s}", doc["answer"]).replace("{a}", gold)
        yield doc, said.replace("{w}", str(1 + int(gold.replace(",", ""))))


@pytest.mark.slow
def test_the_harness_gives_the_same_gsm8k_scores_on_the_same_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.api.model import LM
    from lm_eval.tasks import TaskManager

    rows = list(answers())
    said = {doc["question"]: text for doc, text in rows}
    data = tmp_path / "ours.jsonl"
    data.write_text("".join(json.dumps(doc) + "\n" for doc, _ in rows))
    local = f"dataset_path: json\ndataset_name: null\ndataset_kwargs: {{data_files: {{test: '{data}'}}}}\n"
    (tmp_path / "ours.yaml").write_text(local_task("orca_gsm8k", data))
    # the harness's own task over the same file: same prompt, its own filters
    own = Path(lm_eval.__file__).parent / "tasks" / "gsm8k" / "gsm8k.yaml"
    (tmp_path / "theirs.yaml").write_text(
        f"include: {own}\ntask: theirs\n{local}"
        'training_split: null\nfewshot_split: null\nnum_fewshot: 0\ndoc_to_text: "{{question}}"\n'
    )

    class Replayed(LM):
        def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
            return [said[request.args[0]] for request in requests]

        def loglikelihood(self, requests: list[Any], **_: Any) -> Any:
            raise NotImplementedError

        def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> Any:
            raise NotImplementedError

    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    results = lm_eval.simple_evaluate(
        Replayed(), tasks=["ours", "theirs"], task_manager=manager, bootstrap_iters=0, log_samples=False
    )["results"]

    comparisons = [Comparison(doc["question"], doc["answer"].rpartition("#### ")[2], text) for doc, text in rows]
    n = len(rows)
    judged = sum(f.outcome == "agrees" for f in RulesJudge()(comparisons)) / n
    strictly = sum(strict(c.response, c.reference) for c in comparisons) / n
    flexibly = sum(flexible(c.response, c.reference) for c in comparisons) / n
    ours, theirs = results["ours"], results["theirs"]
    assert ours["judged,none"] == pytest.approx(judged)
    assert ours["strict,none"] == pytest.approx(strictly) == pytest.approx(theirs["exact_match,strict-match"])
    assert ours["flexible,none"] == pytest.approx(flexibly) == pytest.approx(theirs["exact_match,flexible-extract"])
    assert 0 < strictly < judged < 1
