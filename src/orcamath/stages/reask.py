"""Stage `reask`: asking the teacher again where a student's samples all agree with each other against it (label noise).

In: exercises, attempts and verdicts of one practice. Out: the same three tables. For a doubtful problem the teacher solves it
a few more times: where most of the new solutions reach the student's answer, that becomes the reference, with the first such
solution in place of the old one, and the samples agree; where most reach the old answer, all stays; else the problem goes
(`teacher_unsure`), since nobody knows its answer. All other problems pass untouched, and nothing is asked for them.

Deviation: the paper takes the teacher's one answer as the truth throughout.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import Field, NonNegativeFloat, PositiveInt

from orcamath.agents import solver
from orcamath.agents.driver import TopP, drive
from orcamath.agents.solver import Assignment, Solution, SolverSettings
from orcamath.answers import same
from orcamath.preferences import Judged, answer_against_teacher, joined
from orcamath.records import Attempt, Exercise, Problem, Rejected, Verdict
from orcamath.stages.aiming import SpellFacts
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage

__all__ = ["ReaskFacts", "ReaskSettings", "Settlement", "reask", "settle"]


class ReaskSettings(SolverSettings):
    """How the teacher is asked again."""

    temperature: NonNegativeFloat = 0.7
    top_p: TopP = 0.95
    solutions: PositiveInt = 5
    """New solutions of each doubtful problem; more than half of them have to agree."""


class Settlement(NamedTuple):
    """What comes of one doubtful problem."""

    outcome: Literal["student_was_right", "teacher_was_right", "teacher_unsure"]
    solution: Solution | None = None
    """The teacher's new solution, where the student was right."""


def settle(exercise: Exercise, student: str, solutions: list[Solution], n: int) -> Settlement:
    """Decide between the student's answer and the teacher's first by more than half of `n` new solutions."""

    def reaching(answer: str) -> list[Solution]:
        kind, question, options = exercise.answer_kind, exercise.question, exercise.options
        return [s for s in solutions if same(kind, s.final_answer, answer, question, options) is True]

    with_student = reaching(student)
    if 2 * len(with_student) > n:
        return Settlement("student_was_right", with_student[0])
    if 2 * len(reaching(exercise.reference)) > n:
        return Settlement("teacher_was_right")
    return Settlement("teacher_unsure")


class ReaskFacts(SpellFacts):
    """What came of the doubtful problems."""

    reasked: dict[str, int] = Field({})
    """Outcome of a `Settlement` → problems."""


@stage("reask", version=2, settings=ReaskSettings, facts=ReaskFacts)
def reask(
    out: Output,
    settings: ReaskSettings,
    practised: Artifact,
    verdicts: Artifact,
    teacher: Remembered,
    taught: SolverSettings | None = None,
) -> ReaskFacts:
    """Write `exercises`, `attempts` and `verdicts` with doubtful problems settled; both inputs of `prefer` at once.

    `taught`: how the lessons were asked for.
    """

    def rows() -> Iterator[tuple[Exercise, list[Judged]]]:
        return joined(practised.read(Exercise), practised.read(Attempt), verdicts.read(Verdict))

    doubtful = {e.problem_id: (e, answer) for e, js in rows() if (answer := answer_against_teacher(e, js)) is not None}

    first_draw = _unheard(settings, taught)

    def posed() -> Iterator[Assignment]:
        for exercise, _ in doubtful.values():
            for draw in range(settings.solutions):
                yield Assignment(_problem(exercise), first_draw + draw, settings.solutions)

    found: dict[str, list[Solution]] = {}
    agent = solver.make(settings)
    total = len(doubtful) * settings.solutions
    for item, solution in drive(agent, posed, teacher, out, tries=settings.tries, final=False, total=total):
        found.setdefault(item.id, []).append(solution)
    rulings = {
        name: settle(exercise, answer, found.get(name, []), settings.solutions)
        for name, (exercise, answer) in doubtful.items()
    }
    gone = {name for name, ruling in rulings.items() if ruling.outcome == "teacher_unsure"}
    right = {name: r.solution for name, r in rulings.items() if r.solution is not None}

    out.write("exercises", (_settled(e, right.get(e.problem_id)) for e in _kept(out, practised, gone)))
    out.write("attempts", (a for a in practised.read(Attempt) if a.problem_id not in gone))
    out.write("verdicts", (_agreed(v, right) for v in verdicts.read(Verdict) if v.problem_id not in gone))
    first = practised.said(SpellFacts).first_samples
    found_out = dict(sorted(Counter(r.outcome for r in rulings.values()).items()))
    return ReaskFacts(reasked=found_out, **({"first_samples": first} if first is not None else {}))


def _unheard(settings: ReaskSettings, taught: SolverSettings | None) -> int:
    """Return the first draw that the lessons did not take, where both ask alike: the doubted answer is not read once more."""
    if taught is None or settings.temperature == 0:
        return 0
    alike = settings.sampling() == taught.sampling() and settings.loaded().fingerprint == taught.loaded().fingerprint
    return taught.solutions * taught.tries if alike else 0


def _problem(exercise: Exercise) -> Problem:
    return Problem(
        id=exercise.problem_id,
        question=exercise.question,
        origin="reask",
        source="reask",
        answer=exercise.reference,
        answer_kind=exercise.answer_kind,
        options=exercise.options,
    )


def _kept(out: Output, practised: Artifact, gone: set[str]) -> Iterator[Exercise]:
    for exercise in practised.read(Exercise):
        if exercise.problem_id in gone:
            out.reject(Rejected(item=exercise.problem_id, reason="teacher_unsure", detail=exercise.reference))
        else:
            out.keep()
            yield exercise


def _settled(exercise: Exercise, solution: Solution | None) -> Exercise:
    if solution is None:
        return exercise
    return exercise.model_copy(update={"reference": solution.final_answer, "solution": solution.text})


def _agreed(verdict: Verdict, right: dict[str, Solution]) -> Verdict:
    if verdict.problem_id not in right:
        return verdict
    return verdict.model_copy(update={"outcome": "agrees", "by": "reask", "reason": "teacher_came_round"})
