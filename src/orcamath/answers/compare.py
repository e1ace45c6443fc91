"""Do two short answers say the same? True, False, or None where the rules cannot be sure.

Numbers are compared exactly, as fractions. Deviations in form that mean the same are allowed (`1,319` = `1319.0`, `60%` =
`60` = `0.6` where the other is a percentage, `2:00 pm` = `2` where a time is asked); units convert only where the question's
own unit, or the other answer's, says into what.
"""

import re
from collections import Counter
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from orcamath.answers.choose import choose
from orcamath.answers.latex import plain
from orcamath.answers.numbers import Quantity, exact, quantities
from orcamath.answers.units import Unit, asked, measure
from orcamath.records import AnswerKind

__all__ = ["Reading", "kind_of", "read", "same"]

_PLAIN = re.compile(r"-?[0-9][0-9,]{0,30}(?:\.[0-9]{1,30})?")
_ARTICLES = re.compile(r"\b(?:the|a|an|mr|mrs|ms|dr)\b\.?")
_NOT_WORD = re.compile(r"[^\w%°π√+\-/*^=<>]+")
_CHOICE = re.compile(r"(?:option|choice|answer)?[ ]*\(?([A-Ja-j])(?:[).:]|[ ]*$)|\(([A-Ja-j])\)", re.IGNORECASE)


class Reading(NamedTuple):
    """A short answer, read: its number, the unit behind it, and whether the reading leaves no doubt."""

    quantity: Quantity
    value: Fraction
    unit: Unit | None
    sure: bool


@lru_cache(maxsize=8192)
def read(text: str, question: str = "") -> Reading | None:
    """Read a short answer's number in the unit that follows it; compounds (`3 hours 20 minutes`) are added up."""
    text = plain(text)
    choice = choose(text, question)
    if choice is None:
        return None
    q = choice.quantity
    value, unit, _ = measure(text, q)
    return Reading(q, value, unit, choice.sure)


def kind_of(answer: str, options: tuple[str, ...] = ()) -> AnswerKind:
    """Guess the kind of a gold answer that comes without one."""
    text = plain(answer)
    if options:
        return "choice"
    if re.fullmatch(r"\(?[A-Ea-e]\)?\.?", text):
        return "choice"
    bare = text.strip("()[]{} ")
    parts = [p.strip() for p in re.split(r",\s+|;|\band\b", bare)]
    if len(parts) > 1 and all(exact(p.strip("$ ")) is not None for p in parts):
        return "set"
    if quantities(text):
        return "number"
    return "text"


def same(kind: AnswerKind, a: str, b: str, question: str = "", options: tuple[str, ...] = ()) -> bool | None:
    """Compare answer `a` with the yardstick `b`; None where it cannot be decided by rules."""
    a, b = a.strip(), b.strip()
    if a == b:
        return bool(a) or None
    if kind == "number":
        if _PLAIN.fullmatch(a) and _PLAIN.fullmatch(b):
            left, right = exact(a), exact(b)
            if left is None or right is None:
                return None
            return left == right or _close(left, right, a, b)
        return _same_number(a, b, question)
    if kind == "set":
        return _same_set(a, b)
    if kind == "choice":
        return _same_choice(a, b, question, options)
    return _same_text(a, b)


def _same_number(a: str, b: str, question: str) -> bool | None:
    left, right = read(a, question), read(b)
    if left is None or right is None:
        if left is None and right is None:
            return _same_text(a, b)
        return None
    if _equal(left, right, question):
        return True
    raw = left.quantity.shown == right.quantity.shown
    if raw or any(q.value == right.value for q in quantities(plain(a))):
        return None
    return False if left.sure and right.sure else None


def _equal(left: Reading, right: Reading, question: str) -> bool:
    unit = right.unit or asked(question).unit
    value, goal = left.value, right.value
    if left.unit and unit and left.unit.dimension == unit.dimension and left.unit.size != unit.size:
        return value * left.unit.size / unit.size == goal
    if _close(value, goal, left.quantity.text, right.quantity.text):
        return True
    if left.quantity.form == "percent" or right.quantity.form == "percent":
        return left.quantity.shown == right.quantity.shown
    if "clock" in (left.quantity.form, right.quantity.form):
        return value % 12 == goal % 12 and (left.quantity.form != right.quantity.form)
    return False


def _close(value: Fraction, goal: Fraction, a: str, b: str) -> bool:
    """Equal, or equal up to the noise of a binary float printed with nine or more decimals."""
    if value == goal:
        return True
    return max(_decimals(a), _decimals(b)) >= 9 and abs(value - goal) <= abs(goal) * Fraction(1, 10**9)


def _decimals(text: str) -> int:
    _, _, behind = text.partition(".")
    return sum(c.isdigit() for c in behind)


def _same_set(a: str, b: str) -> bool | None:
    left = Counter(q.value for q in quantities(plain(a)))
    right = Counter(q.value for q in quantities(plain(b)))
    if left == right:
        return True if left else _same_text(a, b)
    if not left or not right:
        return None
    if right - left:
        return False if left.total() <= right.total() else None
    return None  # more numbers than the yardstick has, all of its own among them


def _same_choice(a: str, b: str, question: str, options: tuple[str, ...]) -> bool | None:
    left, right = _letter(a, options), _letter(b, options)
    if left and right:
        return left == right
    if left is None and right is None:
        return _same_text(a, b)
    return None


def _letter(text: str, options: tuple[str, ...]) -> str | None:
    """Return the letter an answer names, by itself or by the value of its option."""
    text = plain(text)
    match = _CHOICE.match(text)
    if match:
        return (match[1] or match[2]).upper()
    matching = [i for i, option in enumerate(options) if _same_option(text, option)]
    return chr(ord("A") + matching[0]) if len(matching) == 1 else None


def _same_option(text: str, option: str) -> bool:
    option = re.sub(r"^\(?[A-Ja-j] ?[).:]\s*", "", option)
    if _normal(text) == _normal(option):
        return True
    left, right = read(text), read(option)
    return left is not None and right is not None and left.sure and right.sure and _equal(left, right, "")


def _same_text(a: str, b: str) -> bool | None:
    left, right = _normal(plain(a)), _normal(plain(b))
    if left == right:
        return bool(left) or None
    if not left or not right:
        return None
    if f" {right} " in f" {left} " or f" {left} " in f" {right} ":
        return None
    return False


def _normal(text: str) -> str:
    return " ".join(_NOT_WORD.sub(" ", _ARTICLES.sub(" ", text.casefold())).split())
