"""The wrong answers of a round, each with the mistake that it is by rule (`answers.mistakes`). Pure functions over records.

In: attempts with their verdicts, or scored benchmark answers with their problems. Out: one `Sorted` a wrong answer, in order.
What is known to be right is the teacher's or the set's own solution, and other answers to the same problem that were judged right
and show their working. An answer that nobody could judge is no mistake. Report and viewer read these.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orcamath.answers import worked
from orcamath.answers.mistakes import Mistake, mistake
from orcamath.preferences import Judged
from orcamath.records import Exercise, Problem, Scored

__all__ = ["Sorted", "of_answers", "of_attempts", "right_ways"]

MAX_WAYS = 3
"""Right answers to one problem that a wrong one is held against, besides its solution."""


class Sorted(NamedTuple):
    """A wrong answer and its mistake."""

    name: str
    """The attempt's id; `PROBLEM.DRAW` of a benchmark answer."""
    problem_id: str
    mistake: Mistake


def of_attempts(rows: Iterable[tuple[Exercise, Sequence[Judged]]]) -> Iterator[Sorted]:
    """Sort the attempts that disagree; `rows`: as `preferences.joined` yields them."""
    for exercise, judged in rows:
        ways = [j.attempt.text for j in judged if j.outcome == "agrees" and worked(j.attempt.text)]
        known = [exercise.solution or "", *ways[:MAX_WAYS]]
        for attempt, outcome in judged:
            if outcome == "disagrees":
                finished = attempt.finish_reason == "stop"
                found = mistake(attempt.text, exercise.question, exercise.reference, known, finished=finished)
                yield Sorted(attempt.id, exercise.problem_id, found)


def right_ways(answers: Iterable[Scored]) -> dict[str, list[str]]:
    """Return problem → up to `MAX_WAYS` different worked answers that were judged right."""
    ways: dict[str, list[str]] = {}
    for row in answers:
        found = ways.setdefault(row.problem_id, []) if row.outcome == "agrees" else None
        if found is not None and len(found) < MAX_WAYS and row.text not in found and worked(row.text):
            found.append(row.text)
    return ways


def of_answers(
    answers: Iterable[Scored], problems: Mapping[str, Problem], ways: Mapping[str, Sequence[str]]
) -> Iterator[Sorted]:
    """Sort the benchmark answers that disagree; those whose problem is not here are left out. `ways`: see `right_ways`."""
    for row in answers:
        problem = problems.get(row.problem_id)
        if problem is not None and row.outcome == "disagrees":
            known = [problem.solution or "", *ways.get(row.problem_id, ())]
            found = mistake(row.text, problem.question, row.gold, known, finished=row.finish_reason == "stop")
            yield Sorted(f"{row.problem_id}.{row.draw}", row.problem_id, found)
