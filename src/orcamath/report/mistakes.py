"""Wrong answers by type of mistake, round by round: what a student still gets wrong, and what became rarer.

In: students with their greedy answers and the problems; practice rounds with their verdicts. Out: tables of counts. One seed of
each arm is shown, and of each student or round the first `MAX_SORTED` wrong answers in stored order, which nobody picked.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from orcamath.answers.mistakes import MISTAKES
from orcamath.mistakes import Sorted, of_answers, of_attempts, right_ways
from orcamath.preferences import joined
from orcamath.records import Attempt, Exercise, Problem, Verdict
from orcamath.report.arms import Made, key_of
from orcamath.report.rows import Student
from orcamath.store.artifacts import Artifact
from orcamath.store.stage import StageLabel

__all__ = ["MAX_SORTED", "MistakeTable", "mistakes_of_rounds", "mistakes_of_students"]

MAX_SORTED = 1_000


class MistakeTable(NamedTuple):
    """Students on one benchmark, or rounds of practice (`benchmark` is empty then)."""

    benchmark: str
    kinds: tuple[str, ...]
    """Types that occur."""
    rows: tuple[tuple[str, int, tuple[int, ...]], ...]
    """(student or stage, wrong answers in all, those sorted by type)."""

    @property
    def cut(self) -> bool:
        """Whether some row has more wrong answers than were sorted."""
        return any(n > sum(counts) for _, n, counts in self.rows)


def mistakes_of_students(students: Sequence[Student], problems: Iterable[Problem]) -> list[MistakeTable]:
    """Sort the wrong greedy answers of every student, of the first seed each arm was trained with."""
    by_id, first = {p.id: p for p in problems}, dict[str, int | None]()
    shown = [s for s in students if first.setdefault(s.arm, s.seed) == s.seed]
    found = []
    for benchmark in dict.fromkeys(b for s in shown for b in s.answers):
        answers = [(_label(s), list(s.answers.get(benchmark, {}).values())) for s in shown]
        ways = right_ways(row for _, rows in answers for row in rows)
        counted = [
            (label, sum(r.outcome == "disagrees" for r in rows), _counts(of_answers(rows, by_id, ways)))
            for label, rows in answers
        ]
        found.append(_table(benchmark, counted))
    return [table for table in found if table.kinds]


def mistakes_of_rounds(made: Iterable[Made]) -> list[MistakeTable]:
    """Sort the wrong samples of every round of practice; `made`: stages in their order, what arms share once."""
    practised: dict[tuple[str, int | None], Artifact] = {}
    counted = []
    for arm, label, _, artifact in made:
        of = StageLabel.read(label)
        if not of.whole:  # a spell of a round, which is counted whole
            continue
        if of.name == "practice":
            practised[arm, of.round] = artifact
        elif of.name == "judge" and (asked := practised.get((arm, of.round))) is not None:
            rows = joined(asked.read(Exercise), asked.read(Attempt), artifact.read(Verdict))
            wrong = sum(v.outcome == "disagrees" for v in artifact.read(Verdict))
            counted.append((key_of(arm, f"practice {of.which}"), wrong, _counts(of_attempts(rows))))
    table = _table("", counted)
    return [table] if table.kinds else []


def _label(student: Student) -> str:
    return f"{student.arm} · {student.name}" if student.arm else student.name


def _counts(found: Iterator[Sorted]) -> Mapping[str, int]:
    return Counter(s.mistake for s in islice(found, MAX_SORTED))


def _table(benchmark: str, counted: Sequence[tuple[str, int, Mapping[str, int]]]) -> MistakeTable:
    kinds = tuple(kind for kind in MISTAKES if any(counts.get(kind) for _, _, counts in counted))
    return MistakeTable(
        benchmark, kinds, tuple((label, n, tuple(c.get(k, 0) for k in kinds)) for label, n, c in counted)
    )
