"""Stage `confirm`: problems that were left for practice are solved too, shortly and a few times, for their label alone.

In: what `teach` wrote. Out: the same `lessons`, and `problems` with `confirmed` set where solutions reached the known answer
without knowing it. Practice on a known answer takes confirmed ones only: a number that an agent hid may not be what its
question asks for, and a wrong label teaches the student to be wrong.

Deviation: the paper labels by the teacher's answer and has no fresh problems.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TypeVar

from pydantic import Field, NonNegativeFloat, PositiveInt

from orcamath.agents import solver as solvers
from orcamath.agents.driver import drive
from orcamath.agents.solver import Assignment, SolverSettings
from orcamath.records import Lesson, Problem
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage
from orcamath.verify import confirms

__all__ = ["ConfirmFacts", "ConfirmSettings", "confirm"]


Row = TypeVar("Row", Lesson, Problem)


class ConfirmSettings(SolverSettings):
    """How known answers are confirmed."""

    temperature: NonNegativeFloat = 0.7
    max_new_tokens: PositiveInt = 512
    solutions: PositiveInt = 2
    """Solutions a problem."""
    least: PositiveInt = 1
    """How many of them must reach the known answer. No other answer may be reached by as many, whatever this says."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Share of those that state an answer which must reach it: of many guesses one or two would hit a wrong label by accident."""


class ConfirmFacts(Facts):
    """What solutions say of known answers."""

    labels: dict[str, int] = Field({})
    """`confirmed`, `unconfirmed`, `no_answer_known` → problems."""


@stage("confirm", version=4, settings=ConfirmSettings, facts=ConfirmFacts)
def confirm(out: Output, settings: ConfirmSettings, taught: Artifact, solver: Remembered) -> ConfirmFacts:
    """Write the lessons as they are, and the problems with what their solutions say of the known answer."""
    out.write("lessons", _kept(out, taught.read(Lesson)))

    def posed() -> Iterator[Assignment]:
        n = settings.solutions
        return (Assignment(p, i, n) for p in taught.read(Problem) if p.answer is not None for i in range(n))

    solved = drive(
        solvers.make(settings),
        posed,
        solver,
        out,
        tries=settings.tries,
        final=False,
        total=taught.count("problems") * settings.solutions,
    )
    groups = groupby(solved, key=lambda pair: pair[0].problem.id)
    found: Counter[str] = Counter()

    def problems() -> Iterator[Problem]:
        group = next(groups, None)
        for problem in taught.read(Problem):
            answers: list[str] = []
            if group is not None and group[0] == problem.id:
                answers = [solution.final_answer for _, solution in group[1]]
                group = next(groups, None)
            yes = problem.answer is not None and confirms(problem, answers, settings.least, settings.share)
            found["no_answer_known" if problem.answer is None else "confirmed" if yes else "unconfirmed"] += 1
            yield problem.model_copy(update={"confirmed": yes})

    out.write("problems", _kept(out, problems()))
    return ConfirmFacts(labels=dict(sorted(found.items())))


def _kept(out: Output, rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        out.keep()
        yield row
