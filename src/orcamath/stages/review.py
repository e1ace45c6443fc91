"""Stage `review`: what a person marked as bad is not trained on, booked like any reject. And what there is to read before that.

In: taught lessons and problems, and the ids marked bad. Out: the same without them. A mark on a lesson takes out that lesson, one
on a problem all its lessons and the problem itself. Notes are no part of it, so that rewording one remakes nothing; a run without
a bad mark has no such stage.

Not in the paper, whose authors do not say that anybody read the data.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from itertools import chain, islice, zip_longest
from typing import NamedTuple, TypeVar

from orcamath.answers import same
from orcamath.records import Lesson, Problem, Rejected, Settings
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.marks import Mark
from orcamath.store.stage import stage
from orcamath.store.tables import among, read_table

__all__ = ["TAUGHT", "ReviewSettings", "StageReject", "ToRead", "before_training", "marked_bad", "review", "to_read"]

TAUGHT = ("teach", "lessons")
"""Labels of the stages after which there are lessons."""
SHOWN = 20
"""Lessons, rejects and doubts that are shown, each."""

Row = TypeVar("Row", Lesson, Problem)


class ReviewSettings(Settings):
    """What was marked."""

    bad: tuple[str, ...] = ()
    """Ids of lessons and problems, sorted."""


@stage("review", version=1, settings=ReviewSettings, facts=Facts)
def review(out: Output, settings: ReviewSettings, taught: Artifact) -> Facts:
    """Write lessons and problems but for those marked bad, which are rejected as `marked_bad`."""
    bad = set(settings.bad)

    def kept(rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if bad & _names(row):
                out.reject(Rejected(item=row.id, reason="marked_bad", text=row.question))
            else:
                out.keep()
                yield row

    out.write("lessons", kept(taught.read(Lesson)))
    out.write("problems", kept(taught.read(Problem)))
    return Facts()


def marked_bad(taught: Artifact, marks: Mapping[str, Mark]) -> tuple[str, ...]:
    """Return the ids among what was taught whose last mark is `bad`, sorted; marks on anything else change nothing here."""
    bad = {name for name, mark in marks.items() if mark.mark == "bad"}
    rows: Iterable[Lesson | Problem] = chain[Lesson | Problem](taught.read(Lesson), taught.read(Problem)) if bad else ()
    return tuple(sorted({name for row in rows for name in bad & _names(row)}))


def _names(row: Lesson | Problem) -> set[str]:
    """Return the ids under which a row may be marked."""
    return {row.id, row.problem_id} if isinstance(row, Lesson) else {row.id}


class StageReject(NamedTuple):
    """A reject, and the stage that said so."""

    label: str
    rejected: Rejected


class ToRead(NamedTuple):
    """A few of what a teacher wrote, none of them picked by anybody: the first by id."""

    lessons: tuple[Lesson, ...]
    doubts: tuple[Lesson, ...]
    """Lessons whose answer is not the one known without the teacher."""
    rejects: tuple[StageReject, ...]
    """One of each stage and reason in turn, none that says what another said."""
    n_lessons: int
    n_rejects: int


def before_training(made: Mapping[str, Artifact]) -> dict[str, Artifact]:
    """Return the stages that led to the first lessons, of stages by label in their order; none where nothing is taught yet."""
    labels = list(made)
    last = next((i for i, label in enumerate(labels) if label in TAUGHT), -1)
    return {label: made[label] for label in labels[: last + 1] if label != "benchmarks"}


def _against_the_known(taught: Artifact) -> Iterator[str]:
    """Yield the ids of lessons whose answer is not the known one; an answer that nobody held against it may well be."""
    fields = ("id", "gold", "verified", "final_answer", "answer_kind", "question", "options")
    for name, gold, by, answer, kind, question, options in taught.columns(Lesson, *fields):
        if (
            gold is not None
            and by == "unverified"
            and not same(kind, answer or "", gold, question, tuple(options or ()))
        ):
            yield name


def to_read(made: Mapping[str, Artifact]) -> ToRead:
    """Choose what a person reads before training; `made`: the stages up to the lessons, by label, in their order."""
    taught = next((made[label] for label in TAUGHT if label in made), None)
    told = [name for (name,) in taught.columns(Lesson, "id")] if taught is not None else []
    first = nsmallest(SHOWN, told)
    doubted = set(islice(_against_the_known(taught), SHOWN)) if taught is not None else set()
    wanted = among("id", {*first, *doubted})
    chosen = list(read_table(taught.table("lessons"), Lesson, wanted)) if taught is not None and told else []
    by_reason: dict[tuple[str, str], dict[tuple[str, str], StageReject]] = {}
    for label, artifact in made.items():
        for row in artifact.columns(Rejected, *Rejected.model_fields):
            rejected = dict(zip(Rejected.model_fields, row, strict=True))
            group = by_reason.setdefault((label, rejected["reason"]), {})
            if len(group) < SHOWN and (said := (rejected["text"], rejected["detail"])) not in group:
                group[said] = StageReject(label, Rejected.of(rejected))
    in_turn = (
        reject
        for row in zip_longest(*(group.values() for group in by_reason.values()))
        for reject in row
        if reject is not None
    )
    return ToRead(
        tuple(sorted((x for x in chosen if x.id in first), key=lambda x: x.id)),
        tuple(x for x in chosen if x.id in doubted),
        tuple(islice(in_turn, SHOWN)),
        len(told),
        sum(artifact.count("rejected") for artifact in made.values()),
    )
