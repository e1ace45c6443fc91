"""Stage `teach`: the teacher solves the collected problems (paper, section 2.4); a problem and a solution make a lesson.

In: collected problems. Out: lessons, each with the short answer found in it and how far it is verified; and `problems`,
those that were not chosen for teaching, so that a student can practise on problems the teacher never saw. Problems are
chosen by a hash of their id, so that a larger `max_problems` only adds. Of Suggester & Editor's problems those with a
solution of more than 1,800 characters are dropped, as in the paper.

Deviation: answers are checked wherever one is known without the teacher (see `verify`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from typing import Literal

import numpy as np
from pydantic import Field

from orcamath.agents import solver as solvers
from orcamath.agents.driver import drive
from orcamath.agents.solver import Assignment, Solution, SolverSettings, answered
from orcamath.records import Lesson, Problem, Rejected, outside_digest
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Fact, Facts
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage
from orcamath.verify import Check, VerifySettings, verify
from orcamath.worked import NoLesson, solution_of, worked_out

__all__ = [
    "GOES_UP",
    "Held",
    "RungFacts",
    "TeachFacts",
    "TeachSettings",
    "choice",
    "lessons_of",
    "teach",
    "teach_from_seeds",
    "warnings_of",
    "without_lesson",
]

MAX_LISTED = 1000
FEW = 5
"""Of fewer solutions nothing is said as a whole."""
GOES_UP = "goes_up"
"""Why a solution goes no further that nothing confirms, where a dearer teacher is asked instead (see `ladder`)."""
KEPT_ANOTHER = "another_solution_kept"
"""Why a solution goes no further where `keep: first` has another one of its problem."""
SAME_SOLUTION = "same_solution"
"""Why a solution goes no further that an earlier one of its problem has word for word: one text is one lesson."""
OWN = "own:seeds"
"""What a lesson names as its teacher whose solution came with the seed."""


class TeachSettings(SolverSettings):
    """Settings of teaching."""

    by: Literal["teacher", "seeds"] = "teacher"
    """Who writes the solutions: the teacher (paper), or those who made the seeds (see `worked`; asks no model)."""
    max_problems: int | None = Field(default=None, ge=0)
    """How many problems the teacher solves; None for all of them."""
    seed: int = 0
    """Chooses others."""
    keep: Literal["all", "first"] = "all"
    """Whether every solution of a problem makes a lesson, or the first of the best verified only."""
    max_answer_chars: int | None = Field(default=1800, ge=1)
    """Longer solutions are dropped (paper: 1,800, for Suggester & Editor only)."""
    max_answer_chars_origins: tuple[str, ...] = ("suggester_editor",)
    verify: VerifySettings = VerifySettings()
    most_rejected: float = outside_digest(0.5, ge=0, le=1)
    """Where more than this share of what the teacher wrote goes no further, the run says so at once."""


class RungFacts(Fact):
    """One teacher of a ladder, and what it came to."""

    model: str = ""
    """Its fingerprint."""
    problems: int = 0
    """Put to it."""
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    lessons: int = 0
    verified: int = 0
    """Lessons that verification confirms; on all rungs but the last these are all."""


class TeachFacts(Facts):
    """What the solutions are worth."""

    by: Literal["teacher", "seeds"] = "teacher"
    """Said only where it is `seeds`."""
    verified: dict[str, int] = Field({})
    """How far verified → lessons."""
    checks: dict[str, int] = Field({})
    """`gold_agrees`, `hidden_number_disagrees`, … → solutions held against what was known without the teacher."""
    disagreeing: tuple[str, ...] = ()
    """Problems with a solution that disagrees with a known answer: the first `MAX_LISTED`."""
    rungs: tuple[RungFacts, ...] = ()
    """Of a ladder of teachers, the cheapest first."""
    without: dict[str, int] = Field({})
    """Where the seeds' own solutions are the lessons: why a problem makes none → how many."""


@stage("teach", version=6, settings=TeachSettings, facts=TeachFacts)
def teach(out: Output, settings: TeachSettings, problems: Artifact, teacher: Remembered) -> TeachFacts:
    """Write the lessons, and the problems that were left for practice."""
    chosen = choice(lambda: problems.read(Problem), settings.max_problems, settings.seed)

    def posed() -> Iterator[Assignment]:
        n = settings.solutions
        return (Assignment(p, i, n) for p in problems.read(Problem) if chosen(p) for i in range(n))

    n = problems.count("problems")
    n_chosen = n if settings.max_problems is None else min(n, settings.max_problems)
    total = n_chosen * settings.solutions
    solved = drive(solvers.make(settings), posed, teacher, out, tries=settings.tries, total=total)
    verified, held = Counter[str](), Held()

    def lessons() -> Iterator[Lesson]:
        for _, group in groupby(solved, key=lambda pair: pair[0].problem.id):
            pairs = list(group)
            problem, solutions = pairs[0][0].problem, [s for _, s in pairs]
            said = [s.final_answer for s in solutions]
            checks = verify(answered(problem, solutions), said, settings.verify, settings.solutions)
            for lesson in lessons_of(out, settings, problem, solutions, checks, teacher, held):
                out.keep(owed=True)
                verified[lesson.verified] += 1
                yield lesson

    out.write("lessons", lessons())
    out.write("problems", (p for p in problems.read(Problem) if not chosen(p)))
    return TeachFacts(
        verified=dict(sorted(verified.items())),
        checks=dict(sorted(held.checks.items())),
        disagreeing=tuple(held.disagreeing),
        **({"warnings": warnings} if (warnings := tuple(warnings_of(out, settings, held.checks))) else {}),
    )


@stage("teach", version=2, settings=TeachSettings, facts=TeachFacts)
def teach_from_seeds(out: Output, settings: TeachSettings, problems: Artifact) -> TeachFacts:
    """Write lessons out of the seeds' own worked solutions, and the problems that were not chosen or have none. Asks no model.

    Deviation: the paper's teacher writes every solution. This is for sets whose authors did, and for students too small to
    gain from long explanations.
    """

    def solved() -> Iterator[Problem]:
        return (p for p in problems.read(Problem) if solution_of(p) is not None)

    chosen = choice(solved, settings.max_problems, settings.seed)
    taught: set[str] = set()
    without = Counter[NoLesson]()

    def lessons() -> Iterator[Lesson]:
        out.progress.begin("teach", settings.max_problems)
        for problem in problems.read(Problem):
            text = worked_out(problem)
            if isinstance(text, NoLesson):
                without[text] += 1
                continue
            if not chosen(problem):
                continue
            out.keep()
            taught.add(problem.id)
            out.progress.advance()
            yield Lesson.make(problem, text, problem.answer, OWN, verified="gold")
        out.progress.end()

    n = out.write("lessons", lessons())
    out.write("problems", (p for p in problems.read(Problem) if p.id not in taught))
    if not without:
        return TeachFacts(by="seeds", verified={"gold": n}, checks={}, disagreeing=())
    counts = {str(reason): many for reason, many in without.most_common()}
    told = (without_lesson(counts, problems.count("problems")),)
    return TeachFacts(by="seeds", verified={"gold": n}, checks={}, disagreeing=(), without=counts, warnings=told)


def without_lesson(counts: Mapping[str, int], total: int) -> str:
    """Say for how many problems, of `total`, no worked solution of their own makes a lesson, by reason."""
    why = ", ".join(f"{reason}: {n:,}" for reason, n in counts.items())
    return f"problems without a lesson of their own: {sum(counts.values()):,} of {total:,} ({why})"


@dataclass
class Held:
    """Solutions held against what was known without the teacher."""

    checks: Counter[str] = field(default_factory=Counter)
    disagreeing: list[str] = field(default_factory=list)

    def add(self, problem: Problem, check: Check) -> None:
        """Count one solution."""
        word = {True: "agrees", False: "disagrees", None: "undecided"}[check.agrees]
        self.checks[f"{check.against}_{word}"] += 1
        listed = self.disagreeing
        if check.agrees is False and len(listed) < MAX_LISTED and (not listed or listed[-1] != problem.id):
            listed.append(problem.id)


def lessons_of(
    out: Output,
    settings: TeachSettings,
    problem: Problem,
    solutions: Sequence[Solution],
    checks: Sequence[Check],
    teacher: Remembered,
    held: Held,
) -> Iterator[Lesson]:
    """Make lessons of those of one problem's solutions that stay, after what was found out about each; books the others."""
    fit: list[tuple[Solution, Check]] = []
    for solution, check in zip(solutions, checks, strict=True):
        if check.against is not None:
            held.add(problem, check)
        if reason := _too_long(settings, problem, solution) or (check.reason if check.drop else None):
            detail = f"teacher {solution.final_answer}, known {problem.answer}" if check.drop else ""
            out.reject(Rejected(item=problem.id, reason=reason, detail=detail, text=solution.text), owed=True)
        else:
            fit.append((solution, check))
    best = next((i for i, (_, check) in enumerate(fit) if check.verified != "unverified"), 0)
    written: set[str] = set()
    for i, (solution, check) in enumerate(fit):
        if settings.keep == "first" and i != best:
            out.reject(Rejected(item=problem.id, reason=KEPT_ANOTHER, text=solution.text), owed=True)
            continue
        lesson = Lesson.make(
            answered(problem, [solution]),
            solution.text,
            solution.final_answer,
            teacher.fingerprint,
            verified=check.verified,
            draw=solution.draw,
        )
        if lesson.id in written:
            again = Rejected(item=problem.id, reason=SAME_SOLUTION, text=solution.text, repeats=lesson.id)
            out.reject(again, owed=True)
            continue
        written.add(lesson.id)
        yield lesson


def warnings_of(out: Output, settings: TeachSettings, held: Mapping[str, int]) -> Iterator[str]:
    """Say what makes the lessons doubtful as a whole, with the setting that helps. `held`: as in `TeachFacts.checks`."""
    wrong = held.get("gold_disagrees", 0)
    known = wrong + held.get("gold_agrees", 0)
    if known >= FEW and 2 * wrong > known:
        drops = settings.verify.gold == "drop"
        helps = "they are left out; another teacher helps" if drops else "`teach.verify.gold=drop` leaves them out"
        yield f"{wrong:,} of {known:,} solutions do not reach the answer known with the problem: {helps}"
    passed_on = Counter({reason: out.balance.rejected[reason] for reason in (GOES_UP, SAME_SOLUTION, KEPT_ANOTHER)})
    reasons = out.balance.rejected + out.failed_calls - passed_on
    n = out.balance.results + out.balance.failed - passed_on.total()
    if n >= FEW and reasons.total() > settings.most_rejected * n:
        ((reason, most),) = reasons.most_common(1)
        yield (
            f"{reasons.total():,} of {n:,} solutions go no further, {most:,} as `{reason}`: see some in the report, then "
            f"`teach.prompt`, `teach.max_new_tokens`, or `teach.tries` with `teach.temperature` above 0"
        )


def _too_long(settings: TeachSettings, problem: Problem, solution: Solution) -> str | None:
    limit = settings.max_answer_chars
    long = limit is not None and len(solution.text) > limit and problem.origin in settings.max_answer_chars_origins
    return "answer_too_long" if long else None


def choice(problems: Callable[[], Iterable[Problem]], limit: int | None, seed: int) -> Callable[[Problem], bool]:
    """Return the test for "is taught": the `limit` problems whose hashed ids come first. 8 bytes a problem in memory."""
    if limit is None:
        return lambda _: True
    ranks = np.fromiter((_rank(p, seed) for p in problems()), dtype=np.uint64)
    if limit >= len(ranks):
        return lambda _: True
    if limit == 0:
        return lambda _: False
    last = int(np.partition(ranks, limit - 1)[limit - 1])
    return lambda problem: _rank(problem, seed) <= last


def _rank(problem: Problem, seed: int) -> int:
    name = f"taught {problem.id}" if seed == 0 else f"taught {seed} {problem.id}"
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
