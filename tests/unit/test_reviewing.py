"""`orcamath review` says of marks what the next run makes of them."""

from pathlib import Path

import pytest

from orcamath.commands.reviewing import lessons_marked, lessons_shown
from orcamath.errors import UsageError
from orcamath.records import Lesson, Problem
from orcamath.report.arms import arms_of, own
from orcamath.stages.review import to_read
from orcamath.store.artifacts import Store
from orcamath.store.marks import Marks, read_marks
from orcamath.store.seals import read_sealed, write_sealed
from report_run import make_run, seal


def taught(folder: Path, store: Store) -> list[Lesson]:
    return list(dict(own(next(iter(arms_of(folder))), store))["teach"].read(Lesson))


def test_bad_marks_on_what_is_no_lesson_are_not_counted_as_left_out(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    Marks(folder).add("t3.0 evaluate M1", "bad", "an answer, marked in the viewer")
    said = lessons_marked(folder, store.root, bad=[taught(folder, store)[0].id], good=[], note="")
    assert "1 are bad now, and the next `orcamath run` leaves them out" in said


def test_a_lesson_of_a_problem_that_is_bad_is_shown_as_bad_whatever_its_own_mark(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    first = min(taught(folder, store), key=lambda lesson: lesson.id)
    lessons_marked(folder, store.root, bad=[first.problem_id], good=[first.id], note="")
    told = lessons_shown(folder, store.root, as_json=False).splitlines()
    assert "marked bad" in next(line for line in told if line.strip().startswith(first.id[:12]))


def test_one_id_is_not_bad_and_good_at_once(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    name = taught(folder, store)[0].id
    with pytest.raises(UsageError, match=f"`{name}` is to be bad and good"):
        lessons_marked(folder, store.root, bad=[name[:12]], good=[name], note="")
    assert read_marks(folder / "marks.jsonl") == {}


def test_lessons_of_a_later_round_or_an_arm_can_be_marked(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    problem = Problem.make("Gus has one kite and buys 2. How many?", "suggester_editor", "late", round=2)
    late = Lesson.make(problem, "1 + 2 = 3\n#### 3", "3", "teacher")
    made = seal(store, "teach", lambda out: out.write("lessons", [late]) and None, "later")
    place = next((folder / "arms").glob("*/stages.json"))
    pointers = read_sealed(place) or {}
    pointers["stages"].append({"label": "teach 2", "artifact": made.path.name, "seconds": 0.0, "reused": False})
    write_sealed(place, pointers)
    assert "1 are bad now" in lessons_marked(folder, store.root, bad=[late.id[:12]], good=[], note="")
    assert read_marks(folder / "marks.jsonl")[late.id].mark == "bad"


def test_only_answers_against_the_known_one_are_doubted(tmp_path: Path) -> None:
    """An answer that nobody held against it may be the known one all the same."""
    problem = Problem.make("Gus has one kite and buys 2. How many?", "seed", "mine", answer="3", answer_from="gold")
    right, wrong = (Lesson.make(problem, f"#### {said}", said, "teacher") for said in ("3.0", "4"))
    unread = Lesson.make(problem, "Three of them", None, "teacher")
    taught = seal(Store(tmp_path), "teach", lambda out: out.write("lessons", [right, wrong, unread]) and None)
    assert {lesson.id for lesson in to_read({"teach": taught}).doubts} == {wrong.id, unread.id}


def test_a_viewer_shows_what_was_marked_beside_it(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    name = taught(folder, store)[0].id
    seen_by_the_viewer = Marks(folder)
    assert name not in seen_by_the_viewer.of
    lessons_marked(folder, store.root, bad=[name], good=[], note="")
    assert seen_by_the_viewer.of[name].mark == "bad"
    seen_by_the_viewer.add(name, "good", "")
    assert seen_by_the_viewer.of[name].mark == "good"
