"""Problems that changed sides: missed by M1 and solved by an arm's last student, and back, with both answers as written.

In: students with their greedy answers, and the problems. Out: counts, and the first few of each side in stored order, which is
an order by hash: nobody picked them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from orcamath.records import Problem, Scored
from orcamath.report.rows import Student
from orcamath.report.slices import last_students

__all__ = ["Flip", "Moved", "moved"]

MAX_FLIPS = 3
"""Shown of each side."""


class Flip(NamedTuple):
    """One problem on which two students differ."""

    problem: str
    """Its id."""
    question: str
    gold: str
    before: Scored
    after: Scored


class Moved(NamedTuple):
    """One student held against M1 on one benchmark."""

    benchmark: str
    student: str
    n_gained: int
    n_lost: int
    gained: tuple[Flip, ...]
    lost: tuple[Flip, ...]


def moved(students: Sequence[Student], problems: Iterable[Problem]) -> list[Moved]:
    """Return what each arm's last student gained over M1 and lost."""
    questions = {p.id: p.question for p in problems}
    first = next((s for s in students if s.iteration == 1 and not s.arm), None)
    later = [(label, s) for label, s in last_students(students) if s.iteration > 1]
    if first is None:
        return []
    return [
        _moved(benchmark, label, before, student.answers[benchmark], questions)
        for label, student in later
        for benchmark, before in first.answers.items()
        if benchmark in student.answers
    ]


def _moved(
    benchmark: str,
    label: str,
    before: Mapping[str, Scored],
    after: Mapping[str, Scored],
    questions: Mapping[str, str],
) -> Moved:
    flips = [
        Flip(i, questions.get(i, ""), was.gold, was, after[i])
        for i, was in before.items()
        if i in after and (was.outcome == "agrees") != (after[i].outcome == "agrees")
    ]
    gained = [f for f in flips if f.after.outcome == "agrees"]
    lost = [f for f in flips if f.before.outcome == "agrees"]
    return Moved(benchmark, label, len(gained), len(lost), tuple(gained[:MAX_FLIPS]), tuple(lost[:MAX_FLIPS]))
