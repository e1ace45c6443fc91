"""Do two short answers say the same? True, False, or None where the rules cannot be sure.

Numbers are compared exactly, as fractions. Differences in form that mean the same are allowed (`1,319` = `1319.0`, `60%` =
`60`, `3/4` = `0.75`, `2:00 pm` = `2`); units convert only where the question's own unit, or the other answer's, says into
what. Floats printed with nine or more decimals are equal up to 1e-9 of their size: data sets write 1/3 so.
"""

from fractions import Fraction

from orcamath.answers.forms import parts, same_form
from orcamath.answers.latex import plain
from orcamath.answers.number_words import SCALES
from orcamath.answers.numbers import exact, quantities
from orcamath.answers.quantity import Quantity
from orcamath.answers.readings import Reading, decimals, near, reading_of
from orcamath.answers.relations import in_symbols
from orcamath.answers.science import SAYS, chemical, held_as_measures, lowered
from orcamath.answers.units import Demand, asked
from orcamath.answers.wording import choice_of, gives_up, letter, listed, same_text, without_letter
from orcamath.answers.writing import meanings
from orcamath.records import AnswerKind
from orcamath.text.choices import letter_of
from orcamath.text.money import CURRENCY_SIGNS

__all__ = ["likely", "same"]

MAX_QUESTION = 4_000
"""Of a longer question only the end is read: that is where it asks."""
_ROUND = ("round", "nearest", "approximat", "about how", "decimal place", "estimat")
"""How a question asks for a rounded number: a word that begins so."""


def same(kind: AnswerKind, a: str, b: str, question: str = "", options: tuple[str, ...] = ()) -> bool | None:
    """Compare answer `a` with the yardstick `b`; None where rules cannot decide it."""
    a, b, question = a.strip(), b.strip(), question[-MAX_QUESTION:]
    if kind in ("number", "set") and ("," in b or "." in b):
        said = {_same(kind, a, meant, question, options) for meant in meanings(b, question)}
        return True if True in said else None if None in said else False
    return _same(kind, a, b, question, options)


def _same(kind: AnswerKind, a: str, b: str, question: str, options: tuple[str, ...]) -> bool | None:
    """Compare with one reading of the yardstick."""
    if b[1:2] == " " and b[0] in "-−–":
        b = f"-{b[2:]}"  # a yardstick is no item of a list
    if kind == "number" and a == b and a.isdigit():
        return True
    if kind == "number" and (left := exact(a.replace("$", ""))) is not None:
        right = exact(b.replace("$", ""))
        if right is not None:
            one, other = left.numerator * right.denominator, right.numerator * left.denominator
            if one == other:
                return True
            apart = abs(one - other) > max(left.denominator * right.denominator, abs(other) // 10**9)
            if not ("." in a or "." in b) or (
                apart and "$" not in a
            ):  # else rounded, or in cents, they may be the same
                hundredfold = one == 100 * other or other == 100 * one
                return None if hundredfold and asked(question).percent else False
    elif a == b:
        return bool(a) or None
    if kind in ("number", "text", "expression") and (said := held_as_measures(a, b)) is not None:
        return SAYS[said]
    if kind == "number":
        alike = _same_number(a, b, question)
        return None if alike and _other_currency(a, b) else alike
    if kind == "set":
        return _same_set(a, b, question)
    if kind == "choice":
        return _same_choice(a, b, options or listed(question))
    if kind == "expression":
        return same_form(a, b)
    return _same_words(a, b, question)


def _same_words(a: str, b: str, question: str) -> bool | None:
    """Compare texts; a formula's digits may be lowered, and its letters mean something else in the other case: `CO`, `Co`."""
    a, b = lowered(a), lowered(b)
    alike = same_text(a, b, question)
    if alike and a != b and a.casefold() == b.casefold() and b[1:] != b[1:].lower() and " " not in b:
        return None
    return True if alike is False and chemical(a) == chemical(b) != "" else alike


def likely(kind: AnswerKind, a: str, b: str, question: str = "") -> bool:
    """Take a side where `same` does not: is `a` more likely than not meant as `b`?"""
    if kind in ("text", "choice"):
        return same_text(a, b) is not False and bool(a.strip())
    if kind == "set":
        return False
    left, right = reading_of(a, question), reading_of(b)
    if left is None or right is None:
        return False
    if left.shown == right.shown and not left.compound:
        return True
    return _converted(left, right) or _as_percentage(left, right, asked(question))


def _other_currency(a: str, b: str) -> bool:
    """Tell whether two amounts are in two currencies: `£5`, `$5`."""
    return len({x.lstrip("-−–")[:1] for x in (a, b)} & {*CURRENCY_SIGNS}) > 1


def _same_number(a: str, b: str, question: str) -> bool | None:
    wanted = asked(question)
    right = reading_of(b, question if wanted.time_of_day else "")
    if in_symbols(plain(a), question):
        return False if right is not None and right.sure else None
    left = reading_of(a, question)
    if left is None or right is None:
        return _without_number(a, b, right, question)
    if (said := _equal(left, right, wanted)) is not None:
        return said
    if left.quantity and (word := _scale(left.quantity, right)) is not None:
        return True if word and word in question.lower() else None
    if isinstance(left.value, float) != isinstance(right.value, float) and near(
        left.value, right.value, abs(Fraction(right.value)) / 1000
    ):
        return None  # 25π for 78.5, or for 78.57 with π as 22/7
    if _digits_of_time(left, right):
        return None
    if _rounded(left, right):
        return True if _asks_round(question) else None
    if left.shown == right.shown and not left.compound:
        return None
    if _converted(left, right) or _as_percentage(left, right, wanted):
        return None
    return False if left.sure and right.sure else None


def _scale(said: Quantity, right: Reading) -> str | None:
    """Return the scale of `7 dozens` or `$2k` where the yardstick is 7 or 2: the word, if it is one; None elsewhere."""
    digits = said.text.lstrip(f"{CURRENCY_SIGNS} ")
    spaced = digits.replace("-", " ")
    number = spaced.partition(" ")[0] if " " in spaced else digits.rstrip("kMmnb")
    if number == digits or not any(q.value == right.value for q in quantities(number)):
        return None
    word = digits[len(number) :].strip(" -").lower()
    if len(word) > 2:
        return word.rstrip("s") if word.rstrip("s") in SCALES else None
    return "" if said.unit else None


def _without_number(a: str, b: str, right: Reading | None, question: str) -> bool | None:
    """Compare where a side has no number: a refusal answers none; a letter stands for a choice that the question lists."""
    if right is None:
        return same_text(a, b, question)
    if gives_up(a):
        return False
    chosen, choices = letter(a), listed(question)
    if chosen is None or choice_of(chosen) >= len(choices):
        return None
    return _same_number(choices[choice_of(chosen)], b, question)


def _equal(left: Reading, right: Reading, wanted: Demand) -> bool | None:
    """True for equal values; None goes on to the doubtful forms."""
    unit = right.unit or wanted.unit
    if left.unit and left.unit.dimension == "money" and unit is None and left.value * left.unit.size == right.value:
        return True  # 75¢ is 0.75
    if left.unit and unit and left.unit.dimension == unit.dimension and left.unit.size != unit.size:
        return True if left.value * left.unit.size / unit.size == right.value else None
    a, b = left.quantity, right.quantity
    percents = [q for q in (a, b) if q is not None and q.form == "percent"]
    if len(percents) == 1:
        if left.shown == right.shown:
            return True
        # 70% for a length of 0.7 is a doubt; where a percentage is asked or given it is the same
        return True if left.value == right.value and (b in percents or wanted.percent or wanted.share) else None
    if _close(left, right):
        return True
    clocks = [q for q in (a, b) if q is not None and q.form == "clock"]
    if len(clocks) == 2:
        halves = ["m" in q.text.lower() or "noon" in q.text.lower() or not 1 <= q.value < 13 for q in clocks]
        return True if not all(halves) and left.value % 12 == right.value % 12 else None
    if clocks and left.value % 12 == right.value % 12:
        return True
    return None


def _digits_of_time(left: Reading, right: Reading) -> bool:
    """`1930` and `7.30` show the digits of a yardstick such as 7:30 pm, of either clock."""
    if right.quantity is None or right.quantity.form != "clock" or left.quantity is None or left.quantity.unit:
        return False
    hour, minute = divmod(int(right.quantity.value * 60), 60)
    shown = left.quantity.text.replace(".", "").lstrip("0")
    return len(shown) > 2 and shown in (f"{hour}{minute:02}", f"{hour % 12}{minute:02}")


def _close(left: Reading, right: Reading) -> bool:
    """Equal; or equal up to the noise of a float that was printed in full, or of a root."""
    if left.value == right.value:
        return True
    rough = max(left.decimals, right.decimals) >= 9 or isinstance(left.value, float) or isinstance(right.value, float)
    return rough and near(left.value, right.value, abs(Fraction(right.value)) / 10**9)


def _rounded(left: Reading, right: Reading) -> bool:
    """One is the other, rounded to the decimals it shows (at least one, or three figures)."""
    for fine, coarse in ((left, right), (right, left)):
        text = coarse.quantity.text if coarse.quantity else ""
        places, digits = decimals(text), sum(c.isdigit() for c in text)
        if coarse.quantity is None or coarse.quantity.form not in ("number", "percent") or not (places or digits >= 3):
            continue
        places += 2 * (coarse.quantity.form == "percent")
        if near(fine.value, coarse.value, Fraction(1, 2 * 10**places)):
            return True
    return False


def _asks_round(question: str) -> bool:
    words = " " + question.lower().replace("(", " ")
    return any(f" {word}" in words for word in _ROUND)


def _converted(left: Reading, right: Reading) -> bool:
    """The numbers agree in some unit of the dimension, though nothing says that it is the one asked for."""
    if left.unit is None or right.unit is not None:
        return False
    base, goal = Fraction(left.value) * left.unit.size, Fraction(right.value)
    return any(base == goal * size for size in _SIZES.get(left.unit.dimension, ()))


_SIZES: dict[str, tuple[int | Fraction, ...]] = {
    "time": (1, 60, 3600, 86400, 604800),
    "months": (1, 12),
    "money": (1, Fraction(1, 100)),
    "length": (1, Fraction(1, 100), 1000, Fraction(254, 10000), Fraction(3048, 10000)),
    "mass": (1, 1000),
    "volume": (1, 1000),
}


def _as_percentage(left: Reading, right: Reading, wanted: Demand) -> bool:
    """`0.25` or `1/4` where 25 per cent are asked, `70%` where 0.7 is."""
    return left.value == right.value or (wanted.percent and left.value * 100 == right.shown)


def _same_set(a: str, b: str, question: str) -> bool | None:
    a, b = plain(a), plain(b)
    said, pieces = quantities(a), parts(b)
    goal = [r for part in pieces if (r := reading_of(part)) is not None]
    if not goal:
        return same_text(a, b, question)
    labels = [_label(part) for part in pieces] if len(goal) == len(pieces) else []
    if labels and all(labels) and len(set(labels)) == len(labels):
        first = not pieces[0].strip()[:1].isdigit()
        if (named := _by_label(a, said, labels, first=first)) is not None:
            return all(
                _close(Reading(named[x], named[x].value, None, True), r) for x, r in zip(labels, goal, strict=True)
            )
        if len(said) == len(goal) and not all(q.value == r.value for q, r in zip(said, goal, strict=True)):
            return None if sorted(q.value for q in said) == sorted(r.value for r in goal) else False
    left = [Reading(q, q.value, None, True, False, decimals(q.text)) for q in said]
    missing = []
    for target in goal:
        hit = next((r for r in left if _close(r, target) or r.shown == target.shown), None)
        if hit is None:
            missing.append(target)
        else:
            left.remove(hit)
    given = {q.value for q in quantities(question)}
    if not missing:
        extra = [r for r in left if r.value not in given and r.quantity and r.quantity.form != "word"]
        return True if not extra else None
    if any(_rounded(r, target) for r in left for target in missing):
        return None
    new = [q for q in said if q.value not in given]
    return False if len(new) >= len(goal) or len(said) == len(goal) else None


def _label(text: str) -> str:
    """Return what a number is called, or counts: `x` of `x = 3`, `adult` of `8 adults`."""
    words = [w.strip(".:=,").lower() for w in text.replace("=", " ").split()]
    named = [w.rstrip("s") or w for w in words if w.isalpha()]
    return named[0] if named else ""


def _by_label(text: str, said: tuple[Quantity, ...], labels: list[str], *, first: bool) -> dict[str, Quantity] | None:
    """Find the number of every label, behind it (`x = 3`, `first`) or in front of it (`8 adults`); None where one has none."""
    found: dict[str, Quantity] = {}
    for i, q in enumerate(said):
        before = text[said[i - 1].end if i else 0 : q.start].rstrip()
        after = text[q.end : said[i + 1].start if i + 1 < len(said) else len(text)]
        sides = (before, after) if first or before.endswith(("=", ":")) else (after, before)
        for side in sides:
            words = [w.strip(".:=,;").lower().rstrip("s") or "s" for w in side.replace("=", " ").split()]
            named = [word for word in words if word in labels]
            if named:
                found.setdefault(named[-1] if side is before else named[0], q)
                break
    return found if len(found) == len(labels) else None


def _same_choice(a: str, b: str, options: tuple[str, ...]) -> bool | None:
    left, right = _chosen(a, options), _chosen(b, options)
    if left and right:
        return left == right
    return same_text(a, b) if left is right else None


def _chosen(text: str, options: tuple[str, ...]) -> str | None:
    """Return the letter an answer names, by itself or by the value of exactly one option."""
    matching = [i for i, option in enumerate(options) if _same_option(text, option)]
    if len(matching) == 1:
        return letter_of(matching[0])
    return letter(text)


def _same_option(text: str, option: str) -> bool:
    text, option = without_letter(text), without_letter(option)
    if same_text(text, option):
        return True
    left, right = reading_of(text), reading_of(option)
    return left is not None and right is not None and left.sure and right.sure and _close(left, right)
