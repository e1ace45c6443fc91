"""Measures of science: a number, powers of ten and all, with a unit of the SI or one that is kept beside it.

In: short answers as they are written (`10.2 kJ`, `0.77 mol L^-1`, `2.47 x 10^23`). Out: their value in base units, and whether
two say the same. Factors are exact: those that define the units (The International System of Units, 9th edition, tables 2 to 8).
A unit that is not known makes no measure, so words behind a number (`12 apples`) are left to the other rules.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from orcamath.answers.latex import plain
from orcamath.answers.numbers import quantities

__all__ = ["SAYS", "PhysicalQuantity", "chemical", "held_as_measures", "lowered", "measure_of", "unit_end"]

Verdict = Literal["agrees", "disagrees", "doubt"]
SAYS: dict[Verdict, bool | None] = {"agrees": True, "disagrees": False, "doubt": None}
NEAR = Fraction(1, 100)
"""Relative difference up to which two measures may be one, rounded: figures that count are not told in words."""
_PREFIXES = {
    "": 0,
    "p": -12,
    "n": -9,
    "u": -6,
    "µ": -6,
    "μ": -6,
    "m": -3,
    "c": -2,
    "d": -1,
    "h": 2,
    "k": 3,
    "M": 6,
    "G": 9,
}
_MORE = ("/", "-", "^", "per ", "a ", "an ", "each", "every", "in ", "squared", "cubed", "sq")
"""What goes on with a unit."""
_NAMED = {"nano": -9, "micro": -6, "milli": -3, "centi": -2, "deci": -1, "kilo": 3, "mega": 6, "giga": 9, "": 0}
# symbol, name, factor, exponents of metre, kilogram, second, ampere, kelvin, mole
_BASES: list[tuple[str, str, str, tuple[int, ...]]] = [
    ("m", "meter metre", "1", (1, 0, 0, 0, 0, 0)),
    ("g", "gram", "1/1000", (0, 1, 0, 0, 0, 0)),
    ("s", "second", "1", (0, 0, 1, 0, 0, 0)),
    ("A", "ampere amp", "1", (0, 0, 0, 1, 0, 0)),
    ("K", "kelvin", "1", (0, 0, 0, 0, 1, 0)),
    ("mol", "mole", "1", (0, 0, 0, 0, 0, 1)),
    ("L", "liter litre", "1/1000", (3, 0, 0, 0, 0, 0)),
    ("l", "", "1/1000", (3, 0, 0, 0, 0, 0)),
    ("M", "molar", "1000", (-3, 0, 0, 0, 0, 1)),
    ("J", "joule", "1", (2, 1, -2, 0, 0, 0)),
    ("cal", "calorie", "4.184", (2, 1, -2, 0, 0, 0)),
    ("Wh", "", "3600", (2, 1, -2, 0, 0, 0)),
    ("eV", "electronvolt", "1.602176634e-19", (2, 1, -2, 0, 0, 0)),
    ("N", "newton", "1", (1, 1, -2, 0, 0, 0)),
    ("W", "watt", "1", (2, 1, -3, 0, 0, 0)),
    ("Pa", "pascal", "1", (-1, 1, -2, 0, 0, 0)),
    ("bar", "bar", "100000", (-1, 1, -2, 0, 0, 0)),
    ("Hz", "hertz", "1", (0, 0, -1, 0, 0, 0)),
    ("V", "volt", "1", (2, 1, -3, -1, 0, 0)),
    ("C", "coulomb", "1", (0, 0, 1, 1, 0, 0)),
    ("F", "farad", "1", (-2, -1, 4, 2, 0, 0)),
    ("Ω", "ohm", "1", (2, 1, -3, -2, 0, 0)),
    ("T", "tesla", "1", (0, 1, -2, -1, 0, 0)),
]
_ALONE: list[tuple[str, str, tuple[int, ...]]] = [
    ("min minute minutes", "60", (0, 0, 1, 0, 0, 0)),
    ("sec secs", "1", (0, 0, 1, 0, 0, 0)),
    ("h hr hrs hour hours", "3600", (0, 0, 1, 0, 0, 0)),
    ("tonne tonnes", "1000", (0, 1, 0, 0, 0, 0)),
    ("lb lbs", "0.45359237", (0, 1, 0, 0, 0, 0)),
    ("mi mile miles", "1609.344", (1, 0, 0, 0, 0, 0)),
    ("yd yard yards", "0.9144", (1, 0, 0, 0, 0, 0)),
    ("ft foot feet", "0.3048", (1, 0, 0, 0, 0, 0)),
    ("inch inches", "0.0254", (1, 0, 0, 0, 0, 0)),
    ("mph", "0.44704", (1, 0, -1, 0, 0, 0)),
    ("ha hectare hectares", "10000", (2, 0, 0, 0, 0, 0)),
    ("rpm", "1/60", (0, 0, -1, 0, 0, 0)),
    ("hp horsepower", "745.69987158227022", (2, 1, -3, 0, 0, 0)),  # 550 foot-pounds a second
    ("atm atmosphere atmospheres", "101325", (-1, 1, -2, 0, 0, 0)),
    ("mmHg torr Torr", "101325/760", (-1, 1, -2, 0, 0, 0)),
    ("°C ℃", "1", (0, 0, 0, 0, 1, 0, 1)),  # from another zero: never compared with kelvins
    ("°F ℉", "1", (0, 0, 0, 0, 1, 0, 2)),
]


class PhysicalQuantity(NamedTuple):
    """A number, and what it is in base units."""

    number: Fraction
    """As written: 10.2 of `10.2 kJ`."""
    value: Fraction
    """In base units: 10200."""
    unit: tuple[int, ...] | None
    """Their exponents; None where no unit is written."""
    plain: bool
    """Written without a power of ten."""
    grouped: bool = False
    """Its point may part thousands: `1.200`."""

    @property
    def bare(self) -> bool:
        """Whether it is a number like any other, which the other rules read."""
        return self.unit is None and self.plain


def _table() -> dict[str, tuple[Fraction, tuple[int, ...]]]:
    found: dict[str, tuple[Fraction, tuple[int, ...]]] = {}
    for symbol, names, factor, unit in _BASES:
        for prefix, power in _PREFIXES.items():
            found.setdefault(prefix + symbol, (Fraction(factor) * Fraction(10) ** power, unit))
        for prefix, power in _NAMED.items():
            for name in names.split():
                size = Fraction(factor) * Fraction(10) ** power
                found |= {prefix + name: (size, unit), f"{prefix}{name}s": (size, unit)}
    return found | {name: (Fraction(factor), unit) for names, factor, unit in _ALONE for name in names.split()}


_UNITS = _table()


@lru_cache(maxsize=8192)
def measure_of(text: str) -> PhysicalQuantity | None:
    """Read a text that is one measure and nothing else; None where it is anything more, or has no number."""
    found = _measures_in(text)
    return found[0][0] if len(found) == 1 and found[0][1].strip() == plain(text).strip(" .") else None


def _measures_in(text: str) -> list[tuple[PhysicalQuantity, str]]:
    """Return every measure of a text, in order, with the stretch that it stands in."""
    text, found, end = plain(text), [], 0
    for number in quantities(text):
        if number.start < end or number.form not in ("number", "fraction"):
            continue  # the `-1` of `mol L^-1`; a word
        factor, unit, end = _unit(text, number.end)
        usual = "^" not in number.text and "e" not in number.text.lower()
        said = PhysicalQuantity(number.value, number.value * factor, unit, usual, _grouped(number.text))
        found.append((said, text[number.start : end]))
    return found


def held_as_measures(answer: str, reference: str, number: str = "") -> Verdict | None:
    """Hold an answer against a yardstick that has a unit or a power of ten; None where the other rules are to decide.

    `answer` may be a sentence: `number` is what was taken out of it, and several measures that belong together (`3 h 20 min`)
    are left to the others. Of a number alone (without `number`) nobody knows how its unit went on.
    """
    right = None if reference.isdigit() else measure_of(reference)
    left = None if right is None or right.bare else _meant(answer, number)
    if right is None or left is None:
        return None
    if left.unit is None or right.unit is None:  # the unit was left out, or added
        said = _held(left.number, right.number, left, right) if not (left.plain and right.plain) else None
    elif left.unit == right.unit:
        said = _held(left.value, right.value, left, right)
        one_unit = left.plain and right.plain and left.value * right.number == right.value * left.number
        if said == "disagrees" and one_unit:  # numbers tell, and what the question wants rounded
            said = None
    elif left.unit[4] == right.unit[4] != 0:  # temperatures from two zeros may be one
        said = "doubt" if left.number != right.number else None
    else:  # other numbers are told apart by the other rules
        one_number = bool(number) and left.number == right.number
        said = (
            "doubt" if one_number and not _meant_alike(left.unit, right.unit) and not _goes_on(answer, left) else None
        )
    return said if said != "disagrees" or not (left.grouped or right.grouped) else None


def _goes_on(answer: str, measure: PhysicalQuantity) -> bool:
    """Tell whether more of a unit stands behind what could be read of it: `60 miles an hour`, `20 feet squared`."""
    text = plain(answer)
    stretch = next((words for found, words in _measures_in(answer) if found == measure), "")
    return text[text.find(stretch) + len(stretch) :].lstrip(" ").startswith(_MORE)


def _meant_alike(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Tell whether one unit may be written for the other: `40 C` for `40 °C`, `5 m` for `5 min`."""
    return bool(a[6] or b[6]) or {a, b} == {_UNITS["m"][1] + (0,), _UNITS["s"][1] + (0,)}


def _meant(answer: str, number: str) -> PhysicalQuantity | None:
    """Return the measure of a stretch that was taken for its answer; None for a number like any other, and for several."""
    said = _measures_in(answer)
    if len(said) > 1:
        own = _measures_in(number)
        if len(own) != 1:
            return None
        ((measure, words),) = own
        said = [x for x in said if x[1] == words] or [x for x in said if x[0].number == measure.number]
    return None if not said or said[0][0].bare else said[0][0]


def _held(a: Fraction, b: Fraction, left: PhysicalQuantity, right: PhysicalQuantity) -> Verdict:
    if a == b:
        return "agrees"
    into = (left.value * right.number) / (right.value * left.number) if left.number and b else Fraction(1)
    exact = 1 in (into.numerator, into.denominator)  # of miles and kilometres nobody writes all figures
    whole = exact and all(m.plain and m.number.denominator == 1 for m in (left, right))
    return "doubt" if not whole and abs(a - b) <= NEAR * abs(b) else "disagrees"


def _grouped(number: str) -> bool:
    head, point, tail = number.lstrip("-").partition(".")
    return bool(point) and len(tail) == 3 and tail.isdigit() and 0 < len(head) < 4 and head != "0"


def unit_end(text: str, at: int) -> int:
    """Return where the unit behind a number ends, or `at` where there is none."""
    end = _unit(text, at)[2]
    behind = text[end : end + 2]
    return at if behind[:1].isalnum() or (behind[:1] == "-" and behind[1:].isalpha()) else end  # `12 T-shirts`


def chemical(text: str) -> str:
    """Return a formula's letters and digits, however they are raised, lowered or set: `CaCO₃`, `\\mathrm{CaCO_3}` → `CaCO3`."""
    return plain(lowered(text)).translate(_SET)


def lowered(text: str) -> str:
    """Return a text with its lowered digits as digits."""
    return text if text.isascii() else text.translate(_LOWERED)


_LOWERED = {0x2080 + i: str(i) for i in range(10)}
_SET = str.maketrans("", "", "$_{} ")


def _unit(text: str, at: int) -> tuple[Fraction, tuple[int, ...] | None, int]:
    """Return factor, exponents and end of the unit behind a number; none where a word of it is not known."""
    factor, end, grouped = Fraction(1), at, False
    total: tuple[int, ...] = (0,) * 7
    while (piece := _piece(text, end)) is not None and (known := _UNITS.get(piece.name)) is not None:
        below = grouped or "/" in piece.before
        grouped = (grouped or (below and "(" in piece.before)) and text[piece.end : piece.end + 1] != ")"
        power = -piece.power if below else piece.power
        factor *= known[0] ** power
        total = tuple(a + power * b for a, b in zip(total, (*known[1], 0)[:7], strict=True))
        end = piece.end + (text[piece.end : piece.end + 1] == ")" and "(" in text[at : piece.end])
    if text[end : end + 1] in ("'", "’"):  # `5 A's`
        return Fraction(1), None, at
    return factor, (total if end > at else None), end


class _Piece(NamedTuple):
    before: str
    """What stands between it and what is before: blanks, a stroke, a bracket."""
    name: str
    power: int
    end: int


def _piece(text: str, at: int) -> _Piece | None:
    """Read one unit of a product, with its power: `/mol`, ` L^(-1)`, `cm3`; None where no letter follows."""
    start = at + _run(text[at:], " /*·(")
    per = text.startswith("per ", start)
    start, before = (start + 4, "/") if per else (start, text[at:start])
    stop = start
    while stop < len(text) and (text[stop].isalpha() or text[stop] == "°"):
        stop += 1
    if stop == start:
        return None
    opened = _run(text[stop:], "^({")
    raised = text[stop + opened :]
    digits = raised[1:] if raised[:1] == "-" else raised
    if not digits[:1].isdecimal() or digits[1:2].isdecimal():
        return _Piece(before, text[start:stop], 1, stop)
    end = len(text) - len(digits) + 1
    end += _run(text[end:], ")}") if opened > 1 else 0
    power = int(digits[0]) * (-1 if raised[:1] == "-" else 1)
    return _Piece(before, text[start:stop], power, end)


def _run(text: str, signs: str) -> int:
    """Count how many of these signs a text begins with."""
    return len(text) - len(text.lstrip(signs))
