"""Numbers in running text, exact: digits, fractions, percentages, number words, ratios, clock times, each with its span.

`quantities` reads left to right in one pass and never looks back further than a few characters, so a line of a megabyte
takes linear time. What counts as a number, and as which:

    1,319  $60  -5  .5  3.0  1e3     the value written, `12,34,567` too; a sign only where it is no minus between numbers
    3.2 × 10^4  5(10^6)  2^3         powers
    60%  60 percent                  3/5, form `percent` (`shown` is 60)
    1/2  2 1/2  2 and 1/2  2½  2+1/2 form `fraction`
    five  twenty-one  a dozen  四十五 form `word`; `1.5 million`, `2 dozen`, `1.2M`, `$5k` multiply
    half  two thirds  a quarter of   form `word`; a bare `third` is an ordinal and no quantity
    twice  double  thrice  triple    2, 2, 3, 3, form `multiplier`: they scale, they are seldom an answer
    3:4  16 : 9                      a / b, form `ratio`
    4:30  4:30 pm  4.30 pm  16h30    hours since midnight, form `clock`
    5th  21st                        the value, form `ordinal`

Left out: `one` as in `this one` cannot be told from the number and is read as 1; digits glued behind a letter
(`B12`), dates with slashes and numbers of more than 40 digits are no quantities.
"""

import re
from fractions import Fraction
from functools import lru_cache

from orcamath.answers.number_words import (
    AND_HALF,
    FIRST_WORDS,
    GLUED_SCALES,
    HAN,
    PERCENT,
    SCALES,
    from_han,
    from_words,
    part_of,
)
from orcamath.answers.quantity import Form, Quantity
from orcamath.text.money import CURRENCY_SIGNS

__all__ = ["Form", "Quantity", "exact", "quantities"]

MAX_DIGITS = 40
MAX_EXPONENT = 60
MAX_POWER_BITS = 4096


_GLYPHS = {
    c: Fraction(a, b)
    for c, a, b in (
        ("½", 1, 2),
        ("⅓", 1, 3),
        ("⅔", 2, 3),
        ("¼", 1, 4),
        ("¾", 3, 4),
        ("⅕", 1, 5),
        ("⅖", 2, 5),
        ("⅗", 3, 5),
        ("⅘", 4, 5),
        ("⅙", 1, 6),
        ("⅚", 5, 6),
        ("⅛", 1, 8),
        ("⅜", 3, 8),
        ("⅝", 5, 8),
        ("⅞", 7, 8),
    )
}

_GROUPED = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3})(?![0-9])"
_NOT_ONE = frozenset("共样樣起些般定直切")
"""Behind these 一 is no number: 一共 is "altogether"."""
_BE = frozenset(["is", "was", "are", "be", "equals", "of", "to"])
"""Behind these `- 16` is a number below zero; elsewhere a dash with a blank is punctuation."""
_DIGITS = rf"(?:{_GROUPED}|[0-9]+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.[0-9]+)?|\.[0-9]+)"
# one token: a word, or a number with what may be glued to it; every repetition is over disjoint characters
_PLAIN_TOKEN = (
    rf"(?P<word>[A-Za-z]+)|(?P<num>{_DECIMAL})(?P<exp>[eE][+-]?[0-9]{{1,3}}(?![\w.]))?(?P<ordinal>(?:st|nd|rd|th)\b)?"
)
_ASCII_TOKEN = re.compile(_PLAIN_TOKEN)
_TOKEN = re.compile(rf"{_PLAIN_TOKEN}|(?P<glyph>[{''.join(_GLYPHS)}])|(?P<han>[{HAN}]+)")
_CLOCK = re.compile(r"([:hH. ])([0-5][0-9])(?::[0-5][0-9])?(?![0-9:])[ ]{0,2}([AaPp]\.?[Mm]\b\.?|Uhr\b)?")
_HOUR_ENDS = frozenset(":.hH aApPoO")
_HOUR = re.compile(r"[ ]{0,2}(?:([AaPp])(?:\.[Mm]\.|\.?[Mm]\b)|[Oo]['’]clock)")
_RATIO = re.compile(rf"(?: : |:)({_DECIMAL})(?![:0-9])")
_OVER = re.compile(rf"[ ]?[/⁄][ ]?({_DECIMAL})(?!\.?[0-9])(?![ ]?/[ ]?[0-9])")
_MIXED = re.compile(r"(?: and |[ ]{1,2}|[ ]?\+[ ]?|-)([0-9]{1,5})[/⁄]([0-9]{1,5})(?![0-9.,/]*[0-9/])")
_EXACT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,3}))?")
_TO_POWER = re.compile(r"((?:[ ]?[xX×*·⋅][ ]{0,2}|[ ]?\()10)?\^[({]?(-?[0-9]{1,3})[)}]{0,2}(?![0-9.])")
_SCALE = re.compile(
    r"[ -]{1,2}((?i:dozens?|hundred|thousand|million|billion|trillion))\b|(?<=[0-9])([kKM]|mn|bn)(?![A-Za-z])|[ ]?([万萬亿億])"
)

_JOINS = frozenset("/⁄+:(^*xX×·⋅%\\0123456789aAdDhHtTmMbBpPkK万萬亿億") | {*_GLYPHS}
"""What can begin something that belongs to a number before it: a fraction, a power, a scale, a percent sign."""


def exact(digits: str) -> Fraction | None:
    """Read `1,319.50`, `.5`, `1e3` or `-7` exactly; None where it is no such number or longer than 40 digits."""
    return _exact(digits.strip()) if len(digits) <= 3 * MAX_DIGITS else None


@lru_cache(maxsize=8192)
def _exact(plain: str) -> Fraction | None:
    if "," in plain:
        whole, point, rest = plain.partition(".")
        first, *groups = whole.lstrip("+-").split(",")
        if "," in rest or not groups or not 0 < len(first) < 4 or len(groups[-1]) != 3:
            return None
        if {len(g) for g in groups[:-1]} not in (set(), {3}, {2}):
            return None
        plain = whole.replace(",", "") + point + rest
    match = _EXACT.fullmatch(plain) if len(plain) <= 2 * MAX_DIGITS else None
    if match is None or len(match[1]) > MAX_DIGITS or abs(int(match[2] or 0)) > MAX_EXPONENT:
        return None
    return Fraction(int(plain)) if plain.isdigit() else Fraction(plain)


@lru_cache(maxsize=1024)  # a question is read for each of its answers, a statement for each of its rules
def quantities(text: str) -> tuple[Quantity, ...]:
    """Return every number in `text`, left to right; spans never overlap."""
    found: list[Quantity] = []
    scan = (_ASCII_TOKEN if text.isascii() else _TOKEN).finditer
    at: int | None = 0
    while at is not None:
        tokens, at = scan(text, at), None
        for match in tokens:
            if match.lastgroup == "word" and match[0].lower() not in FIRST_WORDS:
                continue  # nine tokens of ten
            if (quantity := _quantity(text, match)) is not None:
                found.append(quantity)
                if quantity.end > match.end():  # it took in what follows: go on behind that
                    at = quantity.end
                    break
    return tuple(found)


def _quantity(text: str, match: re.Match[str]) -> Quantity | None:
    """Read the number that begins with a token."""
    if match.lastgroup == "word":
        return from_words(text, match)
    if match.lastgroup == "glyph":
        return Quantity(_GLYPHS[match[0]], match[0], match.start(), match.end(), "fraction")
    if match.lastgroup != "han":
        return _from_digits(text, match)
    value = None if match[0] == "一" and text[match.end() : match.end() + 1] in _NOT_ONE else from_han(match[0])
    return None if value is None else Quantity(value, match[0], match.start(), match.end(), "word")


def _from_digits(text: str, match: re.Match[str]) -> Quantity | None:
    start, end = match.start("num"), match.end()
    before = text[start - 1] if start else ""
    if before.isalpha() and before < "\u2e80" and not _multiplies(text, start):
        return None
    if before == "_" and text[start - 2 : start - 1].isalpha():
        return None  # `x_1`
    digits = match["num"] + (match["exp"] or "")
    if digits[0] == "." and text[max(start - 2, 0) : start].lower() == "rs":
        start, digits = start + 1, digits[1:]  # `Rs.500` is no half
    value = exact(digits)
    if value is None:
        return None
    if match["ordinal"]:
        return Quantity(value, text[start:end], start, end, "ordinal")
    form: Form = "number"
    if (joined := _clock(text, match, value)) is not None:
        return joined
    if text[end : end + 3].lstrip(" -")[:1] not in _JOINS:
        start, value, currency = _in_front(text, start, value)
        return Quantity(value, text[start:end], start, end, form, currency)
    if over := _OVER.match(text, end):
        below = exact(over[1])
        if below and text[max(start - 1, 0) : start] != "/":
            value, end, form = value / below, over.end(), "fraction"
    elif "." not in match["num"] and (mixed := _MIXED.match(text, end)) and 0 < int(mixed[1]) < int(mixed[2]):
        value, end, form = value + Fraction(int(mixed[1]), int(mixed[2])), mixed.end(), "fraction"
    elif (glyph := text[end : end + 2].lstrip(" ")[:1]) > "\x7f" and glyph in _GLYPHS:
        value, end, form = value + _GLYPHS[glyph], text.index(glyph, end) + 1, "fraction"
    elif half := AND_HALF.match(text, end):
        value, end, form = value + part_of(half), half.end(), "fraction"
    elif ratio := _RATIO.match(text, end):
        below = exact(ratio[1])
        if below:
            return Quantity(value / below, text[start : ratio.end()], start, ratio.end(), "ratio")
    value, end = _scaled(text, end, value, may_have_power=form == "number")
    unit = ""
    if percent := PERCENT.match(text, end):
        value, end, form, unit = value / 100, percent.end(), "percent", "%"
    start, value, currency = _in_front(text, start, value)
    return Quantity(value, text[start:end], start, end, form, unit or currency)


def _scaled(text: str, end: int, value: Fraction, *, may_have_power: bool) -> tuple[Fraction, int]:
    """Take in the power and the scale behind a number: `5 × 10^6`, `3 million`, `4k`."""
    if may_have_power and "^" in text and (power := _TO_POWER.match(text, end)):
        value, end = _powered(value, power), power.end()
    if scale := _SCALE.match(text, end):
        value, end = value * (SCALES[scale[1].lower()] if scale[1] else GLUED_SCALES[scale[2] or scale[3]]), scale.end()
    return value, end


def _powered(value: Fraction, power: re.Match[str]) -> Fraction:
    """Return `5 × 10^6` or `2^3`; what is too large to write out stays its base."""
    exponent = int(power[2])
    if power[1]:
        return value * Fraction(10) ** exponent
    size = max(value.numerator.bit_length(), value.denominator.bit_length())
    return value if not value or size * abs(exponent) > MAX_POWER_BITS else value**exponent


def _multiplies(text: str, start: int) -> bool:
    """Tell `5x3` and `Rs 5`, `USD5` from `B12`: what stands before the letter decides."""
    if text[start - 1] in "xX":
        return start >= 2 and (text[start - 2].isdigit() or text[start - 2] in " )")
    return text[max(start - 3, 0) : start].lower().endswith(("rs", "usd"))


def _clock(text: str, match: re.Match[str], value: Fraction) -> Quantity | None:
    start, end, hours = match.start("num"), match.end(), match["num"]
    if match["exp"] or text[end : end + 1] not in _HOUR_ENDS:
        return None
    whole, point, part = hours.partition(".")
    if point:  # `7.30 pm`
        end = match.start("num") + len(whole)
    if not (whole.isdigit() and len(whole) <= 2 and int(whole) <= 24):
        return None
    minutes = _CLOCK.match(text, end)
    if minutes and (
        (minutes[1] in ". " and not minutes[3]) or (minutes[1] in "hH" and start and text[start - 1].isalnum())
    ):
        minutes = None
    hour = None if minutes or part else _HOUR.match(text, end)
    if not minutes and not hour:
        return None
    value = Fraction(int(whole))
    half = (minutes[3] or "") if minutes else ((hour[1] or "") if hour else "")
    if minutes:
        value += Fraction(int(minutes[2]), 60)
        end = minutes.end() if minutes[3] else minutes.end(2)
        if not minutes[3] and text[end : end + 1] == ":":
            end += 3
    elif hour:
        end = hour.end()
    if half[:1] in ("p", "P") and value < 12:
        value += 12
    elif half[:1] in ("a", "A") and 12 <= value < 13:
        value -= 12
    return Quantity(value, text[start:end], start, end, "clock")


def _in_front(text: str, start: int, value: Fraction) -> tuple[int, Fraction, str]:
    """Take in currency and sign: `$5`, `-$5`, `$ 5`, `-5`, but not the minus of `7-5` or `7 - 5`."""
    currency = ""
    at = start
    if at and text[at - 1] == "." and text[max(at - 3, 0) : at - 1].lower() == "rs":
        return at - 3, value, "₹"
    while at and text[at - 1] == " " and start - at < 2:
        at -= 1
    if at and text[at - 1] in CURRENCY_SIGNS:
        currency = text[at - 1]
        start = at - 1
        if start and text[start - 1] == "\\":
            start -= 1
    sign = _sign(text, start)
    return (start, value, currency) if sign is None else (sign, -value, currency)


def _sign(text: str, at: int) -> int | None:
    """Return where the minus in front of a number stands: `-5`, `"-5"`, `is - 5`, `minus 5`; None where there is none."""
    if at == 0 or text[at - 1] not in "-−– ":
        return None
    spelled = text[max(at - 9, 0) : at].lower()
    if spelled == "negative ":
        return at - 9
    if spelled.endswith("minus "):
        at -= 6
    elif at and text[at - 1] in "-−–":
        at -= 1
    elif at > 2 and text[at - 2 : at] in ("- ", "− "):
        at -= 2
    else:
        return None
    before = text[max(at - 12, 0) : at].rstrip()
    blank = at > 0 and text[at - 1] in " \t\n"
    if not before or before[-1] in "=(:,*[{<>~≈$":
        return at if before or text[at + 1 : at + 2] != " " else None  # `- 16` at the start is a list's
    if text[at + 1 : at + 2] in " i":  # a dash with a blank, or `minus`, is punctuation or an operation elsewhere
        return at if before.rpartition(" ")[2] in _BE else None
    if not blank:
        return at if before[-1] in "\"'“‘«" else None
    return None if before[-1].isdigit() or before[-1] in ")%" else at
