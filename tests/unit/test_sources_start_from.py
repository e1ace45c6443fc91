"""Starting at a later stage from one's own file: questions, worked answers, or verdicts."""

import json
from pathlib import Path
from typing import Any

import pytest

from orcamath.errors import DataError
from orcamath.preferences import joined
from orcamath.records import Attempt, Exercise, Lesson, Problem, Rejected, Verdict
from orcamath.stages.review import to_read
from orcamath.stages.start_from import StartSettings, lessons_from, outcome_of, problems_from, verdicts_from
from orcamath.store.artifacts import Artifact
from scripted import Bench

STAGES = {"problems": problems_from, "lessons": lessons_from, "verdicts": verdicts_from}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench")


def started(bench: Bench, path: Path, stage: str, *rows: dict[str, Any] | str, **settings: Any) -> Artifact:
    if rows:
        path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows), encoding="utf-8")
    chosen = StartSettings.model_validate({"stage": stage, "path": str(path), **settings})
    return bench.run(lambda out: STAGES[stage](out, chosen))


def test_questions_alone_are_enough(bench: Bench, tmp_path: Path) -> None:
    made = started(
        bench,
        tmp_path / "own.csv",
        "problems",
        "q,a",
        '"What is 2+2?",4',
        "Why?,",
        columns={"question": "q", "answer": "a"},
        called="school",
        licence="CC0",
    )
    one, two = made.read(Problem)
    assert (one.question, one.answer, one.answer_from, one.source, one.licence) == (
        "What is 2+2?",
        "4",
        "gold",
        "school",
        "CC0",
    )
    assert (two.answer, two.answer_from) == (None, None)
    assert made.balance["results"] == made.balance["kept"] == 2


def test_test_problems_are_left_out_and_counted_and_repeats_kept_once(bench: Bench, tmp_path: Path) -> None:
    rows = [{"question": "1+1?"}, {"question": "1+2?", "split": "test"}, {"question": "1+1?"}]
    made = started(bench, tmp_path / "own.jsonl", "problems", *rows)
    assert [p.question for p in made.read(Problem)] == ["1+1?"]
    assert made.balance["rejected"] == {"same_row": 1, "test_split": 1}


def test_numbers_among_answers_count_choices_where_it_is_said_and_a_mapped_question_may_have_a_body_beside_it(
    bench: Bench, tmp_path: Path
) -> None:
    row = {"question": "Which?", "options": ["Na", "Mg", "K"], "answer": 2}
    with pytest.raises(DataError, match="under `start_from` by `answers_from: 0`"):
        started(bench, tmp_path / "own.jsonl", "problems", row)
    (counted,) = started(bench, tmp_path / "own.jsonl", "problems", row, answers_from=0).read(Problem)
    assert counted.answer == "K"
    row = {"Body": "A story.", "Question": "How many?", "answer": "3"}
    (mapped,) = started(bench, tmp_path / "own.jsonl", "problems", row, columns={"question": "Question"}).read(Problem)
    assert mapped.question == "How many?"


@pytest.mark.parametrize("stage", ["problems", "lessons", "verdicts"])
@pytest.mark.parametrize("split", ["test", "confirm"])
def test_a_file_that_is_held_out_as_a_whole_gives_nothing_to_train_on(
    bench: Bench, tmp_path: Path, stage: str, split: str
) -> None:
    row = {"question": "1+1?", "answer": "1+1=2\n#### 2", "response": "2", "label": 1}
    with pytest.raises(DataError, match="test_split"):
        started(bench, tmp_path / "own.jsonl", stage, row, split=split)


def test_nor_are_verdicts_on_test_problems_learnt_from(bench: Bench, tmp_path: Path) -> None:
    rows = [{"question": f"1+{i}?", "response": "2", "label": 1, "split": s} for i, s in enumerate(("train", "test"))]
    made = started(bench, tmp_path / "own.jsonl", "verdicts", *rows)
    assert [e.question for e in made.read(Exercise)] == ["1+0?"]
    assert made.balance["rejected"] == {"test_split": 1}


def test_lessons_find_the_short_answer_in_the_solution_or_take_it_from_its_column(bench: Bench, tmp_path: Path) -> None:
    made = started(
        bench,
        tmp_path / "own.jsonl",
        "lessons",
        {"question": "What is 2+2?", "answer": "2+2=4\n#### 4", "gold": 4},
        {"question": "How many are 3+2?", "answer": "So the answer is 5 apples."},
        {"question": "How many are 1+2?", "answer": "Count.", "final_answer": 3.0, "teacher": "gpt-4-0613"},
    )
    one, two, three = made.read(Lesson)
    assert (one.final_answer, one.gold, one.teacher, one.verified) == ("4", "4", "own:own", "gold")
    assert two.final_answer is not None
    assert "5" in two.final_answer
    assert (three.final_answer, three.teacher, three.verified) == ("3", "gpt-4-0613", "unverified")


def test_lessons_that_reach_the_known_answer_are_not_shown_as_doubtful(bench: Bench, tmp_path: Path) -> None:
    made = started(
        bench,
        tmp_path / "own.jsonl",
        "lessons",
        {"question": "How much are 2 and 2?", "answer": "2+2 = $4.00. The answer is $4.00.", "gold": 4},
        {"question": "How much are 2 and 3?", "answer": "2+3 = 6. The answer is 6.", "gold": 5},
    )
    assert [lesson.verified for lesson in made.read(Lesson)] == ["gold", "unverified"]
    assert [lesson.final_answer for lesson in to_read({"lessons": made}).doubts] == ["6"]


def test_verdicts_become_exercises_attempts_and_verdicts_in_one_order(bench: Bench, tmp_path: Path) -> None:
    made = started(
        bench,
        tmp_path / "own.jsonl",
        "verdicts",
        {"question": "A?", "response": "a1", "label": "yes", "answer": "1"},
        {"question": "B?", "response": "b1", "label": False, "solution": "so 2\n#### 2", "answer": 2},
        {"question": "A?", "response": "a2", "label": 0, "answer": "1", "finished": False},
        {"question": "A?", "response": "a3", "label": None, "answer": "1"},
    )
    found = [
        (e.question, e.reference, e.label, [(j.attempt.text, j.outcome, j.attempt.finish_reason) for j in judged])
        for e, judged in joined(made.read(Exercise), made.read(Attempt), made.read(Verdict))
    ]
    assert found == [
        (
            "A?",
            "1",
            "known_answer",
            [("a1", "agrees", "stop"), ("a2", "disagrees", "length"), ("a3", "unjudged", "stop")],
        ),
        ("B?", "2", "teacher", [("b1", "disagrees", "stop")]),
    ]
    assert (made.facts["agrees"], made.facts["disagrees"], made.facts["unjudged"]) == (1, 2, 1)
    assert made.balance["results"] == made.balance["kept"] == 4


@pytest.mark.parametrize(
    ("told", "ended"),
    [
        (True, "stop"),
        ("stop", "stop"),
        (None, "stop"),
        (False, "length"),
        ("length", "length"),
        (" MAX_TOKENS ", "length"),
    ],
)
def test_whether_an_answer_ended_is_told_by_yes_and_no_or_in_a_servers_words(
    told: object, ended: str, bench: Bench, tmp_path: Path
) -> None:
    row = {"question": "A?", "response": "a", "label": "no", "answer": "1", "finished": told}
    (attempt,) = started(bench, tmp_path / "own.jsonl", "verdicts", row).read(Attempt)
    assert attempt.finish_reason == ended


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("Yes", "agrees"),
        (" correct ", "agrees"),
        (True, "agrees"),
        (1, "agrees"),
        (1.0, "agrees"),
        ("no", "disagrees"),
        ("Incorrect", "disagrees"),
        (False, "disagrees"),
        (0, "disagrees"),
        (-1, "disagrees"),
        ("", "unjudged"),
        (None, "unjudged"),
        ("maybe", None),
        (7, None),
        ({"label": 1}, None),
    ],
)
def test_yes_and_no_in_the_usual_spellings(value: object, outcome: str | None) -> None:
    assert outcome_of(value) == outcome


BAD = [
    ("problems", {"answer": "4"}, "no column `question`"),
    ("lessons", {"question": "1+1?"}, "no text in `answer`"),
    ("verdicts", {"question": "1+1?", "label": 1}, "no text in `response`"),
    ("verdicts", {"question": "1+1?", "response": "2", "label": "maybe"}, "neither yes nor no"),
]


@pytest.mark.parametrize(("stage", "row", "says"), BAD)
def test_a_bad_row_stops_and_is_named_or_is_skipped_and_counted(
    bench: Bench, tmp_path: Path, stage: str, row: dict[str, Any], says: str
) -> None:
    good = {"question": "1+2?", "answer": "3", "response": "3", "label": "yes"}
    with pytest.raises(DataError) as raised:
        started(bench, tmp_path / "own.jsonl", stage, good, row)
    assert "own.jsonl:2" in str(raised.value)
    assert says in str(raised.value)
    assert "on_bad_line: skip" in str(raised.value)
    made = started(bench, tmp_path / "own.jsonl", stage, good, row, on_bad_line="skip")
    assert made.balance["kept"] == 1
    (rejected,) = made.read(Rejected)
    assert rejected.item == "own.jsonl:2"


def test_where_many_rows_lack_the_same_it_is_said_how_many(bench: Bench, tmp_path: Path) -> None:
    lines = [{"question": f"1+{i}?", "answer": "" if i % 3 else "3"} for i in range(1, 13)]
    with pytest.raises(
        DataError, match=r"own\.jsonl:1. has no text in `answer`: .*; 7 more rows are like it\. Mend these, or"
    ):
        started(bench, tmp_path / "own.jsonl", "lessons", *lines)
    with pytest.raises(DataError, match=r"; 1 more row is like it"):
        started(bench, tmp_path / "own.jsonl", "lessons", *lines, limit=2)
    made = started(bench, tmp_path / "own.jsonl", "lessons", *lines, on_bad_line="skip")
    assert made.balance["rejected"] == {"no_answer": 8}


def test_a_wrong_column_a_missing_file_and_an_empty_one_each_say_what_to_do(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    with pytest.raises(DataError, match="did you mean `response`"):
        started(bench, path, "verdicts", {"question": "?"}, columns={"respons": "text"})
    with pytest.raises(DataError, match=r"nowhere\.jsonl` does not exist"):
        started(bench, tmp_path / "nowhere.jsonl", "problems")
    with pytest.raises(DataError, match="no row that can be used"):
        started(bench, path, "problems", "")
    with pytest.raises(DataError, match="needs `path`"):
        bench.run(lambda out: problems_from(out, StartSettings(stage="problems")))


def test_only_the_first_rows_where_asked(bench: Bench, tmp_path: Path) -> None:
    made = started(bench, tmp_path / "own.jsonl", "problems", *({"question": f"{i}+1?"} for i in range(9)), limit=4)
    assert [p.question for p in made.read(Problem)] == ["0+1?", "1+1?", "2+1?", "3+1?"]


def test_any_row_of_a_problem_may_say_how_it_is_solved(bench: Bench, tmp_path: Path) -> None:
    rows = [
        {"question": "1+1?", "response": "3", "label": 0},
        {"question": "1+1?", "response": "2", "label": 1, "solution": "1 + 1 = 2\n#### 2"},
    ]
    made = started(bench, tmp_path / "own.jsonl", "verdicts", *rows)
    (exercise,) = made.read(Exercise)
    assert exercise.solution == "1 + 1 = 2\n#### 2"
    assert len(list(made.read(Attempt))) == 2
