"""`orcamath review`, and what `run` shows of its lessons: a few to read, before anything is trained on them, and marks on them.

In: a run's stages up to its lessons. Out: lines for people, or JSON; marks are lines of `marks.jsonl` in the run folder.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from orcamath.commands.asked import RunAsked
from orcamath.commands.ending import say
from orcamath.commands.typed import places
from orcamath.errors import UsageError
from orcamath.recipe_settings import Recipe
from orcamath.records import Lesson, Problem
from orcamath.report.arms import arms_of, own
from orcamath.stages.review import TAUGHT, ToRead, before_training, to_read
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.marks import MARKS, Mark, Marks, read_marks
from orcamath.visible import one_line
from orcamath.workshop import Reviewers

__all__ = ["lessons_marked", "lessons_shown", "reviewers_of"]

NAME_CHARS = 12
MEASURED_ON = ("benchmarks", "unseen")
"""Labels of stages whose problems are none that anything is trained on."""


def reviewers_of(recipe: Recipe, folder: Path, asked: RunAsked, *, goes_on: str) -> Reviewers:
    """Return who reads the lessons of a run that begins: its marks, and whoever sits at this terminal.

    What there is to read is shown where the run waits for that or ends there, and where a run of a few seeds has taught it anew;
    any other that has says where it is. `goes_on`: the command by which a run that waits is told that it was read.
    """
    waits = recipe.review == "pause" and not asked.reviewed
    marks, made = folder / MARKS, dict[str, Artifact]()

    def show(label: str, artifact: Artifact) -> None:
        made[label] = artifact
        if label in TAUGHT and (waits or asked.until == label or (asked.limit is not None and not artifact.reused)):
            for line in _lines(to_read(before_training(made)), read_marks(marks)):
                say(line)
        elif label in TAUGHT and not artifact.reused:
            command = shlex.join(["orcamath", "review", folder.name, *places(asked.runs, asked.store)])
            say(f"read before you train: `{command}` shows lessons, doubts and rejects")

    return Reviewers(read_marks(marks), not waits, goes_on, show)


def lessons_shown(folder: Path, store: Path, *, as_json: bool) -> str:
    """Show lessons, doubts and rejects of a run. Raises UsageError where nothing is taught yet."""
    found = to_read(_before_training(folder, store))
    marks = read_marks(folder / MARKS)
    if not as_json:
        return "\n".join(_lines(found, marks))
    plain = {
        "lessons": [x.row() for x in found.lessons],
        "doubts": [x.row() for x in found.doubts],
        "rejects": [{"stage": s.label, **s.rejected.row()} for s in found.rejects],
        "n_lessons": found.n_lessons,
        "n_rejects": found.n_rejects,
        "marks": [m._asdict() for m in marks.values()],
    }
    return json.dumps(plain, indent=1)


def lessons_marked(folder: Path, store: Path, *, bad: Sequence[str], good: Sequence[str], note: str) -> str:
    """Mark lessons or problems by the beginnings of their ids, those of arms and later rounds too.

    Raises UsageError where one fits none, or several.
    """
    _before_training(folder, store)  # says where nothing is taught yet
    made = {a.path: a for arm in arms_of(folder) for label, a in own(arm, Store(store)) if label not in MEASURED_ON}
    known = {name for a in made.values() for both in a.columns(Lesson, "id", "problem_id") for name in both}
    known |= {name for a in made.values() for (name,) in a.columns(Problem, "id")}
    marks = Marks(folder)
    wanted: list[tuple[str, Literal["good", "bad"]]] = [(_resolved(name, known), "bad") for name in bad]
    wanted += [(_resolved(name, known), "good") for name in good]
    if twice := {name for name, mark in wanted if mark == "bad"} & {name for name, mark in wanted if mark == "good"}:
        raise UsageError(f"`{min(twice)}` is to be bad and good; leave one of them out")
    for name, mark in wanted:
        marks.add(name, mark, note)
    n = sum(m.mark == "bad" for name, m in marks.of.items() if name in known)  # a reader marks other records too
    return f"{len(wanted):,} marked in {marks.path}; {n:,} are bad now, and the next `orcamath run` leaves them out"


def _before_training(folder: Path, store: Path) -> dict[str, Artifact]:
    if not (made := before_training(dict(own(next(iter(arms_of(folder))), Store(store))))):
        raise UsageError(
            f"nothing is taught in `{folder}` yet, so there is nothing to read; `orcamath status` says how it stands"
        )
    return made


def _resolved(start: str, known: set[str]) -> str:
    found = sorted(name for name in known if name.startswith(start)) if start else []
    if start in known or len(found) == 1:
        return start if start in known else found[0]
    many = ", ".join(f"`{name[: len(start) + 4]}`" for name in found[:5])
    what = f"begins {len(found)} ids ({many}); write more of it" if found else "is no lesson and no problem of this run"
    raise UsageError(f"`{start}` {what}. `orcamath review RUN` shows some, `orcamath view RUN` all")


def _lines(found: ToRead, marks: Mapping[str, Mark]) -> Iterator[str]:
    yield f"{len(found.lessons)} of {found.n_lessons:,} lessons, as they are trained on:"
    yield from (line for x in found.lessons for line in _lesson(x, marks))
    if found.doubts:
        yield f"{len(found.doubts)} whose answer is not the known one:"
        yield from (line for x in found.doubts for line in _lesson(x, marks))
    if found.rejects:
        yield f"{len(found.rejects)} of {found.n_rejects:,} rejects, some of each reason:"
    for label, rejected in found.rejects:
        yield f"  {label}: {rejected.reason}{f' ({one_line(rejected.detail, 100)})' if rejected.detail else ''}"
        if rejected.text:
            yield f"    {one_line(rejected.text, 200)}"


def _lesson(lesson: Lesson, marks: Mapping[str, Mark]) -> Iterator[str]:
    found = [mark for name in (lesson.id, lesson.problem_id) if (mark := marks.get(name)) is not None]
    mark = next((m for m in found if m.mark == "bad"), found[0] if found else None)  # either leaves it out
    said = f", marked {mark.mark} {one_line(mark.note, 80)}".rstrip() if mark is not None else ""
    known = f", known answer {one_line(lesson.gold, 30)}" if lesson.gold is not None else ""
    yield f"  {lesson.id[:NAME_CHARS]}  {lesson.origin}, {lesson.verified}{known}{said}"
    yield f"    Q {one_line(lesson.asked, 300)}"
    yield f"    A {one_line(lesson.answer, 400)}"
