"""A formula as steps that can be read: `X=((32.0+42.0)-35.0)` is 32 + 42 = 74, then 74 - 35 = 39.

In → the equation that came with a seed (MAWPS, SVAMP, ASDiv write one each); out → its steps in the order in which they are
worked, or None where it is something else: an unknown inside, a remainder, a function, a value that has no short spelling.
"""

from fractions import Fraction
from typing import NamedTuple

from orcamath.answers.equations import Operation, Unworkable, walked
from orcamath.answers.expressions import parse_expression, value_of

__all__ = ["StepParts", "spelled", "steps"]

MAX_PLACES = 4


class StepParts(NamedTuple):
    """One operation on two numbers, as text."""

    left: str
    sign: str
    right: str
    value: str

    def __str__(self) -> str:
        """Write the step as an equation."""
        return f"{self.left} {self.sign} {self.right} = {self.value}"


def steps(formula: str) -> list[StepParts] | None:
    """Return the steps of a formula, of its parts in order where `;` separates several; None where it has none.

    Of an equation one side must be a lone letter or the value of the other.
    """
    found: list[StepParts] = []
    try:
        for part in formula.split(";"):
            found += _of_part(part)
    except Unworkable:
        return None
    return found or None


def spelled(value: Fraction, max_places: int = MAX_PLACES) -> str | None:
    """Return the shortest decimal spelling of a number, None where it needs more than `max_places` digits behind the point."""
    scaled = value * 10**max_places
    if scaled.denominator != 1:
        return None
    if value.denominator == 1:
        return str(value.numerator)
    whole, part = divmod(abs(int(scaled)), 10**max_places)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{max_places}d}".rstrip("0")


def _of_part(part: str) -> list[StepParts]:
    sides = [parse_expression(side.strip()) for side in part.split("=")]
    if len(sides) > 2 or any(side is None for side in sides):
        raise Unworkable
    known = [side for side in sides if side is not None and not side.letters]
    named = [side for side in sides if side is not None and side.letters]
    if not known or any(side.node[0] != "letter" for side in named):
        raise Unworkable
    if len(known) == 2 and value_of(known[0]) != value_of(known[1]):
        raise Unworkable
    worked = max(known, key=lambda side: side.node[0] != "number")  # the first that is more than a number
    return [_spelled(o) for o in walked(worked.node, hundredths=True)[1]]


def _spelled(o: Operation) -> StepParts:
    left, right, value = spelled(o.left), spelled(o.right), spelled(o.value)
    if left is None or right is None or value is None:
        raise Unworkable
    return StepParts(left, o.sign, right, value)
