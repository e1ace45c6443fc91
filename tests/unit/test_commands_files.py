"""`orcamath judge` and `orcamath check` as a reader sees them."""

import json
from pathlib import Path

import pytest

from orcamath.commands.files import mapped_columns, told_search, told_verdicts
from orcamath.errors import UsageError

TEST = "Nadia plants 12 rows of tulips with 8 bulbs in each row; a storm ruins 20 bulbs. How many bulbs survive?"


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def judged(path: Path, tmp_path: Path, **more: object) -> str:
    wanted = {"name": "rules", "columns": [], "model": None, "base_url": None, "out": None, "offending": False}
    return told_verdicts(path, store=tmp_path, **{**wanted, "as_json": False, **more})  # type: ignore[arg-type]


def test_judge_sums_up_and_lists_what_contradicts_the_label(tmp_path: Path) -> None:
    rows = [
        {"question": "2 + 2?", "gold": "4", "response": "It is 4.", "label": True},
        {"question": "2 + 3?", "gold": "5", "response": "First \x1b[31mI add.\nSo it is 5.", "label": False},
    ]
    path = written(tmp_path / "answers.jsonl", *rows)
    shown = judged(path, tmp_path, offending=True, out=tmp_path / "new" / "verdicts.jsonl").splitlines()
    assert shown[0] == "columns: reference ← gold, response ← response, question ← question, label ← label"
    assert shown[1:3] == ["n: 2", "agrees: 2"]
    assert json.loads(judged(path, tmp_path, as_json=True))["columns"]["reference"] == "gold"
    assert "forced_accuracy: 0.5000" in shown
    assert shown[-2:] == [
        "row 2: agrees (same_answer), label False; reference 5",
        "  …First \x1b[31mI add. So it is 5.",  # no model's text may colour the terminal
    ]
    verdicts = (tmp_path / "new" / "verdicts.jsonl").read_text().splitlines()
    assert [json.loads(v)["outcome"] for v in verdicts] == ["agrees", "agrees"]
    plain = json.loads(judged(path, tmp_path, as_json=True))
    assert (plain["n"], plain["agrees"], plain["false_agree"], "offending" in plain) == (2, 2, 0.5, False)


def test_a_place_that_is_taken_is_said_before_anything_is_judged(tmp_path: Path) -> None:
    asked, own = tmp_path / "asked", tmp_path / "own.py"
    own.write_text(
        f"""
from pathlib import Path

from orcamath.ports import Finding

class Own:
    fingerprint = "own"

    def __call__(self, comparisons):
        for _ in comparisons:
            Path({str(asked)!r}).touch()
            yield Finding("agrees", "own")

def make(settings, model):
    return Own()
"""
    )
    path = written(tmp_path / "answers.jsonl", {"gold": "4", "response": "4"})
    with pytest.raises(UsageError, match="exists already"):
        judged(path, tmp_path, name=str(own), out=written(tmp_path / "verdicts.jsonl", {"row": 1}))
    with pytest.raises(UsageError, match="is the file that is read"):
        judged(path, tmp_path, name=str(own), out=path, replace=True)
    assert not asked.exists()
    assert "agrees: 1" in judged(path, tmp_path, name=str(own))
    assert asked.exists()


def test_an_address_without_a_model_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "answers.jsonl", {"gold": "4", "response": "4"})
    with pytest.raises(UsageError, match="none is named: --model NAME"):
        judged(path, tmp_path, base_url="http://127.0.0.1:1/v1")


def test_a_column_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="write --column response=my_column"):
        judged(tmp_path / "any.jsonl", tmp_path, columns=["response"])


def test_check_tells_counts_every_look_and_the_pairs_with_shared_words_marked(tmp_path: Path) -> None:
    training = written(tmp_path / "train.jsonl", {"question": "A dog runs."}, {"question": TEST.replace("20", "31")})
    tests = written(tmp_path / "test.jsonl", {"question": TEST})
    shown = told_search([training], [tests], by=None, columns=[], n=[], threshold=0.5, as_json=False).splitlines()
    assert shown[0] == "2 training problems, 1 test questions, stop words NLTK's 179"
    assert shown[1:3] == [f"questions of {training}: `question`", f"questions of {tests}: `question`"]
    assert "test questions flagged, 1-grams: 1 at ≥ 0.5, 1 above it" in shown
    assert "look `masked`: 1 test questions, 1 training problems" in shown
    assert "look `containment`: 1 test questions, 1 training problems" in shown
    (pair,) = [i for i, line in enumerate(shown) if line.startswith("row ")]
    assert shown[pair].startswith("row 2 of train.jsonl, row 1 of test.jsonl: ")
    assert "a [storm ruins] 31 [bulbs.]" in shown[pair + 1]
    assert "a [storm ruins] 20 [bulbs.]" in shown[pair + 2]


def test_several_columns_hold_the_choices() -> None:
    told = mapped_columns(["options=A, B,C", "question=a,b"], "question=frage")
    assert told == {"options": ("A", "B", "C"), "question": "a,b"}
