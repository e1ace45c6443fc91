"""Formulas, equations, ordered pairs, intervals, ratios of three: the same up to algebra and writing?"""

import re
from fractions import Fraction
from typing import NamedTuple

from orcamath.answers.expressions import Expression, parse_expression, same_expression, value_of
from orcamath.answers.latex import plain
from orcamath.answers.numbers import exact, quantities
from orcamath.answers.readings import near
from orcamath.answers.relations import (
    NumberRange,
    Relation,
    formula,
    interval,
    relation,
    same_intervals,
    same_relation,
    solved_for,
)
from orcamath.answers.wording import same_text

__all__ = ["NAME_IS", "SHOWN", "UNREAD", "parts", "ratio", "same_form", "without_units"]

NAME_IS = re.compile(r"^[ (]*(?:[A-Za-z]|[a-z]\([a-z]\)|[A-Za-z ]{2,30})[ ]*[=∈][ ]*(?=[^=]+$)")
"""The `x =` or `f(x) =` in front of an expression."""
UNREAD = re.compile(r"\\(?:begin|sum|int|vec|pm|overline)(?![a-z])|±|[0-9]_[{0-9]")
"""Notation that `expressions` does not read: such answers are the same as written, or in doubt."""
SHOWN = ("\\log", "\\ln", "\\sin", "\\cos", "\\tan", "\\binom")
"""Formulas with these are read, but shown as they are written."""
_SPACING = re.compile(r"\\(?:left|right|,|;|!|:| )|[\s{}$]")
_BETWEEN = re.compile(r"[(\[{]|[)\]}]|,|;|∪|\b(?:and|or)\b")
_UNIT = re.compile(
    r"(?<=[0-9)π])[ ]+(?:(?:square|cubic|per)[ ]+)?(?:[a-z]{3,14}|[ck]?m|in|ft|yd|mm)(?:[ ][a-z]{2,14}){0,2}"
    r"(?:[ ]?\^[ ]?\(?[23]\)?)?[ .]*$",
    re.IGNORECASE,
)


def without_units(text: str) -> str:
    """Return plain text without the words behind its last number: `10√2 inches` → `10√2`, `12 cm^2` → `12`."""
    return _UNIT.sub("", text)


def parts(text: str) -> list[str]:
    """Split a list at its commas, semicolons, `and`, `or`; not inside brackets, and not inside 1,319."""
    found, depth, start = [], 0, 0
    for match in _BETWEEN.finditer(text):
        piece = match[0]
        if piece in "([{":
            depth += 1
        elif piece in ")]}":
            depth -= 1
        elif depth <= 0 and not _groups(text, match):
            found.append(text[start : match.start()].strip())
            start = match.end()
    return [part for part in [*found, text[start:].strip()] if part]


def _groups(text: str, match: re.Match[str]) -> bool:
    """Tell the comma of `1,319` from that of `1, 319` and `(1,2)`."""
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 4]
    return (
        match[0] == "," and before.isdigit() and after[:3].isdigit() and len(after[:3]) == 3 and not after[3:].isdigit()
    )


def ratio(text: str) -> tuple[Fraction, ...] | None:
    """Read `4:3:2`, `4 to 3 to 2`; None where it has fewer than three parts."""
    values = [exact(part.strip()) for part in _colons(text).split(":")]
    read = tuple(v for v in values if v is not None)
    return read if len(read) == len(values) > 2 else None


def _colons(text: str) -> str:
    for word in (" is to ", " to ", "-to-"):
        text = text.replace(word, ":")
    return text


def same_form(a: str, b: str) -> bool | None:
    """Compare formulas, equations, inequalities, ordered pairs, intervals, unions, ratios of three."""
    if UNREAD.search(a) or UNREAD.search(b):
        return _SPACING.sub("", a) == _SPACING.sub("", b) or None
    left, right = _bare(a), _bare(b)
    said = _same(left, right)
    if said is False and (relation(left) is None) != (relation(right) is None) and len(left) + 8 < len(a.strip()):
        return None  # `x is greater than 5` says a relation in words
    return said


def _bare(text: str) -> str:
    text = text.strip(" .$")
    if text.startswith(("{", "\\{")) and text.endswith("}"):
        text = text.lstrip("\\{").rstrip("\\}")
    text = without_units(plain(text).replace("$", "").strip(" ."))
    return formula(text.partition("∈")[2] or text).strip()


def _same(a: str, b: str) -> bool | None:
    if a.replace(" ", "") == b.replace(" ", ""):
        return True
    for compare in (_related, _in_ratio, _valued, _elementwise):
        decided, said = compare(a, b)
        if decided:
            return said
    if parse_expression(a) is None and parse_expression(b) is None and not quantities(a) and not quantities(b):
        return same_text(a, b)
    return None


Said = tuple[bool, bool | None]
"""Whether a way of comparing applies, and what it says."""
_ELSE: Said = (False, None)


def _related(a: str, b: str) -> Said:
    """Compare where a side is an equation or inequality."""
    left, right = relation(a), relation(b)
    if (spans := _spans(a, left)) is not None and (others := _spans(b, right)) is not None and (left or right):
        return True, same_relation(left, right) if left and right else same_intervals(spans, others)
    named = [NAME_IS.sub("", text) if said and _names(said) else None for text, said in ((a, left), (b, right))]
    if left and right:
        if named[0] and named[1] and parse_expression(named[0]) and parse_expression(named[1]):  # `x = 4`, `y = 2x + 1`
            said = same_relation(left, right)
            return True, None if said is False and left.letters != right.letters else said
        return True, same_relation(left, right)
    if not left and not right:
        return _ELSE
    if (left and not named[0]) or (right and not named[1]):
        other = parse_expression(a if right else b)
        return True, False if other is not None else None
    return True, _same(named[0] or a, named[1] or b)


def _names(said: Relation) -> bool:
    """Whether it only gives its right side a name."""
    return said.signs == ("=",) and len(said.sides) == 2 and said.sides[0].node[0] in ("letter", "*")


def _spans(text: str, said: Relation | None) -> list[NumberRange] | None:
    """Read an inequality, or a union of intervals in brackets."""
    if said is not None:
        span = solved_for(said)
        return None if span is None else [span]
    pieces = [interval(part) or _alone(part) for part in parts(text)]
    found = [piece for piece in pieces if piece is not None]
    return found if found and len(found) == len(pieces) else None


def _alone(text: str) -> NumberRange | None:
    said = relation(text)
    return solved_for(said) if said is not None else None


def _in_ratio(a: str, b: str) -> Said:
    left, right = ratio(a), ratio(b)
    if left is None or right is None:
        return _ELSE
    if len(left) != len(right):
        return True, False
    return True, all(x * right[0] == y * left[0] for x, y in zip(left, right, strict=True))


def _valued(a: str, b: str) -> Said:
    left, right = parse_expression(NAME_IS.sub("", a)), parse_expression(NAME_IS.sub("", b))
    if left is None or right is None:
        return _ELSE
    said = same_expression(left, right)
    return True, _unless_rounded(left, right) if said is False else said


def _unless_rounded(a: Expression, b: Expression) -> bool | None:
    """False for different values; None where one may be the other, rounded: `14.14` for `10√2`."""
    left, right = value_of(a), value_of(b)
    if left is None or right is None or (isinstance(left, Fraction) and isinstance(right, Fraction)):
        return False
    return None if near(left, right, abs(Fraction(right)) / 1000) else False


def _elementwise(a: str, b: str) -> Said:
    """Compare lists: what is in brackets in order and with its brackets, several of them or bare lists in any order."""
    left, right = (_items(text) for text in (a, b))
    if left.open == right.open == "" and len(left.items) == len(right.items) == 1:
        return _ELSE
    if len(left.items) != len(right.items):
        return True, False
    if left.open == right.open == "":
        return True, _any_order(left.items, right.items)
    said = [_same(x, y) for x, y in zip(left.items, right.items, strict=True)]
    in_order = None if None in said and False not in said else all(said)
    if left.open and right.open:
        same_ends = left[:2] == right[:2]
        return True, in_order and (same_ends or (None if len(left.items) > 2 else False))
    if in_order is False:  # `5, 3` for `(3, 5)` is a doubt, `5, 4` is none
        return True, None if _any_order(left.items, right.items) is not False else False
    return True, in_order


class _Items(NamedTuple):
    """The parts of a list, and the brackets they stand in: none for a bare list or a set."""

    open: str
    close: str
    items: list[str]


def _items(text: str) -> _Items:
    found = [_unnamed(part) for part in parts(text)]
    if len(found) == 1 and found[0][:1] in "([{" and found[0][-1:] in ")]}" and found[0]:
        inside = parts(found[0][1:-1])
        if len(inside) > 1:
            return _Items(found[0][0].strip("{"), found[0][-1].strip("}"), inside)
    return _Items("", "", found)


def _unnamed(text: str) -> str:
    """Return `(3, 5)` of `(x, y) = (3, 5)`, `4` of `n = 4`."""
    name, _, rest = text.rpartition("=")
    return rest.strip() if name.strip().isalpha() or name.lstrip()[:1] == "(" else text


def _any_order(left: list[str], right: list[str]) -> bool | None:
    """Match every part with another; None where a pair is in doubt and no way of matching does without it."""
    free, doubt = list(right), False
    for part in left:
        said = {other: _same(part, other) for other in free}
        hit = next((o for o, s in said.items() if s), None)
        if hit is None:
            if None not in said.values():
                return False
            doubt, hit = True, next(o for o, s in said.items() if s is None)
        free.remove(hit)
    return None if doubt else True
