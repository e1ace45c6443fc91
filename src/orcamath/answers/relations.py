"""Equations, inequalities and intervals: `2x + y = 1` says what `y = 1 - 2x` says, `x < 3` what `(-∞, 3)` says.

Two equations are the same when their differences `left - right` are proportional, or when points that lie on one lie on the
other. An inequality in one letter, solved where it is linear, is an interval with its ends; so is an interval in brackets.
"""

import re
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from orcamath.answers.expressions import Expression, Number, equal, parse_expression, points, value_at, value_of
from orcamath.answers.units import is_unit

__all__ = [
    "NumberRange",
    "Relation",
    "formula",
    "in_symbols",
    "interval",
    "names",
    "relation",
    "same_intervals",
    "same_relation",
    "solved_for",
]

_WORD = re.compile(
    r"(?<![A-Za-z])(?:(?!(?:sqrt|choose|log|exp|sin|cos|tan|and|infinity|inf)(?![A-Za-z]))[A-Za-z]{3,}"
    r"|is|be|so|of|in|at|it|we|if|an|as|by|do|he|my|no|on|up|us|am|pm|[ckm]m|kg|m[gl]|ft|lbs?|oz|hr|mi|yd|st|nd|rd|th|mn|bn"
    r"|[aAI](?= [a-z]))(?![A-Za-z])[:.,?!]?"
)
"""A word; other two letters, as in `6ab`, are a product."""
_LETTERED = re.compile(
    r"[0-9)]%?[A-Za-z]{1,2}(?![A-Za-z])|[-+*/^] ?[A-Za-z](?![A-Za-z])|(?<![A-Za-z'])[A-Za-z] ?[-+*/^]|[<>≤≥≠]"
    r"|(?:sqrt|√|log|ln)[^A-Za-z=]{0,6}[a-z]\b|\|[A-Za-z]|^[A-Za-z](?:_\{?[0-9]+\}?|\([0-9]+\))$"
    r"|(?<![A-Za-z'])[nxyzθ](?![A-Za-z'])(?! ?[$0-9(])"
)
"""A letter at a number or an operation, a letter that is an unknown, a sign that compares: only there is a formula."""

_SIGN = re.compile(r"<=|>=|!=|=<|=>|[<>=≤≥≠∈]")
_SPELLED = {"<=": "≤", "=<": "≤", ">=": "≥", "=>": "≥", "!=": "≠"}
_TURNED = {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}
FEW_WORDS = 8
"""Words around a formula that is an answer."""
_WHOLE = frozenset("nkm")
"""Letters that usually stand for whole numbers: `n > 6` may be meant as `n ≥ 7`."""
_UNKNOWN = frozenset("nxyzθ")
_INFINITE = frozenset({"∞", "infinity", "inf", "oo"})

End: TypeAlias = tuple[Number | None, bool]
"""Where an interval ends, and whether the end belongs to it; None for infinity."""


class Relation(NamedTuple):
    """Sides with the signs between them: `2 < x ≤ 7` has three sides."""

    sides: tuple[Expression, ...]
    signs: tuple[str, ...]

    @property
    def letters(self) -> frozenset[str]:
        """The letters of all sides."""
        return frozenset().union(*(side.letters for side in self.sides))


class NumberRange(NamedTuple):
    """All numbers between two ends."""

    low: End
    high: End


def relation(text: str) -> Relation | None:
    """Read sides that `=`, `<`, `≥`, … stand between; None where there is no such sign, or a side is no expression."""
    signs = [_SPELLED.get(sign, sign) for sign in _SIGN.findall(text[:400])]
    if not 1 <= len(signs) <= 2 or "∈" in signs:
        return None
    sides = [parse_expression(side.strip()) for side in _SIGN.split(text)]
    read = tuple(side for side in sides if side is not None)
    return Relation(read, tuple(signs)) if len(read) == len(sides) else None


def interval(text: str) -> NumberRange | None:
    """Read `[2, 5)` or `(-∞, 3]`; None for anything else."""
    text = text.strip()
    inside = text[1:-1].split(",")
    if len(inside) != 2 or text[0] not in "([" or text[-1] not in ")]":
        return None
    ends: list[End] = []
    for part, closed in zip(inside, (text[0] == "[", text[-1] == "]"), strict=True):
        expression = parse_expression(part.strip())
        value = value_of(expression) if expression is not None else None
        if value is None and part.strip(" +-").lower() not in _INFINITE:
            return None
        ends.append((value, closed and value is not None))
    return NumberRange(*ends)


def formula(text: str) -> str:
    """Return what is written in symbols: the last stretch between words that holds a digit or a sign."""
    if not _WORD.search(text):
        return text
    pieces = [p.strip(" .,:;") for p in _WORD.split(text)]
    return next((p for p in reversed(pieces) if any(c.isdigit() or c in "=<>≤≥≠∞" for c in p)), text)


def in_symbols(text: str, question: str = "") -> bool | None:
    """Tell whether a plain text answers in symbols (`12n`, `p - 2`, `x < 5`, `2x + y = 1`) where a number is asked.

    `x = 5` and `f(2) = 5` name a number; so does `a + b = 5` where the question speaks of `a + b`; `5 m` is a measure. None for
    an equation or inequality that words stand around (`thus x ≥ 94`): its number may be meant.
    """
    if not _LETTERED.search(text):
        return False
    bare = text.strip(" .$")
    if bare[-1] in _UNKNOWN and bare[:-1].endswith((" of ", " times ")):
        return True  # `6% of x`
    core = formula(bare).strip(" .$")
    if (said := relation(core)) is not None:
        if names(said, core, question):
            return False
        return True if core == bare and "≥" not in core and "≤" not in core else None
    if core[:1] in "abcdeABCDE" and core[1:3] == " -":
        return False  # `b - 12` is a choice and what it says
    read = parse_expression(core)
    if read is None and core == bare:
        return None if _holds_unknown(core) else False
    if read is None or not read.letters or any(a.isalpha() and b.isdigit() for a, b in pairwise(core)):
        return False
    if core[-1:] in "xX" and "times" in question:
        return False
    embedded = len(core) < len(bare)
    if embedded and (core[-1:] in "xXy" or not _LETTERED.search(core) or len(_WORD.findall(text)) > FEW_WORDS):
        return False  # `5x as many`, `vitamin C 12`, `12 y medio`
    name, value, letter = read.node
    if name == "*" and letter[0] == "^":
        letter = letter[1]  # `18 m^2`
    return not (name == "*" and value[0] == "number" and letter[0] == "letter" and is_unit(letter[1]))


def _holds_unknown(text: str) -> bool:
    """Tell whether a text without words, which is no formula that is read, has an unknown (`3 or x`) and no name for it."""
    name, _, value = text.rpartition("=")
    if name and (known := parse_expression(value.strip())) is not None and not known.letters:
        name = name.strip()
        return not name.isalnum() and "_" not in name
    return any(c in _UNKNOWN for c in text)


def names(said: Relation, text: str, question: str = "") -> bool:
    """Tell whether an equation only says what something is called, or what a formula of the question comes to."""
    sides = [{letter for letter in side.letters if not is_unit(letter.lower())} for side in said.sides]
    if set(said.signs) != {"="}:
        return False
    if sides[-1]:  # `5 = b`
        return len(said.sides) == 2 and not sides[0] and said.sides[1].node[0] == "letter"
    left = text.partition("=")[0].replace(" ", "")
    word = left.isalpha() and len(left) != 2 and said.sides[0].node[0] in ("letter", "*")  # `sin x` is none
    plain_name = word or (left[:1].isalpha() and left[1:2] == "(" and left[-1:] == ")")
    worked_out = len(sides) > 2 and not sides[-2]  # `2V = 2 * 11 = 22`
    return not sides[0] or plain_name or worked_out or left in question.replace(" ", "")


def solved_for(said: Relation) -> NumberRange | None:
    """Return the numbers an inequality in one letter allows; None where it is not linear in one letter."""
    letters = said.letters
    if len(letters) != 1 or not set(said.signs) <= set(_TURNED) or _absolute(said):
        return None
    (letter,) = letters
    low: End = (None, False)
    high: End = (None, False)
    for (left, right), sign in zip(pairwise(said.sides), said.signs, strict=True):
        at = [_difference(left, right, {letter: Fraction(x)}) for x in (0, 1, 2)]
        zero, one, two = at
        if zero is None or one is None or two is None or not equal(two - one, one - zero) or equal(one, zero):
            return None
        slope = one - zero
        end: Number = -zero / slope
        turned = _TURNED[sign] if slope < 0 else sign
        if turned in "<≤":
            high = (end, turned == "≤")
        else:
            low = (end, turned == "≥")
    return NumberRange(low, high)


def same_relation(a: Relation, b: Relation) -> bool | None:
    """Compare two equations, or two inequalities; None where they cannot be worked out."""
    if (left := solved_for(a)) is not None and (right := solved_for(b)) is not None:
        said = same_intervals([left], [right])
        if said is False and a.letters == b.letters and a.letters <= _WHOLE and _whole(left) == _whole(right):
            return None
        return said and a.letters == b.letters
    absolute = _absolute(a) or _absolute(b)
    if len(a.signs) > 1 or len(b.signs) > 1:
        return None if absolute or a.signs == b.signs else False
    (one,), (two,) = a.signs, b.signs
    if "≠" in (one, two) and one != two:
        return False
    ratios = _ratios(a, b)
    if ratios is None:
        return None
    if all(equal(r, ratios[0]) for r in ratios) and ratios[0] != 0:
        turned = two if ratios[0] > 0 else _TURNED.get(two, two)
        return one == turned
    if absolute or not (one == two == "="):
        return None if absolute else False
    return _on_each_other(a, b)


def same_intervals(a: list[NumberRange], b: list[NumberRange]) -> bool:
    """Compare unions of intervals, in any order, ends and all."""

    def same(x: NumberRange, y: NumberRange) -> bool:
        return all(
            (p is None) == (q is None) and (p is None or q is None or (equal(p, q) and c == d))
            for (p, c), (q, d) in zip(x, y, strict=True)
        )

    return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)


def _whole(said: NumberRange) -> tuple[int | None, int | None]:
    """The smallest and the largest whole number inside."""
    (low, with_low), (high, with_high) = said
    first = None if low is None else -(int(-low // 1)) + (not with_low and low == int(low))
    last = None if high is None else int(high // 1) - (not with_high and high == int(high))
    return first, last


def _difference(left: Expression, right: Expression, point: dict[str, Number]) -> Number | None:
    a, b = value_at(left, point), value_at(right, point)
    return None if a is None or b is None else a - b


def _gap(said: Relation, point: dict[str, Number]) -> Number | None:
    return _difference(said.sides[0], said.sides[1], point)


def _ratios(a: Relation, b: Relation) -> list[Number] | None:
    """How the differences of the sides compare at several points; None where they cannot be worked out."""
    ratios: list[Number] = []
    for point in points(a.letters | b.letters):
        left, right = _gap(a, point), _gap(b, point)
        if left is None or right is None or right == 0:
            return None
        ratios.append(left / right)
    return ratios


def _on_each_other(a: Relation, b: Relation) -> bool | None:
    """Tell whether the points of `a` lie on `b`: at once where a letter can be solved for; None where none can."""
    if a.letters != b.letters:
        return False
    for letter in sorted(a.letters):
        tried = [_on_it(a, b, letter, point) for point in points(a.letters)]
        if None not in tried:
            return all(tried)
    return False if all("/" not in _operations(s) for side in (a, b) for s in side.sides) else None


def _on_it(a: Relation, b: Relation, letter: str, point: dict[str, Number]) -> bool | None:
    at = [_gap(a, point | {letter: Fraction(x)}) for x in (0, 1, 2)]
    zero, one, two = at
    if zero is None or one is None or two is None or not equal(two - one, one - zero) or equal(one, zero):
        return None
    there = point | {letter: -zero / (one - zero)}
    left, right = value_at(b.sides[0], there), value_at(b.sides[1], there)
    return None if left is None or right is None else equal(left, right)


def _absolute(said: Relation) -> bool:
    """Tell whether it holds an absolute value, which is linear on either side of zero only."""
    return any("abs" in _operations(side) for side in said.sides)


def _operations(expression: Expression) -> set[str]:
    found: set[str] = set()
    stack = [expression.node]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            found.add(node[0])
            stack += [part for part in node[1:] if isinstance(part, tuple)]
    return found
