"""Judging files: JSONL and Parquet, mapped columns, labels and what is counted from them; the bar on real answers."""

import csv
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orcamath.errors import DataError, UsageError
from orcamath.judges.file import JudgedRow, Summary, judge_rows, read_rows
from orcamath.judges.rules import RulesJudge, rule
from orcamath.ports import Comparison

ROWS: list[dict[str, Any]] = [
    {"question": "How many?", "gold": "9", "response": "#### 9", "label": True},
    {"question": "How many?", "gold": "9", "response": "#### 8", "label": False},
    {"question": "How many?", "gold": "9", "response": "#### 9", "label": False},
    {"question": "How many?", "gold": "9", "response": "#### 8", "label": True},
    {"question": "How long is it?", "gold": "0.7", "response": "The answer is 70%.", "label": True},
]


def judge_file(path: Path, *given: Any, **named: Any) -> Iterator[JudgedRow]:
    return judge_rows(read_rows(path), *given, where=str(path), **named)


def written(tmp_path: Path, form: str, rows: list[dict[str, Any]]) -> Path:
    path = tmp_path / f"rows.{form}"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if form == "jsonl":
        path.write_text(text)
    elif form == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif form == "jsonl.gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "parquet", "csv"])
def test_verdicts_and_summary(tmp_path: Path, form: str) -> None:
    summary = Summary()
    judged = list(judge_file(written(tmp_path, form, ROWS), RulesJudge(), summary=summary, keep=True))
    assert [j.finding.outcome for j in judged] == ["agrees", "disagrees", "agrees", "disagrees", "unjudged"]
    assert [j.row for j in judged] == [1, 2, 3, 4, 5]
    assert summary.plain() == {
        "n": 5,
        "agrees": 2,
        "disagrees": 2,
        "unjudged": 1,
        "model_calls": 0,
        "labelled": 5,
        "forced_accuracy": 3 / 5,
        "decided_accuracy": 2 / 4,
        "undecided_share": 1 / 5,
        "false_agree": 1 / 5,
        "false_disagree": 1 / 5,
    }
    assert [j.row for j in summary.offending] == [3, 4, 5]


def test_a_name_that_is_known_as_it_stands_goes_before_one_in_another_case(tmp_path: Path) -> None:
    """`Text` holds the problem here; `output` is spelled as responses are."""
    row = {"Text": "Ann has 9 pens. How many?", "answer": "9", "output": "#### 8"}
    (judged,) = judge_file(written(tmp_path, "jsonl", [row]), RulesJudge())
    assert (judged.finding.outcome, judged.comparison.response) == ("disagrees", "#### 8")


@pytest.mark.parametrize("ours", [("question", "reference", "response"), ("problem", "gold", "completion")])
def test_columns_may_have_any_name_and_labels_may_be_absent(tmp_path: Path, ours: tuple[str, str, str]) -> None:
    rows = [{"q": "How many?", "truth": 9, "said": "nine", "id": "x1"}]
    columns = dict(zip(ours, ("q", "truth", "said"), strict=True))
    summary = Summary()
    (judged,) = judge_file(written(tmp_path, "jsonl", rows), RulesJudge(), columns, summary)
    assert (judged.finding.outcome, judged.id, judged.label) == ("agrees", "x1", None)
    assert summary.plain() == {"n": 1, "agrees": 1, "disagrees": 0, "unjudged": 0, "model_calls": 0}


def test_options_and_kind_are_read_on_any_row(tmp_path: Path) -> None:
    rows = [
        {"gold": "9", "response": "#### 9"},
        {"gold": "c", "response": "The answer is 625.", "options": ["24", "120", "625"]},
        {"gold": "c", "response": "(C)", "options": "a ) 24 , b ) 120 , c ) 625"},
        {"gold": "9", "response": "#### 9", "kind": "number"},
    ]
    judged = list(judge_file(written(tmp_path, "jsonl", rows), RulesJudge()))
    assert [j.finding.outcome for j in judged] == ["agrees"] * 4
    assert [len(j.comparison.options) for j in judged] == [0, 3, 3, 0]


def test_labels_and_ids_are_read_on_any_row(tmp_path: Path) -> None:
    rows = [{"gold": "9", "response": "#### 9"}, {"gold": "9", "response": "#### 8", "label": True, "id": 7}]
    summary = Summary()
    judged = list(judge_file(written(tmp_path, "jsonl", rows), RulesJudge(), summary=summary))
    assert [(j.label, j.id) for j in judged] == [(None, None), (True, "7")]
    assert summary.labelled == 1


def test_where_nothing_is_decided_no_share_of_it_is_right(tmp_path: Path) -> None:
    summary = Summary()
    rows = [{"question": "How long is it?", "gold": "0.7", "response": "The answer is 70%.", "label": True}]
    list(judge_file(written(tmp_path, "jsonl", rows), RulesJudge(), summary=summary))
    assert summary.plain()["decided_accuracy"] is None


def test_whole_numbers_stay_whole_however_long(tmp_path: Path) -> None:
    long = 12345678901234567890123
    rows = [{"id": long, "gold": long, "response": f"#### {long}"}]
    (judged,) = judge_file(written(tmp_path, "jsonl", rows), RulesJudge())
    assert (judged.id, judged.finding.outcome) == (str(long), "agrees")


@pytest.mark.parametrize(
    "row",
    [
        {"question": "1 + 1?", "expected_answer": "2", "generated_solution": "So \\boxed{2}", "is_correct": True},
        {"problem": "1 + 1?", "answer": "2", "solution": "2", "response": "It is 2."},
        {"query": "1 + 1?", "answer": "2", "output": "The answer is: 2"},
        {"Frage": "1 + 1?", "Antwort": "2", "Output": "The answer is: 2"},
        {"вопрос": "1 + 1?", "ответ": "2", "response": "2"},
        {"Question": "1 + 1?", "Answer": "2", "Correct": "two", "response": "2"},
    ],
    ids=["OpenMathInstruct", "Numina", "MetaMathQA", "German", "Russian", "Correct"],
)
def test_the_columns_of_known_sets_need_no_map(tmp_path: Path, row: dict[str, Any]) -> None:
    (judged,) = judge_file(written(tmp_path, "jsonl", [row]), RulesJudge())
    assert (judged.finding.outcome, judged.comparison.question) == ("agrees", "1 + 1?")


def test_a_thought_that_never_ended_is_unfinished() -> None:
    ruling = rule(Comparison("?", "9", "<think>4 + 5 makes 9. The answer is 9"))
    assert (ruling.agrees, ruling.reason) == (False, "cut_off")
    assert rule(Comparison("?", "9", "<think>8? no</think>The answer is 9")).agrees is True


def test_a_reference_may_be_a_whole_solution(tmp_path: Path) -> None:
    rows = [{"question": "?", "answer": "2 and 2 make 4.\nThen 4 + 5 = 9.\n#### 9", "response": "It is 9."}]
    (judged,) = judge_file(written(tmp_path, "jsonl", rows), RulesJudge())
    assert judged.finding.outcome == "agrees"


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ('{"gold": "1", "response": "1"}\nnonsense\n', {}, r"rows.jsonl:2"),
        ("[1]\n", {}, "no object"),
        ('{"gold": "1", "response": "1", "label": "maybe"}\n', {}, "row 1.*neither right nor wrong"),
        ('{"gold": "1", "response": "1"}\n{"gold": "1"}\n', {}, "row 2: no column `response`"),
        ('{"gold": "1"}\n', {}, "no column for the response"),
        ('{"gold": "1", "response": "1"}\n', {"response": "respons"}, "did you mean `response`"),
        ('{"gold": "1", "response": "1"}\n', {"respons": "response"}, "did you mean `response`"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, columns: dict[str, str], message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises((DataError, UsageError), match=message):
        list(judge_file(path, RulesJudge(), columns))


def test_a_missing_file_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        list(judge_file(tmp_path / "none.jsonl", RulesJudge()))
    (tmp_path / "empty.jsonl").write_text("")
    assert list(judge_file(tmp_path / "empty.jsonl", RulesJudge())) == []


def test_a_gold_answer_in_words_is_read_as_words_whatever_its_set_says() -> None:
    comparison = Comparison("Does she have enough?", "Yes", "Yes, she has 3 left.", "number")
    assert rule(comparison).agrees is True
    assert rule(comparison._replace(response="No, she needs 3 more.")).agrees is False


def test_several_answers_are_not_one() -> None:
    assert rule(Comparison("How many?", "18", "The answer is 18 or 20.")).agrees is None
    assert rule(Comparison("How many?", "18", "#### 18, 20")).agrees is None
    assert rule(Comparison("How many?", "18", "#### 17, 20")).agrees is False


@pytest.mark.parametrize(
    ("question", "response", "gold"),
    [
        ("How many dozens of eggs does she eat?", "She eats 84/12=7 dozens of eggs.", "7"),
        ("How many shelves do they need?", "They need 5 shelves for 20 books (4 a shelf, and 4*5=20).", "5"),
        ("8 students came to a class of 3. How many now?", "8 came, which means there are 11 students.", "11"),
        (
            "A pen costs $1 less than a magazine. How much is the pen?",
            "So if a magazine costs $2, then a pen costs $1.",
            "1",
        ),
        ("How far?", "9 steps of 2 feet are 18 feet.", "18"),
        ("How many weeks?", "It takes her 8 more weeks to collect 200.", "8"),
    ],
)
def test_the_number_meant_in_a_sentence(question: str, response: str, gold: str) -> None:
    assert rule(Comparison(question, gold, response)).agrees is True


def test_a_cut_off_answer_disagrees_unless_it_was_stated() -> None:
    assert rule(Comparison("?", "9", "so 4 + 5 = 9 and", finished=False)).reason == "cut_off"
    assert rule(Comparison("?", "9", "The answer is 9. Let me", finished=False)).agrees is True


GROUPS = ("openai", "kojima", "kojima_direct", "gsmplus_half", "qwen_half")


def test_the_bar_on_real_labelled_answers() -> None:
    folder = os.environ.get("ORCAMATH_TEST_DATA")
    if not folder:
        pytest.skip("needs real data: set ORCAMATH_TEST_DATA to its folder")
    pooled = Summary()
    for name in GROUPS:
        group = Summary()
        for judged in judge_file(Path(folder) / "judge" / f"judge_{name}.jsonl.gz", RulesJudge(), summary=group):
            pooled.add(judged)
        assert group.plain()["forced_accuracy"] >= 0.97, name
    figures = pooled.plain()
    assert figures["forced_accuracy"] >= 0.990
    assert figures["decided_accuracy"] >= 0.995
    assert figures["undecided_share"] <= 0.03
    assert figures["false_disagree"] <= 0.005


def test_a_cell_that_opens_without_end_is_a_text(tmp_path: Path) -> None:
    row = {"question": "2 + 2?", "gold": "4", "response": "It is 4.", "options": "[" * 100_000}
    (judged,) = judge_file(written(tmp_path, "jsonl", [row]), RulesJudge())
    assert judged.finding.outcome in {"agrees", "unjudged"}


def test_columns_called_a_to_d_are_choices_only_where_the_reference_is_one() -> None:
    others = {"A": "11", "B": "12.5", "C": "9", "D": "12"}
    rows = [
        {"question": "How many?", "answer": "30", "response": "There are 30 apples.", **others},
        {
            "question": "Which?",
            "answer": "B",
            "response": "The answer is B.",
            "A": "a cat",
            "B": "a dog",
            "C": "x",
            "D": "y",
        },
    ]
    judged = list(judge_rows(rows, RulesJudge()))
    assert [(j.finding.outcome, j.comparison.kind) for j in judged] == [("agrees", "number"), ("agrees", "choice")]


def test_several_columns_are_of_choices_only() -> None:
    with pytest.raises(UsageError, match="names several for `response`"):
        list(judge_rows([{"gold": "4", "a": "4", "b": "5"}], RulesJudge(), {"response": ("a", "b")}))
