"""Numbers written in words: `one hundred and five`, `a dozen`, `two thirds`, `fifty-two point six two`, `minus three`."""

import re
from fractions import Fraction

from orcamath.answers.quantity import Quantity

__all__ = ["AND_HALF", "PERCENT", "SCALES", "STARTS", "from_words", "part_of"]

_SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
    "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALES |= {"dozen": 12, "dozens": 12, "hundreds": 100, "thousands": 1000, "millions": 10**6}
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7}
_PARTS |= {"eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "hundredth": 100}
_PARTS |= {w + "s": n for w, n in _PARTS.items() if w not in ("half", "halves")}
TIMES = {"twice": 2, "double": 2, "doubled": 2, "thrice": 3, "triple": 3, "tripled": 3}
STARTS = frozenset({*_SMALL, *TIMES, "half", "a", "an", "dozen", "hundred", "thousand", "million"})
"""Words a number in words can begin with."""
PERCENT = re.compile(r"[ ]{0,2}(?:%|\\%|(?:percent|per cent)\b)", re.IGNORECASE)
AND_HALF = re.compile(r"[ -]and[ -](?:a|one)[ -](half|third|quarter|fourth)\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+")


def part_of(word: str) -> int:
    """Return 2 for `half`, 4 for `quarter` and so on."""
    return _PARTS[word.lower()]


def from_words(text: str, first: re.Match[str]) -> Quantity | None:
    """Read a run of number words that begins at `first`."""
    word = first[0].lower()
    if word in TIMES:
        return Quantity(Fraction(TIMES[word]), first[0], first.start(), first.end(), "multiplier")
    if word == "half":
        end = first.end()
        if text[end : end + 8].lower() == " a dozen":
            return Quantity(Fraction(6), text[first.start() : end + 8], first.start(), end + 8, "word")
        return Quantity(Fraction(1, 2), first[0], first.start(), end, "word")
    total, group, end, n, point = 0, 0, first.end(), 0, None
    match: re.Match[str] | None = first
    if word in ("a", "an"):
        match = _next_word(text, end)
        if match is None or (match[0].lower() not in SCALES and match[0].lower() not in _PARTS):
            return None
        if match[0].lower() in _PARTS:
            return _part(text, first.start(), 1, match, needs_of=match[0].lower() != "half")
        group, n = 1, 1
    fresh = True  # the last word was a scale or a ten: a small number may follow
    while match is not None and n < 16:
        word = match[0].lower()
        if word in _SMALL:
            small = _SMALL[word]
            if not fresh or (group % 100 and not (group % 100 >= 20 and group % 10 == 0 and small < 10)):
                break
            group += small
            fresh = small >= 20
        elif word in SCALES:
            scale = SCALES[word]
            group = group or 1
            total, group = (total, group * scale) if scale in (12, 100) else (total + group * scale, 0)
            fresh = True
        elif word == "and" and n and group % 100 == 0:
            following = _next_word(text, match.end())
            if following is None or following[0].lower() not in _SMALL:
                break
            match = following
            continue
        elif word in _PARTS and n and total + group and (word != "half" or total + group == 1):
            return _part(text, first.start(), total + group, match)
        else:
            break
        end, n = match.end(), n + 1
        match = _next_word(text, end)
    value = Fraction(total + group)
    if n == 0:
        return None
    if match is not None and match[0].lower() == "point":
        point, end = _decimals(text, match, end)
        value += point
    if half := AND_HALF.match(text, end):
        value, end = value + Fraction(1, _PARTS[half[1].lower()]), half.end()
    start = first.start()
    for sign in ("negative ", "minus "):
        if text[max(start - len(sign), 0) : start].lower() == sign:
            start, value = start - len(sign), -value
    if percent := PERCENT.match(text, end):
        return Quantity(value / 100, text[start : percent.end()], start, percent.end(), "percent", "%")
    return Quantity(value, text[start:end], start, end, "word")


def _next_word(text: str, at: int) -> re.Match[str] | None:
    """Return the word right behind, across one space or hyphen."""
    gap = at
    while gap < len(text) and text[gap] in " -\n" and gap - at < 3:
        gap += 1
    return _WORD.match(text, gap) if gap > at else None


def _part(text: str, start: int, top: int, match: re.Match[str], *, needs_of: bool = False) -> Quantity | None:
    """Read `two thirds`, `a half`, `a quarter of`; `a third` without `of` may be an ordinal."""
    if needs_of and text[match.end() : match.end() + 4].rstrip() != " of":
        return None
    value = Fraction(top, _PARTS[match[0].lower()])
    return Quantity(value, text[start : match.end()], start, match.end(), "word")


def _decimals(text: str, point: re.Match[str], end: int) -> tuple[Fraction, int]:
    """Read the digits of `fifty-two point six two`; nothing where none follow."""
    value, scale = Fraction(0), Fraction(1, 10)
    match = _next_word(text, point.end())
    if match is not None and (tens := _SMALL.get(match[0].lower(), 0)) >= 10:  # `point eighty-seven`
        end, follower = match.end(), _next_word(text, match.end())
        if tens >= 20 and follower is not None and 0 < (ones := _SMALL.get(follower[0].lower(), 0)) < 10:
            tens, end = tens + ones, follower.end()
        return Fraction(tens, 100), end
    while match is not None and _SMALL.get(match[0].lower(), 10) < 10 and scale > Fraction(1, 10**12):
        value, scale, end = value + _SMALL[match[0].lower()] * scale, scale / 10, match.end()
        match = _next_word(text, end)
    return value, end
