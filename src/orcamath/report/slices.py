"""Where students are right: by how many steps a problem takes, by operation, by length, by source.

In: students with their greedy answers, and the problems they answered. Out: tables of shares with their intervals. What a
problem takes is read from its own solution (`worked`); a problem that does not tell is in no such part.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orcamath.answers.steps import steps
from orcamath.intervals import Interval, share
from orcamath.records import Problem, Scored
from orcamath.report.rows import Student
from orcamath.worked import n_steps

__all__ = ["Slices", "last_students", "slices"]

MIN_PROBLEMS = 10
"""Of a part that is shown."""
MANY_STEPS = 5
LENGTHS = (20, 35, 50)
_SIGNS = {
    "+": "addition",
    "-": "subtraction",
    "−": "subtraction",
    "*": "multiplication",
    "×": "multiplication",
    "/": "division",
    "÷": "division",
}
_SIGN = re.compile(r"(?<=[\d)])\s*([-+*/×÷−])\s*(?=[\d(])")


class Slices(NamedTuple):
    """One table: students by the parts of one benchmark, or of all."""

    benchmark: str
    by: str
    parts: tuple[tuple[str, int], ...]
    """(what, problems in it)."""
    rows: tuple[tuple[str, tuple[Interval, ...]], ...]
    """(student, its share in each part)."""


def slices(students: Sequence[Student], problems: Iterable[Problem]) -> list[Slices]:
    """Cut the greedy answers of the base, of M1 and of each arm's last student; a cut with fewer than two parts is left out."""
    shown = last_students(students)
    by_id = {p.id: p for p in problems}
    found = [_by_source(shown)]
    for benchmark in dict.fromkeys(b for _, s in shown for b in s.answers):
        asked = [by_id[i] for _, s in shown[:1] for i in s.answers.get(benchmark, {}) if i in by_id]
        found += [_cut(benchmark, name, cut, asked, shown) for name, cut in CUTS.items()]
    return [s for s in found if len(s.parts) > 1]


def last_students(students: Sequence[Student]) -> list[tuple[str, Student]]:
    """Return the bases, M1, and each arm's last student, with their names, of the first seed each."""
    last: dict[str, Student] = {}
    for s in students:
        if s.iteration <= 1 and not s.arm:
            last.setdefault(s.name, s)
        elif s.iteration > 1:
            known = last.get(s.arm)
            if known is None or (s.seed == known.seed and s.iteration > known.iteration):
                last[s.arm] = s
    return [(name if s.iteration <= 1 else f"{name or 'the recipe'} · {s.name}", s) for name, s in last.items()]


def _steps(problem: Problem) -> Iterator[str]:
    n = n_steps(problem)
    if n:
        yield f"{n} step{'s' if n > 1 else ''}" if n < MANY_STEPS else f"{MANY_STEPS} steps and more"


def _operations(problem: Problem) -> Iterator[str]:
    if problem.solution is None:
        return
    worked = steps(problem.solution)
    signs = [s.sign for s in worked] if worked is not None else _SIGN.findall(problem.solution)
    yield from sorted({_SIGNS[sign] for sign in signs if sign in _SIGNS})


def _length(problem: Problem) -> Iterator[str]:
    n, low = len(problem.question.split()), 0
    for high in LENGTHS:
        if n <= high:
            yield f"{low + 1} to {high} words"
            return
        low = high
    yield f"over {LENGTHS[-1]} words"


CUTS: dict[str, Callable[[Problem], Iterator[str]]] = {"steps": _steps, "operation": _operations, "length": _length}


def _cut(
    benchmark: str,
    name: str,
    cut: Callable[[Problem], Iterator[str]],
    asked: Sequence[Problem],
    shown: Sequence[tuple[str, Student]],
) -> Slices:
    parts: dict[str, list[str]] = {}
    for problem in asked:
        for part in cut(problem):
            parts.setdefault(part, []).append(problem.id)
    kept = {part: ids for part, ids in sorted(parts.items(), key=lambda x: _natural(x[0])) if len(ids) >= MIN_PROBLEMS}
    rows = [(label, tuple(_share(s.answers.get(benchmark, {}), ids) for ids in kept.values())) for label, s in shown]
    return Slices(benchmark, name, tuple((part, len(ids)) for part, ids in kept.items()), tuple(rows))


def _by_source(shown: Sequence[tuple[str, Student]]) -> Slices:
    sizes = {b: len(a) for _, s in shown for b, a in s.answers.items()}
    rows = [(label, tuple(_share(s.answers.get(b, {}), s.answers.get(b, {})) for b in sizes)) for label, s in shown]
    return Slices("", "source", tuple(sizes.items()), tuple(rows))


def _share(answers: Mapping[str, Scored], ids: Iterable[str]) -> Interval:
    given = [answers[i] for i in ids if i in answers]
    return share([a.outcome == "agrees" for a in given], [a.family for a in given])


def _natural(part: str) -> tuple[bool, int, str]:
    """Order `2 steps` before `10 steps`, and `over …` last."""
    first = re.search(r"\d+", part)
    return part.startswith("over"), int(first[0]) if first else 0, part
