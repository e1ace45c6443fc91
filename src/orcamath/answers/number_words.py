"""Numbers written in words: `one hundred and five`, `a dozen`, `two thirds`, `fifty-two point six two`, `minus three`."""

import re
from fractions import Fraction

from orcamath.answers.quantity import Quantity

__all__ = [
    "AND_HALF",
    "FIRST_WORDS",
    "GLUED_SCALES",
    "HAN",
    "PERCENT",
    "SCALES",
    "from_han",
    "from_words",
    "part_of",
    "stands_for",
    "time_said",
]

_SMALL = {
    "zero": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALES |= {"dozen": 12, "dozens": 12, "hundreds": 100, "thousands": 1000, "millions": 10**6}
GLUED_SCALES = {
    "k": 1000,
    "K": 1000,
    "M": 10**6,
    "mn": 10**6,
    "bn": 10**9,
    "万": 10**4,
    "萬": 10**4,
    "亿": 10**8,
    "億": 10**8,
}
"""What a number in digits is multiplied by where this stands right behind it."""
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7}
_PARTS |= {"eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "hundredth": 100}
_PARTS |= {w + "s": n for w, n in _PARTS.items() if w not in ("half", "halves")}
TIMES = {"twice": 2, "double": 2, "doubled": 2, "thrice": 3, "triple": 3, "tripled": 3}
FIRST_WORDS = frozenset({*_SMALL, *TIMES, "half", "a", "an", "dozen", "hundred", "thousand", "million"})
"""Words a number in words can begin with."""
PERCENT = re.compile(r"[ ]{0,2}(?:%|\\%|(?:percent|per cent)\b)", re.IGNORECASE)
AND_HALF = re.compile(
    r"[ -]and[ -](a|one|two|three|four|five)[ -](hal(?:f|ves)|(?:third|quarter|fourth|fifth|sixth|eighth)s?)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z]+")


_HAN = {**{c: i for i, c in enumerate("零一二三四五六七八九")}, "〇": 0, "两": 2, "兩": 2}
_HAN_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
HAN = "".join([*_HAN, *_HAN_SCALES])


def from_han(text: str) -> Fraction | None:
    """Read `四十五`, `一万二千`; None where it is only a long row of digits."""
    if len(text) > 20:
        return None
    if not any(c in _HAN_SCALES for c in text):
        return Fraction(int("".join(str(_HAN[c]) for c in text)))
    total, section, digit = 0, 0, 0
    for c in text:
        if c in _HAN:
            digit = _HAN[c]
        elif _HAN_SCALES[c] < 10**4:
            section, digit = section + (digit or 1) * _HAN_SCALES[c], 0
        else:
            total, section, digit = total + (section + digit or 1) * _HAN_SCALES[c], 0, 0
    return Fraction(total + section + digit)


def part_of(said: re.Match[str]) -> Fraction:
    """Return what a match of `AND_HALF` adds: 1/2 for `and a half`, 3/4 for `and three quarters`."""
    return Fraction(_SMALL.get(said[1].lower(), 1), _PARTS[said[2].lower()])


_HOURS = {"noon": 12, "midday": 12, "midnight": 0}
_TIME_SAID = re.compile(
    r"\b(?:([0-9]{1,2}|[a-z]+(?:-[a-z]+)?)(?: min(?:ute)?s?)? (past|after|to|before)|half) ([0-9]{1,2}|[a-z]+)\b"
    r"|(?<![0-9.,])([01][0-9]|2[0-3])([0-5][0-9]) ?(?:hours|hrs|h)\b",
    re.IGNORECASE,
)
_NOTHING = frozenset(["none", "nothing", "nobody"])
_NO = re.compile(
    r"\b(?:(?:is|are|was|were|has|have|had|be) no (?!way|answer|solution|information|number|question|doubt|need|one)[a-z]+|"
    r"no (?:more )?[a-z]+ (?:are |is )?(?:left|remain\w*))\b",
    re.IGNORECASE,
)


def time_said(text: str, *, expected: bool) -> Quantity | None:
    """Read `half past six`, `twenty to 7` as a time of day; `half six`, `20 to 7`, `1040 hours` only where one is `expected`."""
    if not expected and " past " not in text and "half " not in text and "quarter " not in text:
        return None
    for match in _TIME_SAID.finditer(text):
        if match[4]:
            if expected:
                return Quantity(Fraction(int(match[4]) * 60 + int(match[5]), 60), match[0], *match.span(), "clock")
            continue
        before, side, hour = (match[1] or "half").lower(), (match[2] or "").lower(), _minutes(match[3].lower())
        part = _minutes(before)
        if not 0 < part < 60 or not 1 <= hour <= 12 or not (expected or (side and part in (15, 30)) or side == "past"):
            continue
        value = hour + Fraction(-part if side in ("to", "before") else part, 60)
        return Quantity(value, match[0], *match.span(), "clock")
    return None


def _minutes(said: str) -> int:
    """Return 30 for `half`, 25 for `25` and `twenty-five`, 0 for any other word."""
    if said.isdigit():
        return int(said)
    tens, _, ones = said.partition("-")
    return {"half": 30, "quarter": 15}.get(said) or _SMALL.get(tens, 0) + _SMALL.get(ones, 0)


def stands_for(text: str) -> Quantity | None:
    """Return the number that words without a number say: noon, midnight, `a third`, `an hour and a half`, nothing."""
    for match in _WORD.finditer(text):
        word = match[0].lower()
        if word in _HOURS:
            return Quantity(Fraction(_HOURS[word]), match[0], *match.span(), "clock")
        if word in _NOTHING and not text.startswith(" of", match.end()):
            return Quantity(Fraction(0), match[0], *match.span(), "word")
        if word in ("a", "an", "one") and (noun := _next_word(text, match.end())):
            if noun[0].lower() in _PARTS:
                return _part(text, match.start(), 1, noun)
            if half := AND_HALF.match(text, noun.end()):
                value = 1 + part_of(half)
                return Quantity(value, text[match.start() : half.end()], match.start(), half.end(), "word")
    if none := _NO.search(text):
        return Quantity(Fraction(0), none[0], *none.span(), "word")
    return None


def from_words(text: str, first: re.Match[str]) -> Quantity | None:
    """Read a run of number words that begins at `first`."""
    word = first[0].lower()
    if word == "one" and text[max(first.start() - 3, 0) : first.start()].lower() == "no ":
        return None  # nobody
    if word in TIMES:
        return Quantity(Fraction(TIMES[word]), first[0], first.start(), first.end(), "multiplier")
    if word == "half":
        end = first.end()
        if text[end : end + 8].lower() == " a dozen":
            return Quantity(Fraction(6), text[first.start() : end + 8], first.start(), end + 8, "word")
        return Quantity(Fraction(1, 2), first[0], first.start(), end, "word")
    match: re.Match[str] | None = first
    n = 0
    if word in ("a", "an"):
        match, n = _next_word(text, first.end()), 1
        if match is None or (match[0].lower() not in SCALES and match[0].lower() not in _PARTS):
            return None
        if match[0].lower() in _PARTS:
            return _part(text, first.start(), 1, match, needs_of=match[0].lower() != "half")
    return _run(text, first, match, n)


def _run(text: str, first: re.Match[str], match: re.Match[str] | None, n: int) -> Quantity | None:
    """Read on from `match`; `n` words are read, and count as one, where the run began with `a`."""
    total, group, end = 0, n, first.end()
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
    return _finished(text, first.start(), Fraction(total + group), end, match) if n else None


def _finished(text: str, start: int, value: Fraction, end: int, match: re.Match[str] | None) -> Quantity:
    """Take in what stands around a run of number words: decimals, a half, a sign, a percent sign."""
    if match is not None and match[0].lower() == "point":
        point, end = _decimals(text, match, end)
        value += point
    if half := AND_HALF.match(text, end):
        value, end = value + part_of(half), half.end()
        scale = _next_word(text, end)
        if scale is not None and SCALES.get(scale[0].lower(), 0) >= 100:  # `one and a half million`
            value, end = value * SCALES[scale[0].lower()], scale.end()
    if text[max(start - 6, 0) : start].lower() == "point " and text[: start - 6].rstrip(" :")[-3:] in (
        "",
        " is",
        " of",
    ):
        value, end = _decimals(text, _WORD.match(text, start - 6), start)
        return Quantity(value, text[start - 6 : end], start - 6, end, "word")
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


def _decimals(text: str, point: re.Match[str] | None, end: int) -> tuple[Fraction, int]:
    """Read the digits of `fifty-two point six two`; nothing where none follow."""
    value, scale = Fraction(0), Fraction(1, 10)
    match = _next_word(text, point.end()) if point else None
    if match is not None and (tens := _SMALL.get(match[0].lower(), 0)) >= 10:  # `point eighty-seven`
        end, follower = match.end(), _next_word(text, match.end())
        if tens >= 20 and follower is not None and 0 < (ones := _SMALL.get(follower[0].lower(), 0)) < 10:
            tens, end = tens + ones, follower.end()
        return Fraction(tens, 100), end
    while match is not None and _SMALL.get(match[0].lower(), 10) < 10 and scale > Fraction(1, 10**12):
        value, scale, end = value + _SMALL[match[0].lower()] * scale, scale / 10, match.end()
        match = _next_word(text, end)
    return value, end
