"""A short answer read as a number, with its unit: `$18`, `3 hours 20 minutes`, `2^10`, `x = 4`."""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from orcamath.answers.choose import choose
from orcamath.answers.expressions import parse_expression, value_of
from orcamath.answers.latex import plain
from orcamath.answers.numbers import quantities
from orcamath.answers.quantity import Quantity
from orcamath.answers.units import Unit, measure

__all__ = ["Reading", "calculation", "decimals", "near", "reading_of"]

_CALCULATION = re.compile(
    r"[0-9)πa-z][ ]?[-+*/^][ ]?[-(0-9πs]|sqrt|√|π|[0-9)]!|choose|\b(?:ln|log)\b|(?<![A-Za-z])e\b|\|[-(0-9]"
)
_RANGE = re.compile(r"([0-9]{1,12})[ ]?[-–][ ]?([0-9]{1,12})|[0-9]{1,12}(-)[0-9]/[0-9]{1,2}")
_TIMES = re.compile(r"(?<=[0-9)])[ ]?[xX][ ]?(?=[0-9(])")


class Reading(NamedTuple):
    """A short answer, read as a number."""

    quantity: Quantity | None
    """As written; None for the value of an expression."""
    value: Fraction | float
    """In terms of `unit`, smaller parts added in."""
    unit: Unit | None
    sure: bool
    compound: bool = False
    decimals: int = 0
    """The most decimals that a number of it shows."""

    @property
    def shown(self) -> Fraction | float:
        """The number on the page: 60 for `60%`, 3 for `3 hours`."""
        return self.quantity.shown if self.quantity else self.value


@lru_cache(maxsize=8192)
def reading_of(text: str, question: str = "") -> Reading | None:
    """Read a short answer's number with its unit; compounds (`3 hours 20 minutes`) are added up."""
    text = plain(text)
    if (value := _calculated(text)) is not None:
        return Reading(None, value, None, True, decimals=max((decimals(q.text) for q in quantities(text)), default=0))
    choice = choose(text, question)
    if choice is None:
        return None
    value, unit, end = measure(text, choice.quantity)
    inside = quantities(text[choice.quantity.end : end]) if unit else []
    return Reading(choice.quantity, value, unit, choice.sure, bool(inside), decimals(choice.quantity.text))


def decimals(text: str) -> int:
    """Count the digits behind the point."""
    return sum(c.isdigit() for c in text.partition(".")[2]) if "." in text else 0


def calculation(text: str) -> str | None:
    """Return `3 + 4`, `2^10` or `3√2` where a text, or what follows its last `=`, is one; None for numbers and words."""
    left, _, right = text.rpartition("=")
    if len(right.strip(" $.")) == 1 and right.strip(" $.").isalpha():
        right = left.rpartition("=")[2]  # `1 * 12 = x`
    core = _TIMES.sub("*", right.strip(" $.")[:100])
    if len(core) > 80 or not _CALCULATION.search(core):
        return None
    if (ends := _RANGE.fullmatch(core)) and (ends[3] or int(ends[1]) < int(ends[2])):
        return None  # `18-20` means from 18 to 20, `2-1/2` two and a half
    if core[-2:] == " e" or "(e)" in core.replace(" ", "") or not any(c.isdigit() or c == "π" for c in core):
        return None  # `answer: e` and `x = -1 e` name a choice
    expression = parse_expression(core)
    return core if expression is not None and value_of(expression) is not None else None


def _calculated(text: str) -> Fraction | float | None:
    core = calculation(text)
    expression = parse_expression(core) if core else None
    return value_of(expression) if expression is not None else None


def near(a: Fraction | float, b: Fraction | float, within: Fraction) -> bool:
    """Tell whether two numbers are at most `within` apart, exactly."""
    return abs(Fraction(a) - Fraction(b)) <= within
