"""Arms held against each other, not only against M1: every pair of last students on the same problems.

In: students. Out: for each benchmark a square of paired differences, row minus column (`rows.contrast`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from orcamath.report.rows import Contrast, Student, contrast

__all__ = ["Duels", "duels"]


class Duels(NamedTuple):
    """All pairs on one benchmark."""

    benchmark: str
    names: tuple[str, ...]
    cells: tuple[tuple[Contrast | None, ...], ...]
    """Row minus column; None on the diagonal and where two share no problem."""


def duels(students: Sequence[Student]) -> list[Duels]:
    """Compare the last students of all arms, seed by seed where there are several."""
    groups: dict[str, list[Student]] = {}
    for s in students:
        if s.iteration > 1:
            known = groups.setdefault(s.arm, [])
            if known and s.iteration > known[0].iteration:
                known.clear()
            if not known or s.iteration == known[0].iteration:
                known.append(s)
    found = []
    for benchmark in dict.fromkeys(b for group in groups.values() for s in group for b in s.answers):
        there = {arm: [s for s in g if benchmark in s.answers] for arm, g in groups.items()}
        names = [arm for arm, g in there.items() if g]
        cells = tuple(
            tuple(contrast(two, there[two], there[one], benchmark) if one != two else None for two in names)
            for one in names
        )
        if len(names) > 1:
            found.append(Duels(benchmark, tuple(f"{n or 'the recipe'} · {there[n][0].name}" for n in names), cells))
    return found
