"""Stage `teach` by a ladder of teachers: the cheapest solves, verification decides, what it does not accept goes up.

In: collected problems, teachers from the cheapest to the dearest. Out: as `teach` writes it. A rung's solution stays where it is
verified: by gold, by a hidden number, or by agreement among the solutions of this rung and those below. A problem without such a
solution goes to the next rung. The last rung keeps and drops by the rules of a teacher alone. A call that never came through goes
nowhere: the next run asks it again.

Deviation: the paper has one teacher, GPT-4-Turbo, for everything.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from orcamath.agents import solver as solvers
from orcamath.agents.driver import came_through, fill, fold_replies
from orcamath.agents.solver import Assignment, Solution, answered
from orcamath.records import Lesson, Problem, Rejected
from orcamath.stages.teach import GOES_UP, Held, RungFacts, TeachFacts, TeachSettings, choice, lessons_of, warnings_of
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage
from orcamath.store.tables import read_table, write_table
from orcamath.verify import Check, verify

__all__ = ["teach_by_ladder"]


@stage("teach", version=6, settings=TeachSettings, facts=TeachFacts)
def teach_by_ladder(
    out: Output, settings: TeachSettings, problems: Artifact, teachers: Sequence[Remembered]
) -> TeachFacts:
    """Write the lessons, and the problems that were left for practice. `teachers`: the cheapest first."""
    chosen = choice(lambda: problems.read(Problem), settings.max_problems, settings.seed)
    held, said = Held(), list[RungFacts]()
    paths, left, n_left = list[Path](), None, sum(1 for p in problems.read(Problem) if chosen(p))
    for n, teacher in enumerate(teachers, start=1):
        rung = _Rung(out, settings, teacher, n, held, last=n == len(teachers), below=left)
        paths.append(out.scratch / f"rung-{n}.parquet")

        def put(below: dict[str, tuple[str, ...]] | None = left) -> Iterator[Problem]:
            return (p for p in problems.read(Problem) if chosen(p) and (below is None or p.id in below))

        write_table(paths[-1], "lessons", rung.lessons(put, n_left))
        said.append(rung.facts(n_left))
        left, n_left = rung.above, len(rung.above)
    n_verified = Counter[str]()

    def lessons() -> Iterator[Lesson]:
        for lesson in _merged((p for p in problems.read(Problem) if chosen(p)), paths):
            n_verified[lesson.verified] += 1
            yield lesson

    out.write("lessons", lessons())
    out.write("problems", (p for p in problems.read(Problem) if not chosen(p)))
    warnings = tuple(warnings_of(out, settings, held.checks))
    return TeachFacts(
        verified=dict(sorted(n_verified.items())),
        checks=dict(sorted(held.checks.items())),
        disagreeing=tuple(held.disagreeing),
        rungs=tuple(said),
        **({"warnings": warnings} if warnings else {}),
    )


@dataclass
class _Rung:
    """One teacher at work."""

    out: Output
    settings: TeachSettings
    teacher: Remembered
    number: int
    held: Held
    last: bool
    below: dict[str, tuple[str, ...]] | None
    """Problems that came up → the answers that lower rungs gave; None on the first."""
    above: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Problems that go up → all answers so far."""
    n: Counter[str] = field(default_factory=Counter)

    def lessons(self, problems: Callable[[], Iterator[Problem]], total: int) -> Iterator[Lesson]:
        """Ask for all of `problems()`, then yield the lessons that stay on this rung, in order."""
        solver, settings = solvers.make(self.settings), self.settings
        solver.name = "teacher" if self.last else f"teacher_{self.number}"

        def posed(problem: Problem) -> list[Assignment]:
            return [Assignment(problem, i, settings.solutions) for i in range(settings.solutions)]

        fill(
            solver,
            lambda: (item for p in problems() for item in posed(p)),
            self.teacher,
            self.out.progress,
            tries=settings.tries,
            total=total * settings.solutions,
        )
        for problem in problems():
            items = posed(problem)
            if all(came_through(solver, item, self.teacher, tries=settings.tries) for item in items):
                folded = fold_replies(solver, partial(iter, items), self.teacher, self.out, tries=settings.tries)
                yield from self._kept(problem, [solution for _, solution in folded])
        self.n.update(self.out.agents.get(solver.name, {}))

    def facts(self, n_problems: int) -> RungFacts:
        """Return what the rung came to."""
        return RungFacts(
            model=self.teacher.fingerprint,
            problems=n_problems,
            calls=self.n["asked"],
            prompt_tokens=self.n["prompt_tokens"],
            completion_tokens=self.n["completion_tokens"],
            lessons=self.n["lessons"],
            verified=self.n["verified"],
        )

    def _kept(self, problem: Problem, solutions: Sequence[Solution]) -> Iterator[Lesson]:
        """Yield a problem's lessons, or send it up."""
        earlier = (self.below or {}).get(problem.id, ())
        checks = _checked(problem, earlier, solutions, self.settings, self.number)
        confirmed = [check.verified != "unverified" for check in checks]
        if not self.last and not any(confirmed):
            self.above[problem.id] = (*earlier, *(s.final_answer for s in solutions))
            for solution in solutions:
                self.out.reject(Rejected(item=problem.id, reason=GOES_UP, text=solution.text), owed=True)
            return
        # beside a confirmed solution nobody is asked again about the others
        checks = [c if self.last or ok else c._replace(drop=True) for c, ok in zip(checks, confirmed, strict=True)]
        made = lessons_of(self.out, self.settings, problem, solutions, checks, self.teacher, self.held)
        for lesson in made:
            self.out.keep(owed=True)
            self.n["lessons"] += 1
            self.n["verified"] += lesson.verified != "unverified"
            yield lesson


def _checked(
    problem: Problem, earlier: Sequence[str], solutions: Sequence[Solution], settings: TeachSettings, rungs: int
) -> list[Check]:
    """Check a rung's solutions: against a known answer by themselves, among each other with those of the rungs below.

    `rungs`: how many were asked, this one included.
    """
    own, problem = [s.final_answer for s in solutions], answered(problem, solutions)
    checks = verify(problem, own, settings.verify, settings.solutions)
    if not earlier or any(check.against in ("gold", "hidden_number") for check in checks):
        return checks
    return verify(problem, [*earlier, *own], settings.verify, rungs * settings.solutions)[len(earlier) :]


def _merged(problems: Iterator[Problem], paths: Sequence[Path]) -> Iterator[Lesson]:
    """Yield all rungs' lessons in the problems' order; each rung's are in it already."""
    rungs = [read_table(path, Lesson) for path in paths]
    heads = [next(rung, None) for rung in rungs]
    for problem in problems:
        for i, rung in enumerate(rungs):
            while (lesson := heads[i]) is not None and lesson.problem_id == problem.id:
                yield lesson
                heads[i] = next(rung, None)
