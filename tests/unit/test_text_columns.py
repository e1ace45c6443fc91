"""What others call their columns: one list, in any case, for `init`, `check` and `judge` alike."""

from pathlib import Path

import pytest

from orcamath.contamination.check import check_files
from orcamath.judges.file import judge_rows, read_rows
from orcamath.judges.rules import RulesJudge
from orcamath.sources.look import look
from orcamath.text.choices import choices_in
from orcamath.text.columns import ANSWER_COLUMNS, QUESTION_COLUMNS, column_of

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


def test_a_cell_holds_choices_as_json() -> None:
    assert choices_in('["Na", "Mg"]') == ["Na", "Mg"]
    assert [choices_in(x) for x in ("[" * 100_000, "Na, Mg", ["Na"], None, "")] == [
        "[" * 100_000,
        "Na, Mg",
        ["Na"],
        None,
        "",
    ]
