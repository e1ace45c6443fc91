"""Numbers in running text, exact: digits, fractions, percentages, number words, ratios, clock times, each with its span.

`quantities` reads left to right in one pass and never looks back further than a few characters, so a line of a megabyte
takes linear time. What counts as a number, and as which:

    1,319  $60  -5  .5  3.0  1e3     the value written, `3.2 × 10^4` too; a sign only where it is no minus between numbers
    60%  60 percent                  3/5, form `percent` (`shown` is 60)
    1/2  2 1/2  2 and 1/2  ½         form `fraction`
    five  twenty-one  a dozen        form `word`; `1.5 million`, `2 dozen` multiply
    half  two thirds  a quarter of   form `word`; a bare `third` is an ordinal and no quantity
    twice  double  thrice  triple    2, 2, 3, 3, form `multiplier`: they scale, they are seldom an answer
    3:4  16 : 9                      a / b, form `ratio`
    4:30  4:30 pm  16:30             hours since midnight, form `clock`
    5th  21st                        the value, form `ordinal`

Left out: `one` as in `no one` or `this one` cannot be told from the number and is read as 1; digits glued behind a letter
(`B12`), dates with slashes and numbers of more than 40 digits are no quantities.
"""

import re
from fractions import Fraction

from orcamath.answers.number_words import AND_HALF, PERCENT, SCALES, STARTS, from_words, part_of
from orcamath.answers.quantity import Form, Quantity

__all__ = ["Form", "Quantity", "exact", "quantities"]

MAX_DIGITS = 40
MAX_EXPONENT = 60


_GLYPHS = {c: Fraction(a, b) for c, a, b in (
    ("½", 1, 2), ("⅓", 1, 3), ("⅔", 2, 3), ("¼", 1, 4), ("¾", 3, 4), ("⅕", 1, 5), ("⅖", 2, 5), ("⅗", 3, 5), ("⅘", 4, 5),
    ("⅙", 1, 6), ("⅚", 5, 6), ("⅛", 1, 8), ("⅜", 3, 8), ("⅝", 5, 8), ("⅞", 7, 8),
)}  # fmt: skip

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)"
_DECIMAL = rf"(?:{_DIGITS}(?:\.[0-9]+)?|\.[0-9]+)"
# one token: a word, or a number with what may be glued to it; every repetition is over disjoint characters
_TOKEN = re.compile(
    rf"(?P<word>[A-Za-z]+)|(?P<num>{_DECIMAL})(?P<exp>[eE][+-]?[0-9]{{1,3}}(?![\w.]))?(?P<ordinal>(?:st|nd|rd|th)\b)?"
    rf"|(?P<glyph>[{''.join(_GLYPHS)}])"
)
_CLOCK = re.compile(r":([0-5][0-9])(?::[0-5][0-9])?(?![0-9:])[ ]{0,2}([AaPp]\.?[Mm]\b\.?)?")
_HOUR = re.compile(r"[ ]{0,2}(?:([AaPp])(?:\.[Mm]\.|\.?[Mm]\b)|[Oo]['’]clock)")
_RATIO = re.compile(rf"(?: : |:)({_DECIMAL})(?![:0-9])")
_OVER = re.compile(rf"[ ]?[/⁄][ ]?({_DECIMAL})(?!\.?[0-9])(?![ ]?/[ ]?[0-9])")
_MIXED = re.compile(r"(?: and |[ ]{1,2}|-(?=[0-9]/[0-9]{1,2} [A-Za-z]))([0-9]{1,3})[/⁄]([0-9]{1,3})(?![0-9.,/]*[0-9/])")
_EXACT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,3}))?")
_TEN_TO = re.compile(r"[ ]?[x×*·][ ]{0,2}10\^[({]?([-−]?[0-9]{1,2})[)}]?(?![0-9])")
_SCALE = re.compile(r"[ -]{1,2}(dozens?|hundred|thousand|million|billion|trillion)\b", re.IGNORECASE)


def exact(digits: str) -> Fraction | None:
    """Read `1,319.50`, `.5`, `1e3` or `-7` exactly; None where it is no such number or longer than 40 digits."""
    plain = digits.replace(",", "").strip()
    if len(plain) <= MAX_DIGITS and plain.isdigit() and plain.isascii():
        return Fraction(int(plain))
    match = _EXACT.fullmatch(plain) if len(plain) <= 2 * MAX_DIGITS else None
    if match is None or len(match[1]) > MAX_DIGITS or abs(int(match[2] or 0)) > MAX_EXPONENT:
        return None
    return Fraction(plain)


def quantities(text: str) -> list[Quantity]:
    """Return every number in `text`, left to right; spans never overlap."""
    found: list[Quantity] = []
    at = 0
    scan = _TOKEN.search
    while match := scan(text, at):
        kind = match.lastgroup
        if kind == "word":
            word = match[0].lower()
            quantity = from_words(text, match) if word in STARTS else None
        elif kind == "glyph":
            quantity = Quantity(_GLYPHS[match[0]], match[0], match.start(), match.end(), "fraction")
        else:
            quantity = _from_digits(text, match)
        if quantity is None:
            at = match.end()
        else:
            found.append(quantity)
            at = max(quantity.end, match.end())
    return found


def _from_digits(text: str, match: re.Match[str]) -> Quantity | None:
    start, end = match.start("num"), match.end()
    before = text[start - 1] if start else ""
    if before.isalpha() and not _multiplies(text, start):
        return None
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
    if over := _OVER.match(text, end):
        below = exact(over[1])
        if below and text[max(start - 1, 0) : start] != "/":
            value, end, form = value / below, over.end(), "fraction"
    elif "." not in match["num"] and (mixed := _MIXED.match(text, end)) and 0 < int(mixed[1]) < int(mixed[2]):
        value, end, form = value + Fraction(int(mixed[1]), int(mixed[2])), mixed.end(), "fraction"
    elif text[end : end + 1] in _GLYPHS and end < len(text):
        value, end, form = value + _GLYPHS[text[end]], end + 1, "fraction"
    elif half := AND_HALF.match(text, end):
        value, end, form = value + Fraction(1, part_of(half[1])), half.end(), "fraction"
    elif ratio := _RATIO.match(text, end):
        below = exact(ratio[1])
        if below:
            return Quantity(value / below, text[start : ratio.end()], start, ratio.end(), "ratio")
    if form == "number" and (ten := _TEN_TO.match(text, end)):
        value, end = value * Fraction(10) ** int(ten[1].replace("−", "-")), ten.end()
    if scale := _SCALE.match(text, end):
        value, end = value * SCALES[scale[1].lower()], scale.end()
    unit = ""
    if percent := PERCENT.match(text, end):
        value, end, form, unit = value / 100, percent.end(), "percent", "%"
    start, value, currency = _in_front(text, start, value)
    return Quantity(value, text[start:end], start, end, form, unit or currency)


def _multiplies(text: str, start: int) -> bool:
    """Tell `5x3` and `Rs 5`, `USD5` from `B12`: what stands before the letter decides."""
    if text[start - 1] in "xX":
        return start >= 2 and (text[start - 2].isdigit() or text[start - 2] in " )")
    return text[max(start - 3, 0) : start].lower().endswith(("rs", "usd"))


def _clock(text: str, match: re.Match[str], value: Fraction) -> Quantity | None:
    start, end = match.start("num"), match.end()
    if not (match["num"].isdigit() and len(match["num"]) <= 2 and value <= 24) or match["exp"]:
        return None
    minutes = _CLOCK.match(text, end)
    hour = None if minutes else _HOUR.match(text, end)
    if not minutes and not hour:
        return None
    half = (minutes[2] or "") if minutes else ((hour[1] or "") if hour else "")
    if minutes:
        value += Fraction(int(minutes[1]), 60)
        end = minutes.end() if minutes[2] else minutes.end(1)
        if not minutes[2] and text[end : end + 1] == ":":
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
    if at and text[at - 1] in "$€£₹":
        currency = text[at - 1]
        start = at - 1
        if start and text[start - 1] == "\\":
            start -= 1
    at = start
    if at and text[at - 1] in "-−–":
        before = text[max(at - 13, 0) : at - 1].rstrip()
        spaced = at > 1 and text[at - 2] in " \t\n"
        if not before or before[-1] in "=(:,*[{<>~≈$" or (spaced and not (before[-1].isdigit() or before[-1] in ")%")):
            return at - 1, -value, currency
    elif text[max(at - 9, 0) : at].lower() == "negative ":
        return at - 9, -value, currency
    return start, value, currency
