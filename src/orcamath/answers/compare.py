"""Do two short answers say the same? True, False, or None where the rules cannot be sure.

Numbers are compared exactly, as fractions. Differences in form that mean the same are allowed (`1,319` = `1319.0`, `60%` =
`60`, `3/4` = `0.75`, `2:00 pm` = `2`); units convert only where the question's own unit, or the other answer's, says into
what. Floats printed with nine or more decimals are equal up to 1e-9 of their size: data sets write 1/3 so.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from orcamath.answers.choose import choose
from orcamath.answers.expressions import Expression, parse, same_expression, value_of
from orcamath.answers.latex import plain
from orcamath.answers.numbers import Quantity, exact, quantities
from orcamath.answers.units import Asked, Unit, asked, measure
from orcamath.answers.wording import letter, same_text
from orcamath.records import AnswerKind

__all__ = ["Reading", "calculation", "kind_of", "likely", "read", "same"]

MAX_QUESTION = 4_000
"""Of a longer question only the end is read: that is where it asks."""
_PLAIN = re.compile(r"[-$]{0,2}[0-9][0-9,]{0,30}(?:\.[0-9]{1,30})?")
_NAME_IS = re.compile(r"^[ (]*(?:[A-Za-z]|[a-z]\([a-z]\)|[A-Za-z ]{2,30})[ ]*=[ ]*(?=[^=]+$)")
_ROUND = re.compile(r"\b(?:round|nearest|approximat|about how|decimal place|estimat)", re.IGNORECASE)
_CALCULATION = re.compile(r"[0-9)πa-z][ ]?[-+*/^×÷·−][ ]?[-(0-9πs]|sqrt|√|π")
_TIMES = re.compile(r"(?<=[0-9)])[ ]?[xX][ ]?(?=[0-9(])")
_BRACKETS = re.compile(r"[(\[{].*[)\]}]", re.DOTALL)
_FORMULA = re.compile(r"\bsqrt|√|π|[0-9)a-z]\^")
_LETTERS_ONLY = re.compile(
    r"^(?=[^ ]*[a-z])(?!.*[A-Za-z]{3})(?![0-9.,]+ ?(?:st|nd|rd|th|[ap]m|[ck]?m|[mk]?g|[mc]?l|ft|in|lb|oz|hr?)s?$)[^ ]+$"
)
_OF_SET = re.compile(r"^\s*\\?\{(?=[^{}]*\}\s*$)|(?<=[0-9a-z])\s*\\?\}\s*$")
_PARTS = re.compile(r",(?![0-9]{3}(?![0-9]))|;|∪|\band\b|\bor\b")


class Reading(NamedTuple):
    """A short answer, read as a number."""

    quantity: Quantity | None
    """As written; None for the value of an expression."""
    value: Fraction | float
    """In terms of `unit`, smaller parts added in."""
    unit: Unit | None
    sure: bool
    compound: bool = False

    @property
    def shown(self) -> Fraction | float:
        """The number on the page: 60 for `60%`, 3 for `3 hours`."""
        return self.quantity.shown if self.quantity else self.value


@lru_cache(maxsize=8192)
def read(text: str, question: str = "") -> Reading | None:
    """Read a short answer's number with its unit; compounds (`3 hours 20 minutes`) are added up."""
    text = plain(text)
    if (value := _calculated(text)) is not None:
        return Reading(None, value, None, True)
    choice = choose(text, question)
    if choice is None:
        return None
    value, unit, end = measure(text, choice.quantity)
    inside = quantities(text[choice.quantity.end : end]) if unit else []
    return Reading(choice.quantity, value, unit, choice.sure, bool(inside))


def calculation(text: str) -> str | None:
    """Return `3 + 4`, `2^10` or `3√2` where a text, or what follows its last `=`, is one; None for numbers and words."""
    core = _TIMES.sub("*", text.rpartition("=")[2].strip(" $.")[:100])
    if len(core) > 80 or not _CALCULATION.search(core):
        return None
    expression = parse(core)
    return core if expression is not None and value_of(expression) is not None else None


def _calculated(text: str) -> Fraction | float | None:
    core = calculation(text)
    expression = parse(core) if core else None
    return value_of(expression) if expression is not None else None


def kind_of(answer: str, options: tuple[str, ...] = ()) -> AnswerKind:
    """Guess the kind of a gold answer that comes without one."""
    text = plain(answer)
    if options:
        return "choice"
    if _PLAIN.fullmatch(text):
        return "number"
    if re.fullmatch(r"\(?[A-E]\)?\.?", text):
        return "choice"
    if _BRACKETS.fullmatch(text) and "," in text and quantities(text):
        return "expression"
    parts = [p for p in _PARTS.split(text) if p.strip()]
    if len(parts) > 1 and all(exact(p.strip("$ ")) is not None for p in parts):
        return "set"
    if _FORMULA.search(text) or (_LETTERS_ONLY.search(text) and parse(_NAME_IS.sub("", text)) is not None):
        return "expression"
    return "number" if any(q.form != "ordinal" for q in quantities(text)) else "text"


def same(kind: AnswerKind, a: str, b: str, question: str = "", options: tuple[str, ...] = ()) -> bool | None:
    """Compare answer `a` with the yardstick `b`; None where rules cannot decide it."""
    a, b, question = a.strip(), b.strip(), question[-MAX_QUESTION:]
    if kind == "number" and _PLAIN.fullmatch(a) and _PLAIN.fullmatch(b):
        left, right = exact(a.replace("$", "")), exact(b.replace("$", ""))
        if left is not None and right is not None and (left == right or not _decimals(a) + _decimals(b)):
            return left == right or (None if asked(question).percent and left == 100 * right else False)
    elif a == b:
        return bool(a) or None
    if kind == "number":
        return _same_number(a, b, question)
    if kind == "set":
        return _same_set(a, b, question)
    if kind == "choice":
        return _same_choice(a, b, options)
    return _same_form(a, b) if kind == "expression" else same_text(a, b)


def likely(kind: AnswerKind, a: str, b: str, question: str = "") -> bool:
    """Take a side where `same` does not: is `a` more likely than not meant as `b`?"""
    if kind in ("text", "choice"):
        return same_text(a, b) is not False and bool(a.strip())
    if kind == "set":
        return False
    left, right = read(a, question), read(b)
    if left is None or right is None:
        return _says_nothing(a) and right is not None and right.value == 0
    if left.shown == right.shown and not left.compound:
        return True
    return _converted(left, right) or _as_percentage(left, right, asked(question))


_NOTHING = re.compile(r"\b(?:no|none|nothing|zero|nobody)\b", re.IGNORECASE)


def _says_nothing(text: str) -> bool:
    return bool(_NOTHING.search(text))


def _same_number(a: str, b: str, question: str) -> bool | None:
    left, right = read(a, question), read(b)
    if left is None or right is None:
        return same_text(a, b) if left is right else None
    wanted = asked(question)
    if (said := _equal(left, right, wanted)) is not None:
        return said
    if _rounded(left, right):
        return True if _ROUND.search(question) else None
    if left.shown == right.shown and not left.compound:
        return None
    if _converted(left, right) or _as_percentage(left, right, wanted):
        return None
    return False if left.sure and right.sure else None


def _equal(left: Reading, right: Reading, wanted: Asked) -> bool | None:
    """True for equal values; None goes on to the doubtful forms."""
    unit = right.unit or wanted.unit
    if left.unit and unit and left.unit.dimension == unit.dimension and left.unit.size != unit.size:
        return True if left.value * left.unit.size / unit.size == right.value else None
    a, b = left.quantity, right.quantity
    percents = [q for q in (a, b) if q is not None and q.form == "percent"]
    if len(percents) == 1:
        if left.shown == right.shown:
            return True
        # 70% for a length of 0.7 is a doubt; where a percentage is asked or given it is the same
        return True if left.value == right.value and (b in percents or wanted.percent) else None
    if _close(left, right):
        return True
    clocks = [q for q in (a, b) if q is not None and q.form == "clock"]
    if len(clocks) == 2:
        halves = ["m" in q.text.lower() for q in clocks]
        return True if not all(halves) and left.value % 12 == right.value % 12 else None
    if clocks and left.value % 12 == right.value % 12:
        return True
    return None


def _close(left: Reading, right: Reading) -> bool:
    """Equal; or equal up to the noise of a float that was printed in full, or of a root."""
    if left.value == right.value:
        return True
    printed = (
        max(_decimals(q.text) for r in (left, right) if (q := r.quantity)) if left.quantity or right.quantity else 0
    )
    rough = printed >= 9 or isinstance(left.value, float) or isinstance(right.value, float)
    return rough and _near(left.value, right.value, abs(Fraction(right.value)) / 10**9)


def _rounded(left: Reading, right: Reading) -> bool:
    """One is the other, rounded to the decimals it shows (at least one, or three figures)."""
    for fine, coarse in ((left, right), (right, left)):
        text = coarse.quantity.text if coarse.quantity else ""
        places, digits = _decimals(text), sum(c.isdigit() for c in text)
        if coarse.quantity is None or coarse.quantity.form != "number" or not (places or digits >= 3):
            continue
        if _near(fine.value, coarse.value, Fraction(1, 2 * 10**places)):
            return True
    return False


def _near(a: Fraction | float, b: Fraction | float, within: Fraction) -> bool:
    return abs(Fraction(a) - Fraction(b)) <= within


def _converted(left: Reading, right: Reading) -> bool:
    """The numbers agree in some unit of the dimension, though nothing says that it is the one asked for."""
    if left.unit is None or right.unit is not None:
        return False
    base, goal = Fraction(left.value) * left.unit.size, Fraction(right.value)
    return any(base == goal * size for size in _SIZES.get(left.unit.dimension, ()))


_SIZES: dict[str, tuple[int | Fraction, ...]] = {
    "time": (1, 60, 3600, 86400, 604800), "months": (1, 12), "money": (1, Fraction(1, 100)),
    "length": (1, Fraction(1, 100), 1000, Fraction(254, 10000), Fraction(3048, 10000)),
    "mass": (1, 1000), "volume": (1, 1000),
}  # fmt: skip


def _as_percentage(left: Reading, right: Reading, wanted: Asked) -> bool:
    """`0.25` or `1/4` where 25 per cent are asked, `70%` where 0.7 is."""
    return left.value == right.value or (wanted.percent and left.value * 100 == right.shown)


def _decimals(text: str) -> int:
    behind = text.partition(".")[2]
    return sum(c.isdigit() for c in behind)


def _same_set(a: str, b: str, question: str) -> bool | None:
    said, goal = quantities(plain(a)), [r for part in _PARTS.split(plain(b)) if (r := read(part.strip())) is not None]
    left = [Reading(q, q.value, None, True) for q in said]
    missing = []
    for target in goal:
        hit = next((r for r in left if _close(r, target) or r.shown == target.shown), None)
        if hit is None:
            missing.append(target)
        else:
            left.remove(hit)
    if not goal:
        return same_text(a, b)
    given = {q.value for q in quantities(question)}
    if not missing:
        extra = [r for r in left if r.value not in given and r.quantity and r.quantity.form != "word"]
        return True if not extra else None
    if any(_rounded(r, target) for r in left for target in missing):
        return None
    new = [q for q in said if q.value not in given]
    return False if len(new) >= len(goal) or len(said) == len(goal) else None


def _same_choice(a: str, b: str, options: tuple[str, ...]) -> bool | None:
    left, right = _chosen(a, options), _chosen(b, options)
    if left and right:
        return left == right
    return same_text(a, b) if left is right else None


def _chosen(text: str, options: tuple[str, ...]) -> str | None:
    """Return the letter an answer names, by itself or by the value of exactly one option."""
    matching = [i for i, option in enumerate(options) if _same_option(text, option)]
    if len(matching) == 1:
        return chr(ord("A") + matching[0])
    return letter(text)


_OPTION_LETTER = re.compile(r"^\(?[A-Ja-j] ?[).:]\s*")


def _same_option(text: str, option: str) -> bool:
    text, option = _OPTION_LETTER.sub("", text), _OPTION_LETTER.sub("", option)
    if same_text(text, option):
        return True
    left, right = read(text), read(option)
    return left is not None and right is not None and left.sure and right.sure and _close(left, right)


def _same_form(a: str, b: str) -> bool | None:
    """Compare expressions, ordered pairs, intervals, unions."""
    a, b = (_NAME_IS.sub("", plain(_OF_SET.sub("", text)).replace("$", "").strip(" .")) for text in (a, b))
    if a.replace(" ", "") == b.replace(" ", ""):
        return True
    left, right = parse(a), parse(b)
    if left is not None and right is not None:
        said = same_expression(left, right)
        return _unless_rounded(left, right) if said is False else said
    if (pairs := _elementwise(a, b)) is not None:
        return pairs
    if left is None and right is None and not quantities(a) and not quantities(b):
        return same_text(a, b)
    return None


def _unless_rounded(a: Expression, b: Expression) -> bool | None:
    """False for different values; None where one may be the other, rounded: `14.14` for `10√2`."""
    left, right = value_of(a), value_of(b)
    if left is None or right is None:
        return False
    return None if _near(left, right, abs(Fraction(right)) / 1000) else False


def _elementwise(a: str, b: str) -> bool | None:
    """Compare lists part by part: `(3, 5)` and `[2, 5)` in order and with their brackets, bare lists in any order."""
    left, right = [p.strip() for p in _PARTS.split(a)], [p.strip() for p in _PARTS.split(b)]
    if len(left) < 2 and len(right) < 2:
        return None
    if len(left) != len(right):
        return False
    if [p.strip("([{}])") == p for p in left] != [p.strip("([{}])") == p for p in right]:
        return None
    ordered = a[:1] in "([" and b[:1] in "(["
    if (
        ordered
        and [p[:1] + p[-1:] for p in left if p[:1] in "([" or p[-1:] in ")]"]
        and a[-1:] + a[:1] != b[-1:] + b[:1]
    ):
        return False
    cores = [[p.strip("([{}]) ") for p in side] for side in (left, right)]
    if not ordered:
        cores = [sorted(side, key=_order) for side in cores]
    said = [_same_form(x, y) for x, y in zip(*cores, strict=True)]
    return None if None in said else all(said)


def _order(text: str) -> tuple[float, str]:
    expression = parse(text)
    value = value_of(expression) if expression is not None else None
    return (float(value) if value is not None else 0.0, text)
