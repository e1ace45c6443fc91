"""Units a word problem asks for, and exact conversions between units of one dimension.

A unit converts only where the question's own unit says into what (`same` in `compare`): `180 minutes` is `3` where the
question asks how many hours. Months and years do not convert to days; a ton is 2,000 pounds, a US gallon 231 cubic inches.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from orcamath.answers.number_words import AND_HALF, part_of
from orcamath.answers.numbers import Quantity, quantities
from orcamath.text.words import FUNCTION_WORDS

__all__ = ["PER", "Demand", "Unit", "asked", "is_unit", "measure", "named_units", "names_asked", "unit_after"]


class Unit(NamedTuple):
    """A unit's dimension and its size in the dimension's own base unit."""

    dimension: str
    size: Fraction


def _table() -> dict[str, Unit]:
    inch = Fraction(254, 10000)
    pound = Fraction(45359237, 100000)
    gallon = Fraction(3785411784, 1000000)
    rows: list[tuple[str, str, Fraction | int]] = [
        ("time", "second seconds sec secs s", 1),
        ("time", "minute minutes min mins", 60),
        ("time", "hour hours hr hrs h", 3600),
        ("time", "day days", 86400),
        ("time", "week weeks", 604800),
        ("months", "month months", 1),
        ("months", "year years yr yrs", 12),
        ("months", "decade decades", 120),
        ("months", "century centuries", 1200),
        ("length", "millimeter millimeters millimetre millimetres mm", Fraction(1, 1000)),
        ("length", "centimeter centimeters centimetre centimetres cm", Fraction(1, 100)),
        ("length", "meter meters metre metres m", 1),
        ("length", "kilometer kilometers kilometre kilometres km", 1000),
        ("length", "inch inches", inch),
        ("length", "foot feet ft", inch * 12),
        ("length", "yard yards yd yds", inch * 36),
        ("length", "mile miles mi", inch * 63360),
        ("mass", "milligram milligrams mg", Fraction(1, 1000)),
        ("mass", "gram grams g", 1),
        ("mass", "kilogram kilograms kg kgs", 1000),
        ("mass", "ounce ounces oz", pound / 16),
        ("mass", "pound pounds lb lbs", pound),
        ("mass", "ton tons", pound * 2000),
        ("volume", "milliliter milliliters millilitre millilitres ml", 1),
        ("volume", "liter liters litre litres l", 1000),
        ("volume", "cup cups", gallon / 16),
        ("volume", "pint pints", gallon / 8),
        ("volume", "quart quarts", gallon / 4),
        ("volume", "gallon gallons", gallon),
        ("money", "cent cents penny pennies ¢", Fraction(1, 100)),
        ("money", "dollar dollars buck bucks $", 1),
    ]
    return {word: Unit(dimension, Fraction(size)) for dimension, words, size in rows for word in words.split()}


_UNITS = _table()
_AFTER = re.compile(r"[ \-]{0,2}(?:more |extra |additional |full |whole )?([A-Za-z¢]{1,12})")


class Demand(NamedTuple):
    """What a question asks for, as far as its wording says."""

    unit: Unit | None
    nouns: frozenset[str]
    """Words of the thing counted: `emails` in `how many emails does he …`."""
    money: bool
    percent: bool
    time_of_day: bool
    share: bool
    """A fraction, probability or other part of one, which a percentage or `3 out of 8` may stand for."""
    ratio: bool
    """How two things compare: `3 to 2`."""
    per: bool
    """What falls to each of several."""


_STOP = FUNCTION_WORDS | {"all", "each", "get", "got", "left", "less", "more"}
_NOT_MEANT = frozenset({"a", "an", "the", "each", "per", "place", "second"})
"""`in hours` names a unit, `in hours per day` and `in second place` do not."""
_ASKS = ("how ", "what ", "when ", "find ", "which ", "who ")
_SHARES = ("fraction", "probability", "portion", "chance", "likel", "what share")
PER = frozenset(["each", "every", "per"])


@lru_cache(maxsize=4096)
def asked(question: str) -> Demand:
    """Read the last question of a problem: unit, counted nouns, money, percentage, time of day, share, ratio."""
    low = _last(question).lower()
    words = low.replace("?", " ").replace(",", " ").split()
    nouns: list[str] = []
    unit: Unit | None = None
    if words[:2] in (["how", "many"], ["how", "much"]):
        for word in words[2:6]:
            if word in _STOP:
                if nouns:
                    break
                continue
            nouns.append(word)
            if unit is None and word in _UNITS and len(word) > 1:
                unit = _UNITS[word]
    if named := _in_unit(words):
        unit = _UNITS[named]
        nouns.append(named)
    money = "$" in question and unit is None and ("much" in low or "cost" in low or "price" in low or "pay" in low)
    return Demand(
        unit,
        frozenset(nouns),
        money,
        percent="percent" in low or "%" in low,
        time_of_day="what time" in low or words[:1] == ["when"] or "time of day" in low,
        share=any(word in low for word in _SHARES),
        ratio="ratio" in low,
        per=not PER.isdisjoint(words),
    )


def _last(question: str) -> str:
    """Return what a question ends in asking."""
    tail = question[-600:]
    low = tail.lower()
    return tail[max((low.rfind(word) for word in _ASKS if word in low), default=0) :]


def names_asked(question: str) -> set[str]:
    """Return the capitalised words of the last question: who or what is asked about."""
    words = [w.strip(".,?!'\"") for w in _last(question).split()[1:]]
    return {w for w in words if w[:1].isupper() and len(w) > 1}


def _in_unit(words: list[str]) -> str:
    """Return the unit of `in hours` or `in terms of the hours`; nothing where more is said of it."""
    for i, word in enumerate(words[:-1] if "in" in words else ()):
        if word == "in":
            rest = [w.strip(".") for w in words[i + 1 : i + 6] if w not in ("terms", "of", "the")]
            follows = rest[1] if len(rest) > 1 else ""
            named = rest[0] if rest and len(rest[0]) > 1 and rest[0] in _UNITS and rest[0] != "second" else ""
            if named and follows not in _NOT_MEANT and not follows.isdigit():
                return named
    return ""


def unit_after(text: str, end: int) -> tuple[str, Unit | None, int]:
    """Return the word behind a number, the unit it names or None, and where it ends."""
    match = _AFTER.match(text, end)
    if match is None:
        return "", None, end
    word = match[1].lower()
    return word, _UNITS.get(word), match.end()


def named_units(text: str) -> set[Unit]:
    """Return every unit that a text names in a word of two letters or more, or by `$`."""
    letters = "".join(c if c.isascii() and c.isalpha() else " " for c in text.lower())
    words = {word for word in letters.split() if len(word) > 1}
    return {unit for word, unit in _UNITS.items() if word in words or (word == "$" and "$" in text)}


def is_unit(word: str) -> bool:
    """Tell whether a word, or a letter, is a unit's."""
    return word in _UNITS or word in ("k", "K", "M")


def measure(text: str, quantity: Quantity) -> tuple[Fraction, Unit | None, int]:
    """Return value, unit and end of a measure: `3 hours 20 minutes` is 10/3 hours, `5 dollars and 30 cents` 53/10 dollars."""
    value, end = quantity.value, quantity.end
    if quantity.form in ("percent", "clock", "ratio", "ordinal"):
        return value, None, end
    word, unit, after = unit_after(text, end)
    if quantity.text[:1] in "aA" and (unit_inside := _UNITS.get(quantity.text.split()[1].lower())):
        return value, unit_inside, end  # `an hour and a half`
    if quantity.unit == "$" and (unit is None or unit.dimension != "money"):
        return value, _UNITS["$"], end
    if unit is None:
        return value, None, end
    end, last = after, unit
    if half := AND_HALF.match(text, end):
        return value + part_of(half), unit, half.end()
    for _ in range(3):
        gap = next((g for g in (", and ", " and ", ", ", " ") if text.startswith(g, end)), "")
        start = end + len(gap)
        following = quantities(text[start : start + 40])[:1] if gap else []
        if not following or following[0].start:
            break
        word, smaller, after = unit_after(text, start + following[0].end)
        if not word or smaller is None or smaller.dimension != unit.dimension or smaller.size >= last.size:
            break
        value += following[0].value * smaller.size / unit.size
        end, last = after, smaller
    return value, unit, end
