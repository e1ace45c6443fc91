"""`orcamath review` says of marks what the next run makes of them."""

from pathlib import Path

import pytest

from orcamath.commands.reviewing import lessons_marked, lessons_shown
from orcamath.errors import UsageError
from orcamath.records import Lesson
from orcamath.report.arms import arms_of, own
from orcamath.store.artifacts import Store
from orcamath.store.marks import Marks, read_marks
from report_run import make_run


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
