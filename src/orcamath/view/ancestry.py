"""One problem, where it came from and all that came of it: the answer to `show ID`.

In → the sealed artifacts of a run and the id (or the beginning of one) of a problem, lesson or attempt; out → an `Ancestry`,
plain data. Tables are searched by column, so a run of 200,000 problems answers in seconds; nothing is kept in memory but
what is found.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orcamath.errors import UsageError
from orcamath.records import (
    Attempt,
    Chosen,
    Exercise,
    Lesson,
    Preference,
    Problem,
    Record,
    Rejected,
    Scored,
    Verdict,
)
from orcamath.store.artifacts import Artifact
from orcamath.store.sealed import table_of
from orcamath.store.tables import Where, among, read_table

__all__ = ["Ancestry", "Practised", "Seen", "ancestry"]

R = TypeVar("R", bound=Record)
MAX_LISTED = 40
"""Children, siblings and ambiguous ids listed at most; the counts are whole."""


class Seen(NamedTuple):
    """A stage that holds the problem, and in which table."""

    stage: str
    table: str


class Practised(NamedTuple):
    """What one student answered in one stage, and what was said of it."""

    stage: str
    exercise: Exercise | None
    attempts: list[tuple[Attempt, Verdict | None]]


@dataclass
class Ancestry:
    """Everything a run knows of one problem."""

    problem: Problem
    parents: list[Problem] = field(default_factory=list)
    """Nearest first; a parent's own parents follow it."""
    siblings: list[Problem] = field(default_factory=list)
    children: list[Problem] = field(default_factory=list)
    n_siblings: int = 0
    n_children: int = 0
    seen: list[Seen] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    rejected: list[tuple[str, Rejected]] = field(default_factory=list)
    """Stage, and why it (or what was made of it) went no further."""
    chosen: list[tuple[str, Chosen]] = field(default_factory=list)
    """Stage, and why it practises on the problem or grows from it, where earlier samples decided."""
    practised: list[Practised] = field(default_factory=list)
    preferences: list[tuple[str, Preference]] = field(default_factory=list)
    scored: list[tuple[str, Scored]] = field(default_factory=list)

    def plain(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "problem": self.problem.row(),
            "parents": [p.row() for p in self.parents],
            "siblings": {"n": self.n_siblings, "first": [p.row() for p in self.siblings]},
            "children": {"n": self.n_children, "first": [p.row() for p in self.children]},
            "seen": [s._asdict() for s in self.seen],
            "lessons": [x.row() for x in self.lessons],
            "rejected": [{"stage": s, **r.row()} for s, r in self.rejected],
            "chosen": [{"stage": s, **c.row()} for s, c in self.chosen],
            "practised": [
                {
                    "stage": p.stage,
                    "exercise": p.exercise.row() if p.exercise else None,
                    "attempts": [{**a.row(), "verdict": v.row() if v else None} for a, v in p.attempts],
                }
                for p in self.practised
            ],
            "preferences": [{"stage": s, **p.row()} for s, p in self.preferences],
            "scored": [{"stage": s, **x.row()} for s, x in self.scored],
        }


def ancestry(artifacts: Sequence[Artifact], name: str) -> Ancestry:
    """Gather what the artifacts hold of the problem, lesson or attempt whose id begins with `name`.

    Raises UsageError where no id begins so, or several do; the message lists them.
    """
    stages = list({a.path: a for a in artifacts}.values())
    problem = _problem(stages, _resolve(stages, name.strip().lower()))
    found = Ancestry(problem)
    found.parents = list(_up(stages, problem))
    family = set(problem.parents)
    siblings = {p.id: p for p in _related(stages, family) if p.id != problem.id and p.origin == problem.origin}
    children = {p.id: p for p in _related(stages, {problem.id})}
    found.n_siblings, found.siblings = len(siblings), list(siblings.values())[:MAX_LISTED]
    found.n_children, found.children = len(children), list(children.values())[:MAX_LISTED]
    for stage in stages:
        _gather(found, stage, problem.id)
    return found


def _label(stage: Artifact) -> str:
    return f"{stage.stage} {stage.digest[:8]}"


def _where(stage: Artifact, record: type[R], column: str, values: Iterable[str]) -> Iterator[R]:
    """Yield the rows whose column is one of the values (for a list: has one of them in it)."""
    table = table_of(record)
    if not stage.has(table):
        return iter(())
    return _rows(stage.table(table), record, column, among(column, values))


def _rows(path: Path, record: type[R], column: str, mask: Where) -> Iterator[R]:
    """Yield the rows a mask chooses by one column; that column alone is read first, since most tables have no such row."""
    try:
        batches = pq.ParquetFile(path).iter_batches(50_000, columns=[column])
        hit = any(pc.any(mask(b)).as_py() for b in batches)
    except (OSError, pa.ArrowInvalid):
        hit = True  # `read_table` says what is wrong with the file
    return read_table(path, record, mask) if hit else iter(())


def _starting(stage: Artifact, record: type[R], column: str, prefix: str) -> Iterator[R]:
    table = table_of(record)
    if not stage.has(table):
        return iter(())
    path = stage.table(table)
    return _rows(path, record, column, lambda batch: pc.starts_with(batch.column(column), pattern=prefix))


def _resolve(stages: Sequence[Artifact], prefix: str) -> str:
    """Return the one problem id that the beginning of an id stands for."""
    if not prefix:
        raise UsageError("which problem? Give the beginning of its id")
    found: dict[str, str] = {}
    for stage in stages:
        found |= {p.id: p.question for p in _starting(stage, Problem, "id", prefix)}
        for column in ("id", "problem_id"):  # where a run began with lessons or verdicts, there is no table of problems
            found |= {x.problem_id: x.question for x in _starting(stage, Lesson, column, prefix)}
        found |= {e.problem_id: e.question for e in _starting(stage, Exercise, "problem_id", prefix)}
        found |= {a.problem_id: found.get(a.problem_id, a.text) for a in _starting(stage, Attempt, "id", prefix)}
        if len(found) > MAX_LISTED:
            break
    if not found:
        raise UsageError(
            f"nothing in this run has an id that begins with `{prefix[:80]}`. Ids are 32 hexadecimal digits; `export` lists them"
        )
    if len(found) > 1:
        from_each = "; ".join(f"{i} ({q[:50]!r})" for i, q in sorted(found.items())[:8])
        raise UsageError(f"`{prefix}` begins the id of {len(found)} problems: {from_each}; give more of it")
    return next(iter(found))


def _problem(stages: Sequence[Artifact], name: str) -> Problem:
    for stage in stages:
        for problem in _where(stage, Problem, "id", {name}):
            return problem
    for stage in stages:  # started from the user's own lessons or verdicts: there is no table of problems
        for lesson in _where(stage, Lesson, "problem_id", {name}):
            return lesson.problem(lesson.gold)
        for exercise in _where(stage, Exercise, "problem_id", {name}):
            return Problem(id=name, question=exercise.question, origin="seed", source=stage.stage)
    raise UsageError(f"the problem `{name}` is spoken of in this run, but held by none of its stages")


def _up(stages: Sequence[Artifact], problem: Problem) -> Iterator[Problem]:
    wanted, done = set(problem.parents), {problem.id}
    while wanted:
        found = {p.id: p for s in stages for p in _where(s, Problem, "id", wanted)}
        done |= wanted
        yield from found.values()
        wanted = {parent for p in found.values() for parent in p.parents} - done


def _related(stages: Sequence[Artifact], parents: set[str]) -> Iterator[Problem]:
    return (p for s in stages if parents for p in _where(s, Problem, "parents", parents))


def _gather(found: Ancestry, stage: Artifact, name: str) -> None:
    one = {name}
    if any(_where(stage, Problem, "id", one)):
        found.seen.append(Seen(_label(stage), "problems"))
    lessons = list(_where(stage, Lesson, "problem_id", one))
    if lessons:
        found.seen.append(Seen(_label(stage), "lessons"))
        known = {x.id for x in found.lessons}
        found.lessons += [x for x in lessons if x.id not in known]
    # lessons of earlier stages too: the stage that drops one does not hold it
    found.rejected += [(_label(stage), r) for r in _where(stage, Rejected, "item", one | {x.id for x in found.lessons})]
    found.rejected += [(_label(stage), r) for r in _where(stage, Rejected, "repeats", one) if r.item != name]
    found.chosen += [(_label(stage), c) for c in _where(stage, Chosen, "problem_id", one)]
    exercise = next(_where(stage, Exercise, "problem_id", one), None)
    attempts = list(_where(stage, Attempt, "problem_id", one))
    verdicts = {v.attempt_id: v for v in _where(stage, Verdict, "problem_id", one)}
    if exercise or attempts:
        found.practised.append(Practised(_label(stage), exercise, [(a, verdicts.get(a.id)) for a in attempts]))
    elif verdicts:  # judged in a stage of its own
        for i, practised in enumerate(found.practised):
            judged = [(a, verdicts.get(a.id, v)) for a, v in practised.attempts]
            found.practised[i] = practised._replace(attempts=judged)
    found.preferences += [(_label(stage), p) for p in _where(stage, Preference, "problem_id", one)]
    found.scored += [(_label(stage), x) for x in _where(stage, Scored, "problem_id", one)]
