"""Worked solutions, in several styles: the same operations, told differently, always ending in `#### answer`.

A student that practises has then something to choose from: its right samples need not be the teacher's own text.
"""

from collections.abc import Sequence

from orcamath.classroom.solving import StoryOperation, StorySolution

__all__ = ["STYLES", "without_working", "written"]

STYLES = 4
_VERBS = {"+": "Add", "-": "Subtract", "*": "Multiply", "/": "Divide"}


def written(solution: StorySolution, style: int) -> str:
    """Write a solution in one of `STYLES` styles."""
    sums = [f"{o.left} {o.sign} {o.right} = {o.result}" for o in solution.operations]
    body = (_lines, _narrated, _commanded, _chained)[style % STYLES](sums, solution.operations)
    return f"{body}\n#### {solution.answer}"


def without_working(solution: StorySolution) -> str:
    """Write the answer alone, as a terse teacher does who knows it."""
    return f"#### {solution.answer}"


def _lines(sums: Sequence[str], _: Sequence[StoryOperation]) -> str:
    return "\n".join(f"Now {s}" for s in sums)  # no line begins with a bare digit, which would be another token


def _narrated(sums: Sequence[str], _: Sequence[StoryOperation]) -> str:
    told = [f"First {sums[0]}.", *(f"Then {s}." for s in sums[1:])]
    return " ".join(told)


def _commanded(sums: Sequence[str], operations: Sequence[StoryOperation]) -> str:
    return " ".join(f"{_VERBS[o.sign]}: {s}." for s, o in zip(sums, operations, strict=True))


def _chained(sums: Sequence[str], operations: Sequence[StoryOperation]) -> str:
    return "We get " + ", so ".join(sums) + f". The answer is {operations[-1].result}."
