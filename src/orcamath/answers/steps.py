"""A formula as steps that can be read: `X=((32.0+42.0)-35.0)` is 32 + 42 = 74, then 74 - 35 = 39.

In → the equation that came with a seed (MAWPS, SVAMP, ASDiv write one each); out → its steps in the order in which they are
worked, or None where it is something else: an unknown inside, a remainder, a function, a value that has no short spelling.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from orcamath.answers.expressions import Node, parse_expression, value_of

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


class _NoSteps(Exception):
    """The formula cannot be worked step by step; stays inside this module."""


def steps(formula: str) -> list[StepParts] | None:
    """Return the steps of a formula, of its parts in order where `;` separates several; None where it has none.

    Of an equation one side must be a lone letter or the value of the other.
    """
    found: list[StepParts] = []
    try:
        for part in formula.split(";"):
            found += _of_part(part)
    except _NoSteps:
        return None
    return found or None


def spelled(value: Fraction) -> str | None:
    """Return the shortest decimal spelling of a number, None where it needs more than `MAX_PLACES` places."""
    scaled = value * 10**MAX_PLACES
    if scaled.denominator != 1:
        return None
    if value.denominator == 1:
        return str(value.numerator)
    whole, part = divmod(abs(int(scaled)), 10**MAX_PLACES)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{MAX_PLACES}d}".rstrip("0")


def _of_part(part: str) -> list[StepParts]:
    sides = [parse_expression(side.strip()) for side in part.split("=")]
    if len(sides) > 2 or any(side is None for side in sides):
        raise _NoSteps
    known = [side for side in sides if side is not None and not side.letters]
    named = [side for side in sides if side is not None and side.letters]
    if not known or any(side.node[0] != "letter" for side in named):
        raise _NoSteps
    if len(known) == 2 and value_of(known[0]) != value_of(known[1]):
        raise _NoSteps
    worked = max(known, key=lambda side: side.node[0] != "number")  # the first that is more than a number
    return list(_walk(worked.node)[1])


def _walk(node: Node) -> tuple[Fraction, list[StepParts]]:
    """Return a node's value and the steps that lead to it, inner ones first."""
    name, left, right = node
    if name == "number" and isinstance(left, Fraction):
        return left, []
    if name not in ("+", "-", "*", "/"):
        raise _NoSteps
    (a, before), (b, after) = _walk(left), _walk(right)
    if name == "/" and b == 0:
        raise _NoSteps
    value = a + b if name == "+" else a - b if name == "-" else a * b if name == "*" else a / b
    texts = list(_spelled(a, b, value))
    return value, [*before, *after, StepParts(texts[0], name, texts[1], texts[2])]


def _spelled(*values: Fraction) -> Iterator[str]:
    for value in values:
        text = spelled(value)
        if text is None:
            raise _NoSteps
        yield text
