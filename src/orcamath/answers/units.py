"""Units a word problem asks for, and exact conversions between units of one dimension.

A unit converts only where the question's own unit says into what (`same` in `compare`): `180 minutes` is `3` where the
question asks how many hours. Months and years do not convert to days; a ton is 2,000 pounds, a US gallon 231 cubic inches.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from orcamath.answers.numbers import Quantity, quantities

__all__ = ["Asked", "Unit", "asked", "measure", "unit_after"]


class Unit(NamedTuple):
    """A unit's dimension and its size in the dimension's own base unit."""

    dimension: str
    size: Fraction


def _table() -> dict[str, Unit]:
    inch = Fraction(254, 10000)
    pound = Fraction(45359237, 100000)
    gallon = Fraction(3785411784, 1000000)
    rows: list[tuple[str, str, Fraction | int]] = [
        ("time", "second seconds sec secs s", 1), ("time", "minute minutes min mins", 60),
        ("time", "hour hours hr hrs h", 3600), ("time", "day days", 86400), ("time", "week weeks", 604800),
        ("months", "month months", 1), ("months", "year years yr yrs", 12), ("months", "decade decades", 120),
        ("months", "century centuries", 1200),
        ("length", "millimeter millimeters millimetre millimetres mm", Fraction(1, 1000)),
        ("length", "centimeter centimeters centimetre centimetres cm", Fraction(1, 100)),
        ("length", "meter meters metre metres m", 1), ("length", "kilometer kilometers kilometre kilometres km", 1000),
        ("length", "inch inches", inch), ("length", "foot feet ft", inch * 12), ("length", "yard yards yd yds", inch * 36),
        ("length", "mile miles mi", inch * 63360),
        ("mass", "milligram milligrams mg", Fraction(1, 1000)), ("mass", "gram grams g", 1),
        ("mass", "kilogram kilograms kg kgs", 1000), ("mass", "ounce ounces oz", pound / 16),
        ("mass", "pound pounds lb lbs", pound), ("mass", "ton tons", pound * 2000),
        ("volume", "milliliter milliliters millilitre millilitres ml", 1),
        ("volume", "liter liters litre litres l", 1000), ("volume", "cup cups", gallon / 16),
        ("volume", "pint pints", gallon / 8), ("volume", "quart quarts", gallon / 4), ("volume", "gallon gallons", gallon),
        ("money", "cent cents penny pennies ¢", Fraction(1, 100)), ("money", "dollar dollars buck bucks $", 1),
    ]  # fmt: skip
    return {word: Unit(dimension, Fraction(size)) for dimension, words, size in rows for word in words.split()}


_UNITS = _table()
_AFTER = re.compile(r"[ \-]{0,2}(?:more |extra |additional |full |whole )?([A-Za-z¢]{1,12})")


class Asked(NamedTuple):
    """What a question asks for, as far as its wording says."""

    unit: Unit | None
    nouns: frozenset[str]
    """Words of the thing counted: `emails` in `how many emails does he …`."""
    money: bool
    percent: bool
    time_of_day: bool
    share: bool
    """A fraction, probability or other part of one, which a percentage may stand for."""


_HOW_MANY = re.compile(r"how (?:many|much)((?: [\w'-]+){1,4})", re.IGNORECASE)
_IN_UNIT = re.compile(
    r"\bin (?:terms of )?(?:the )?(dollars?|cents?|pennies|seconds?|minutes?|hours?|days?|weeks?|months?|years?|inches|"
    r"feet|yards?|miles?|centimeters?|meters?|kilometers?|millimeters?|cm|mm|km|ounces?|pounds?|grams?|kilograms?|kg|liters?|"
    r"milliliters?|ml|gallons?|quarts?|pints?|cups?)\b(?! (?:\d|a |an |the |each|per))",
    re.IGNORECASE,
)
_STOP = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "is",
        "are",
        "was",
        "were",
        "will",
        "would",
        "does",
        "do",
        "did",
        "can",
        "could",
        "has",
        "have",
        "had",
        "he",
        "she",
        "it",
        "they",
        "i",
        "you",
        "we",
        "his",
        "her",
        "their",
        "its",
        "my",
        "your",
        "for",
        "with",
        "if",
        "and",
        "or",
        "more",
        "less",
        "total",
        "altogether",
        "left",
        "each",
        "all",
        "many",
        "much",
        "be",
        "been",
        "get",
        "got",
    ]
)


@lru_cache(maxsize=4096)
def asked(question: str) -> Asked:
    """Read the last question of a problem: unit, counted nouns, money, percentage, time of day."""
    tail = question[-600:]
    cut = max(
        tail.lower().rfind("how "),
        tail.lower().rfind("what "),
        tail.lower().rfind("when "),
        tail.lower().rfind("find "),
    )
    last = tail[max(cut, 0) :]
    low = last.lower()
    nouns: list[str] = []
    unit: Unit | None = None
    if match := _HOW_MANY.match(low):
        for word in match[1].split():
            if word in _STOP:
                if nouns:
                    break
                continue
            nouns.append(word)
            if unit is None and word in _UNITS and len(word) > 1:
                unit = _UNITS[word]
    if match := _IN_UNIT.search(low):
        unit = _UNITS.get(match[1], unit)
        nouns.append(match[1])
    percent = "percent" in low or "%" in low
    time_of_day = "what time" in low or low.startswith("when ") or "time of day" in low
    money = "$" in question and unit is None and ("much" in low or "cost" in low or "price" in low or "pay" in low)
    share = any(word in low for word in ("fraction", "probability", "proportion", "chance", "portion"))
    return Asked(unit, frozenset(nouns), money, percent, time_of_day, share)


def unit_after(text: str, end: int) -> tuple[str, Unit | None, int]:
    """Return the word behind a number, the unit it names or None, and where it ends."""
    match = _AFTER.match(text, end)
    if match is None:
        return "", None, end
    word = match[1].lower()
    return word, _UNITS.get(word), match.end()


def measure(text: str, quantity: Quantity) -> tuple[Fraction, Unit | None, int]:
    """Return value, unit and end of a measure: `3 hours 20 minutes` is 10/3 hours, `5 dollars and 30 cents` 53/10 dollars."""
    value, end = quantity.value, quantity.end
    if quantity.form in ("percent", "clock", "ratio", "ordinal"):
        return value, None, end
    word, unit, after = unit_after(text, end)
    if quantity.unit == "$" and (unit is None or unit.dimension != "money"):
        return value, _UNITS["$"], end
    if unit is None:
        return value, None, end
    end, last = after, unit
    for _ in range(3):
        gap = _GAP.match(text, end)
        following = quantities(text[gap.end() : gap.end() + 40])[:1] if gap else []
        if not gap or not following or following[0].start:
            break
        word, smaller, after = unit_after(text, gap.end() + following[0].end)
        if not word or smaller is None or smaller.dimension != unit.dimension or smaller.size >= last.size:
            break
        value += following[0].value * smaller.size / unit.size
        end, last = after, smaller
    return value, unit, end


_GAP = re.compile(r",?[ ](?:and[ ])?")
