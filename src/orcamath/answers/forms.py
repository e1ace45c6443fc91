"""Expressions, ordered pairs, intervals and unions: the same up to algebra and writing?"""

import re
from fractions import Fraction

from orcamath.answers.expressions import Expression, parse, same_expression, value_of
from orcamath.answers.latex import plain
from orcamath.answers.numbers import quantities
from orcamath.answers.readings import near
from orcamath.answers.wording import same_text

__all__ = ["NAME_IS", "PARTS", "same_form"]

NAME_IS = re.compile(r"^[ (]*(?:[A-Za-z]|[a-z]\([a-z]\)|[A-Za-z ]{2,30})[ ]*=[ ]*(?=[^=]+$)")
"""The `x =` or `f(x) =` in front of an expression."""
PARTS = re.compile(r",(?![0-9]{3}(?![0-9]))|;|∪|\band\b|\bor\b")
"""What stands between the parts of a list; a comma inside 1,319 does not."""
_OF_SET = re.compile(r"^\s*\\?\{(?=[^{}]*\}\s*$)|(?<=[0-9a-z])\s*\\?\}\s*$")


def same_form(a: str, b: str) -> bool | None:
    """Compare expressions, ordered pairs, intervals, unions."""
    a, b = (NAME_IS.sub("", plain(_OF_SET.sub("", text)).replace("$", "").strip(" .")) for text in (a, b))
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
