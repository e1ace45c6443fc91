"""Expressions, ordered pairs, intervals and unions: the same up to algebra and writing?"""

import re
from fractions import Fraction

from orcamath.answers.expressions import Expression, parse, same_expression, value_of
from orcamath.answers.latex import plain
from orcamath.answers.numbers import quantities
from orcamath.answers.readings import near
from orcamath.answers.wording import same_text

__all__ = ["NAME_IS", "PARTS", "UNREAD", "same_form", "without_units"]

NAME_IS = re.compile(r"^[ (]*(?:[A-Za-z]|[a-z]\([a-z]\)|[A-Za-z ]{2,30})[ ]*[=∈][ ]*(?=[^=]+$)")
"""The `x =` or `f(x) =` in front of an expression."""
UNREAD = re.compile(r"\\(?:begin|log|ln|sin|cos|tan|binom|sum|int|vec|pm)(?![a-z])|±|[0-9]_[{0-9]|[0-9.]\\overline")
"""Notation that `expressions` does not read: such answers are the same as written, or in doubt."""
_SPACING = re.compile(r"\\(?:left|right|,|;|!|:| )|[\s{}$]")
PARTS = re.compile(r",(?![0-9]{3}(?![0-9]))|;|∪|\band\b|\bor\b")
"""What stands between the parts of a list; a comma inside 1,319 does not."""
_UNIT = re.compile(
    r"(?<=[0-9)π])[ ]+(?:(?:square|cubic|per)[ ]+)?(?:[a-z]{3,14}|[ck]?m|in|ft|yd|mm)(?:[ ][a-z]{2,14}){0,2}"
    r"(?:[ ]?\^[ ]?\(?[23]\)?)?[ .]*$",
    re.IGNORECASE,
)
_OF_SET = re.compile(r"^\s*\\?\{(?=[^{}]*\}\s*$)|(?<=[0-9a-z])\s*\\?\}\s*$")


def without_units(text: str) -> str:
    """Return plain text without the words behind its last number: `10√2 inches` → `10√2`, `12 cm^2` → `12`."""
    return _UNIT.sub("", text)


def _bare(text: str) -> str:
    text = without_units(plain(_OF_SET.sub("", text)).replace("$", "").strip(" ."))
    return NAME_IS.sub("", text).strip()


def same_form(a: str, b: str) -> bool | None:
    """Compare expressions, ordered pairs, intervals, unions."""
    if UNREAD.search(a) or UNREAD.search(b):
        return _SPACING.sub("", a) == _SPACING.sub("", b) or None
    a, b = (_bare(text) for text in (a, b))
    if a.replace(" ", "") == b.replace(" ", ""):
        return True
    left, right = parse(a), parse(b)
    if left is not None and right is not None:
        said = same_expression(left, right)
        return _unless_rounded(left, right) if said is False else said
    if (pairs := _elementwise(a, b)) is not None:
        return pairs
    if left is None and right is None and not quantities(a) and not quantities(b):
        return same_text(a, b)
    return None


def _unless_rounded(a: Expression, b: Expression) -> bool | None:
    """False for different values; None where one may be the other, rounded: `14.14` for `10√2`."""
    left, right = value_of(a), value_of(b)
    if left is None or right is None:
        return False
    return None if near(left, right, abs(Fraction(right)) / 1000) else False


def _elementwise(a: str, b: str) -> bool | None:
    """Compare lists part by part: `(3, 5)` and `[2, 5)` in order and with their brackets, bare lists in any order."""
    left, right = [p.strip() for p in PARTS.split(a)], [p.strip() for p in PARTS.split(b)]
    if len(left) < 2 and len(right) < 2:
        return None
    if len(left) != len(right):
        return False
    if [p.strip("([{}])") == p for p in left] != [p.strip("([{}])") == p for p in right]:
        return None
    ordered = a[:1] in "([" and b[:1] in "(["
    if (
        ordered
        and [p[:1] + p[-1:] for p in left if p[:1] in "([" or p[-1:] in ")]"]
        and a[-1:] + a[:1] != b[-1:] + b[:1]
    ):
        return False
    cores = [[p.strip("([{}]) ") for p in side] for side in (left, right)]
    if not ordered:
        cores = [sorted(side, key=_order) for side in cores]
    said = [same_form(x, y) for x, y in zip(*cores, strict=True)]
    return None if None in said else all(said)


def _order(text: str) -> tuple[float, str]:
    expression = parse(text)
    value = value_of(expression) if expression is not None else None
    return (float(value) if value is not None else 0.0, text)
