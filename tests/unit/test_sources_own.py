"""Files of people's own as they have them: choices in columns or with labels, answers that count, names in any case."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orcamath.errors import DataError
from orcamath.records import Problem, Rejected
from orcamath.sources.file import read
from orcamath.sources.source import SourceSettings
from orcamath.stages.start_from import StartSettings, problems_from
from scripted import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench")


def reading(folder: Path, rows: Sequence[Mapping[str, object]], **settings: Any) -> list[Any]:
    path = folder / "own.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return list(read(SourceSettings(name="file", path=str(path), **settings)))


def table(path: Path, *rows: Sequence[str]) -> str:
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
    return str(path)


LETTERED = (
    ["Question", "A", "B", "C", "D", "Answer"],
    ["Which is the lightest?", "Na", "Li", "K", "", "B"],
    ["Which is the heaviest?", "Na", "Li", "K", "Rb", "Rb"],
    ["How many of them are metals?", "", "", "", "", "4"],
)


def test_choices_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    path = table(tmp_path / "own.csv", *LETTERED)
    found = list(read(SourceSettings(name="file", path=path, columns={"options": ["A", "B", "C", "D"]})))
    problems = [f for f in found if isinstance(f, Problem)]
    assert [p.options for p in problems] == [("Na", "Li", "K"), ("Na", "Li", "K", "Rb"), ()]
    assert [(p.answer, p.answer_kind) for p in problems] == [("Li", "choice"), ("Rb", "choice"), ("4", "number")]


def test_choices_in_columns_that_nobody_named_are_not_passed_over(tmp_path: Path) -> None:
    path = table(tmp_path / "own.csv", *LETTERED[:2], ["How many?", "1", "2", "3", "4", "24"])
    bad, fine = read(SourceSettings(name="file", path=path))
    assert isinstance(bad, Rejected)
    assert "name these, `columns: {options: [A, B, C, D]}`" in bad.detail
    assert isinstance(fine, Problem)
    first, _ = read(SourceSettings(name="file", path=path, columns={"options": ""}))
    assert isinstance(first, Problem)
    assert (first.answer, first.options) == ("B", ())


def test_a_choice_that_is_missing_between_others_is_no_choice(tmp_path: Path) -> None:
    path = table(tmp_path / "own.csv", LETTERED[0], ["Which?", "Na", " ", "K", "", "C"])
    (found,) = read(SourceSettings(name="file", path=path, columns={"options": ["A", "B", "C", "D"]}))
    assert isinstance(found, Rejected)
    assert (found.reason, found.item) == ("bad_options", "own.csv:2")
    assert "no text for choice B" in found.detail


def test_only_choices_may_stand_in_several_columns(tmp_path: Path) -> None:
    path = table(tmp_path / "own.csv", *LETTERED)
    with pytest.raises(DataError, match="names several for `answer`; name one"):
        list(read(SourceSettings(name="file", path=path, columns={"answer": ["A", "B"]})))


def test_a_later_stage_starts_from_choices_in_columns_too(bench: Bench, tmp_path: Path) -> None:
    path = table(tmp_path / "own.csv", *LETTERED)
    settings = StartSettings(stage="problems", path=path, columns={"options": ["A", "B", "C", "D"]})
    made = bench.run(lambda out: problems_from(out, settings))
    assert [len(p.options) for p in made.read(Problem)] == [3, 4, 0]


@pytest.mark.parametrize(
    ("choices", "answer", "gold"),
    [
        ({"text": ["Na", "Li"], "label": ["A", "B"]}, "B", "Li"),
        ({"text": ["Na", "Li"], "label": ["1", "2"]}, "1", "Na"),
        ({"text": ["3", "2"], "label": ["1", "2"]}, "2", "2"),
        ({"text": ["2", "3"], "label": ["1", "2"]}, 2, "3"),  # a label first, even where a text is the same
        ({"text": ["Na", "Na"], "label": ["1", "2"]}, "2", "B"),
        ([{"text": "Na", "label": "A"}, {"text": "Li", "label": "B"}], "A", "Na"),
        ({"A": "Na", "B": "Li"}, "B", "Li"),
        (["Na", "Li", "K"], "C", "C"),
        (["Na", "Li", "K"], "Li", "Li"),
        (["Na", "Li", "K"], 0, "Na"),
        (["12", "14"], 14, "14"),
        (["True", "False"], True, "true"),
    ],
)
def test_an_answer_that_names_one_choice_for_sure(tmp_path: Path, choices: Any, answer: Any, gold: str) -> None:
    (found,) = reading(tmp_path, [{"question": "Which one?", "choices": choices, "answer": answer}])
    assert isinstance(found, Problem), found
    assert (found.answer, found.answer_kind) == (gold, "choice")


@pytest.mark.parametrize(
    ("choices", "answer", "says"),
    [
        (["Na", "Li", "K", "Rb"], 2, "which may be `B) Li` or `C) K`; write its letter"),
        (["1", "2", "3"], "2", "which may be `B) 2` or `C) 3`"),
        (["Na", "Li"], 3, "the answer `3`, which is none of its 2 choices"),
        (["Na", "Li"], "D", "the answer `D`, which is none of its 2 choices"),
        ({"text": ["Na", "Li"], "label": ["1", "2"]}, 0, "the answer `0`, which is none of its 2 choices"),
    ],
)
def test_an_answer_that_may_name_several_choices_is_asked_about(
    tmp_path: Path, choices: Any, answer: Any, says: str
) -> None:
    (found,) = reading(tmp_path, [{"question": "Which one?", "choices": choices, "answer": answer}])
    assert isinstance(found, Rejected)
    assert found.reason == "bad_answer"
    assert says in found.detail


@pytest.mark.parametrize(("counted", "golds"), [(0, ["K", "1"]), (1, ["Li", "2"]), ("text", [None, "2"])])
def test_the_recipe_says_what_numbers_are(tmp_path: Path, counted: Any, golds: list[str | None]) -> None:
    rows: list[dict[str, object]] = [
        {"question": "Which one?", "choices": ["Na", "Li", "K"], "answer": 2},
        {"question": "How many?", "choices": ["3", "2", "1"], "answer": "2"},
    ]
    found = reading(tmp_path, rows, options={"answers_from": counted})
    assert [f.answer if isinstance(f, Problem) else None for f in found] == golds


@pytest.mark.parametrize("counted", [2, True, 1.0, "zero"])
def test_numbers_are_counted_from_nothing_else(tmp_path: Path, counted: Any) -> None:
    with pytest.raises(DataError, match="say 0, 1 or text"):
        reading(tmp_path, [{"question": "q?"}], options={"answers_from": counted})


@pytest.mark.parametrize("answer", [{"value": 3}, [5, None], float("inf"), [{"a": 1}]])
def test_an_answer_that_cannot_be_read_is_said(tmp_path: Path, answer: Any) -> None:
    (found,) = reading(tmp_path, [{"question": "How many?", "answer": answer}])
    assert isinstance(found, Rejected)
    assert found.reason == "bad_answer"
    assert f"the answer `{answer}`, which is no text, number or list of these" in found.detail


@pytest.mark.parametrize("answer", [None, "", " ", float("nan"), [], [None]])
def test_an_answer_that_is_missing_is_none(tmp_path: Path, answer: Any) -> None:
    (found,) = reading(tmp_path, [{"question": "How many?", "answer": answer}])
    assert isinstance(found, Problem)
    assert found.answer is None


def test_yes_and_no_are_answers_as_json_has_them(tmp_path: Path) -> None:
    found = reading(tmp_path, [{"question": "Is 7 a prime?", "answer": a} for a in (True, False, "True")])
    assert [(f.answer, f.answer_kind) for f in found] == [("true", "text"), ("false", "text"), ("True", "text")]


@pytest.mark.parametrize(
    ("question", "answer", "solution", "options"),
    [
        ("Question ", "Answer", "Solution", "Options"),
        ("PROBLEM", "Expected Answer", "generated-solution", "Choices"),
        ("Query", "expected-answer", "Response", " choices"),
    ],
)
def test_plain_names_are_known_in_any_case(
    tmp_path: Path, question: str, answer: str, solution: str, options: str
) -> None:
    row = {question: "Which one?", answer: "B", solution: "It is lighter.", options: ["Na", "Li"]}
    (found,) = reading(tmp_path, [row])
    assert isinstance(found, Problem), found
    assert (found.question, found.answer, found.solution) == ("Which one?", "B", "It is lighter.")
    assert found.options == ("Na", "Li")


def test_choices_beside_columns_called_a_to_d_stay_and_a_story_beside_its_question_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    row = {"question": "Which?", "options": ["cat", "dog"], "answer": "B", "A": 1, "B": 2, "C": 3, "D": 4}
    path.write_text(json.dumps(row) + "\n")
    (found,) = read(SourceSettings(name="file", path=str(path)))
    assert isinstance(found, Problem)
    assert found.options == ("cat", "dog")
    path.write_text(json.dumps({"Body": "Tom has 3 pens.", "Question": "How many?", "Answer": "3"}) + "\n")
    (bad,) = read(SourceSettings(name="file", path=str(path)))
    assert isinstance(bad, Rejected)
    assert "svamp" in bad.detail
    path.write_text(json.dumps({"problem": "P?", "Question": "Q?", "expected_answer": "5", "Answer": "wrong"}) + "\n")
    (spelled,) = read(SourceSettings(name="file", path=str(path)))
    assert isinstance(spelled, Problem)
    assert (spelled.question, spelled.answer) == ("P?", "5")
