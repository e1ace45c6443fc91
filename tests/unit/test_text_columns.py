"""What others call their columns: one list, in any case, for `init`, `check` and `judge` alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from orcamath.contamination.check import check_files
from orcamath.errors import UsageError
from orcamath.judges.file import Summary, judge_rows, read_rows
from orcamath.judges.rules import RulesJudge
from orcamath.sources.look import look
from orcamath.text.choices import Choices, choices_in, places_meant
from orcamath.text.columns import ANSWER_COLUMNS, QUESTION_COLUMNS, choice_columns, column_of

TEXT = "How many of the 12 pens has Ann in all, if 3 of them are lost?"


@pytest.mark.parametrize(
    ("present", "found"),
    [
        (("Nr", "Frage", "Antwort"), "Frage"),
        (("text", "question"), "question"),  # the order of the list, not of the file
        (("text", "Question"), "Question"),
        (("Problem", "problem"), "problem"),  # of two, the one spelled as it is known
        ((" ЗАДАЧА ", "n"), " ЗАДАЧА "),
        (("題", 0), None),
        ((), None),
    ],
)
def test_a_column_is_found_by_its_name(present: tuple[str, ...], found: str | None) -> None:
    assert column_of(QUESTION_COLUMNS, present) == found


@pytest.mark.parametrize("question", sorted({*QUESTION_COLUMNS, *(name.capitalize() for name in QUESTION_COLUMNS)}))
def test_what_init_understands_check_and_judge_do(question: str, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"{question},answer,response\n" + f'"{TEXT}",9,9\n' * 3, encoding="utf-8")
    assert look(str(path)).settings.columns.get("question", "question") == question
    assert check_files([path], [path]).found.n_rows == 3
    assert {judged.comparison.question for judged in judge_rows(read_rows(path), RulesJudge())} == {TEXT}


@pytest.mark.parametrize("answer", ANSWER_COLUMNS)
def test_a_gold_answers_column_is_known_to_init_and_judge(answer: str, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"question,{answer},response\n" + f'"{TEXT}",9,9\n' * 3, encoding="utf-8")
    assert look(str(path)).settings.columns.get("answer", "answer") == answer
    assert {judged.comparison.reference for judged in judge_rows(read_rows(path), RulesJudge())} == {"9"}


def test_a_name_that_is_spelled_as_known_may_go_before_others() -> None:
    assert column_of(QUESTION_COLUMNS, ("text", "Question")) == "Question"
    assert column_of(QUESTION_COLUMNS, ("text", "Question"), spelled=True) == "text"
    assert column_of(QUESTION_COLUMNS, ("Text", "Question"), spelled=True) == "Question"


def test_blanks_and_hyphens_stand_for_underscores() -> None:
    assert column_of(ANSWER_COLUMNS, ("id", "Correct Answer")) == "Correct Answer"
    assert column_of(ANSWER_COLUMNS, ("answerKey",)) == "answerKey"
    assert column_of(ANSWER_COLUMNS, ("final-answer", "final_answer")) == "final_answer"


@pytest.mark.parametrize(
    ("cell", "texts", "labels"),
    [
        ('["Na", "Mg"]', ("Na", "Mg"), ()),
        (["Na", 3, "", None], ("Na", "3"), ()),
        (["Na", None, "K"], ("Na", "", "K"), ()),
        ({"text": ["Na", "Mg"], "label": ["1", "2"]}, ("Na", "Mg"), ("1", "2")),
        ('{"text": ["Na", "Mg"], "label": ["A", "B"]}', ("Na", "Mg"), ("A", "B")),
        ([{"text": "Na", "label": "A"}, {"text": "Mg", "label": "B"}], ("Na", "Mg"), ("A", "B")),
        ({"A": "Na", "B": "Mg", "C": None}, ("Na", "Mg"), ("A", "B")),
    ],
)
def test_choices_are_read_in_the_shapes_that_sets_have(
    cell: object, texts: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    assert choices_in(cell) == Choices(texts, labels)


@pytest.mark.parametrize(
    "cell",
    ["[" * 100_000, "{" * 100_000, "Na, Mg", None, "", 3, [["Na"]], {"text": ["Na"], "label": []}, {"A": ["Na"]}],
)
def test_what_holds_no_choices(cell: object) -> None:
    assert choices_in(cell) is None


@pytest.mark.parametrize(
    ("answer", "choices", "counted", "places"),
    [
        ("B", Choices(("Na", "Mg")), None, None),
        ("Mg", Choices(("Na", "Mg")), None, None),
        ("E", Choices(("Na", "Mg")), None, set()),
        ("y", Choices(("x", "y")), None, None),
        ("0", Choices(("Na", "Mg")), None, {0}),
        ("1", Choices(("Na", "Mg")), None, {0, 1}),
        ("2", Choices(("Na", "Mg")), None, {1}),
        ("3", Choices(("Na", "Mg")), None, set()),
        ("1", Choices(("Na", "Mg")), 0, {1}),
        ("1", Choices(("Na", "Mg")), 1, {0}),
        ("2", Choices(("2", "1", "4")), None, {0, 1, 2}),
        ("2", Choices(("2", "1", "4")), "text", {0}),
        ("2.0", Choices(("2", "1", "4")), 0, {2}),
        ("4", Choices(("2", "1", "4")), None, {2}),
        ("12", Choices(("12", "14")), None, {0}),
        ("2", Choices(("4", "2"), ("1", "2")), None, {1}),
        ("0", Choices(("4", "2"), ("1", "2")), None, set()),
        ("4", Choices(("$4$", "$7$", "$10$", "$2$")), None, None),  # read by its text, as any answer
        ("4", Choices(("A)4", "B)7")), None, None),
        ("4", Choices(("four", "seven", "ten", "two")), None, None),
        ("20", Choices(("$10", "$20")), None, None),
        ("10", Choices(("10%", "20%")), None, None),
        ("2", Choices(("$4$", "$7$")), 1, {1}),
        ("n", Choices(("$n$", "$m$", "2n")), None, None),
        ("4", Choices(("4", "2"), ("1", "2")), None, {0}),
        ("option_b", Choices(("Na", "Mg"), ("Option A", "Option B")), None, {1}),
        ("2", Choices(("Na", "Mg", "K"), ("A", "B", "C")), None, {1, 2}),
    ],
)
def test_what_an_answer_may_name(answer: str, choices: Choices, counted: Any, places: set[int] | None) -> None:
    assert places_meant(answer, choices, counted) == places


@pytest.mark.parametrize(
    ("present", "columns"),
    [
        (("Question", "A", "B", "C", "D", "E", "Answer"), "A B C D E"),
        (("q", "choice_b", "choice_a", "choice_c"), "choice_a choice_b choice_c"),
        (("q", "Option1", "Option2", "x"), "Option1 Option2"),
        (("q", "option 0", "option 1"), "option 0|option 1"),
        (("q", "A)", "B)", "C)"), "A) B) C)"),
        (("q", "opa", "opb", "opc", "opd", "cop"), "opa opb opc opd"),
        (("q", "a", "b", "c", "answer"), ""),  # the numbers of a problem, say
        (("q", "1", "2", "3", "4", "5"), ""),
        (("q", "choice_a", "choice_c"), ""),
        (("q", "option"), ""),
        ((), ""),
    ],
)
def test_columns_of_one_choice_each_are_a_family(present: tuple[str, ...], columns: str) -> None:
    assert choice_columns(present) == tuple(columns.split("|" if "|" in columns else " ") if columns else ())


def test_check_takes_columns_as_init_does(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [
        {"Original Text ": TEXT, "n": 1},
        {"Body": "Ann has 12 pens.", "Question ": "How many are left of them now?"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    searched = check_files([path], [path])
    assert searched.columns[str(path)] == {"Body + Question ": 1, "Original Text ": 1}


def test_judge_knows_choices_in_columns_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("question,A,B,C,D,answer,response\nWhich?,Na,Mg,K,,B,#### Mg\nWhich?,Na,Mg,K,Ca,Ca,#### D\n")
    summary = Summary()
    judged = list(judge_rows(read_rows(path), RulesJudge(), summary=summary))
    assert [j.comparison.options for j in judged] == [("Na", "Mg", "K"), ("Na", "Mg", "K", "Ca")]
    assert summary.agrees == 2
    assert summary.columns["options"] == ("A", "B", "C", "D")
    arc = {"question": "q", "choices": {"text": ["Na", "Mg"], "label": ["1", "2"]}, "answerKey": "2", "response": "B"}
    (only,) = judge_rows([arc], RulesJudge())
    assert only.finding.outcome == "agrees"


def test_judge_is_told_of_several_columns(tmp_path: Path) -> None:
    rows = [{"question": "q", "x": "Na", "y": "Mg", "gold": "B", "response": "#### Mg"}]
    (only,) = judge_rows(rows, RulesJudge(), {"options": ("x", "y")})
    assert (only.comparison.options, only.finding.outcome) == (("Na", "Mg"), "agrees")
    with pytest.raises(UsageError, match="no column `z`"):
        list(judge_rows(rows, RulesJudge(), {"options": ("x", "z")}))
