"""What kind of answer a gold answer is, where its data set does not say."""

from orcamath.answers.expressions import parse_expression
from orcamath.answers.forms import NAME_IS, SHOWN, UNREAD, parts, ratio, without_units
from orcamath.answers.latex import plain
from orcamath.answers.number_words import stands_for
from orcamath.answers.numbers import exact, quantities
from orcamath.answers.relations import in_symbols, names, relation
from orcamath.answers.science import measure_of
from orcamath.answers.units import measure
from orcamath.answers.wording import gives_up
from orcamath.answers.writing import in_points
from orcamath.records import AnswerKind

__all__ = ["kind_of"]

_SYMBOLS = frozenset("√π^<>≤≥≠∞∪")
"""Signs that occur in formulas only: in no number, name or measure."""


def kind_of(answer: str, options: tuple[str, ...] = (), question: str = "") -> AnswerKind:
    """Guess the kind of a gold answer that comes without one. The language of `question` tells whether `2,5` is one number."""
    if options:
        return "choice"
    answer = in_points(answer, question)
    if exact(answer.strip().lstrip("-$ ")) is not None:
        return "number"
    if (measured := measure_of(answer)) is not None and not measured.bare:
        return "number"
    text = plain(answer)
    if gives_up(text):
        return "text"
    if UNREAD.search(answer) or any(name in answer for name in SHOWN):
        return "expression"
    if "^" in text:
        text = without_units(text)  # `12 cm^2`
    bare = text.strip("(). ")
    if len(bare) == 1 and bare in "ABCDEabcd":
        return "choice"
    pieces = parts(text)
    if len(pieces) > 1 and _is_set(text, pieces):
        return "set"
    value = NAME_IS.sub("", text).strip()
    if value[:1] in "([{" and value[-1:] in ")]}" and "," in value and quantities(value):
        return "expression"
    if not _SYMBOLS.isdisjoint(text) or "sqrt" in text or "choose" in text or ratio(text) or in_symbols(text):
        return "expression"
    if (said := relation(text)) is not None and not names(said, text):
        return "expression"
    if (len(text) == 1 and text.isalpha()) or ("!" in text and parse_expression(value)):
        return "expression"
    if (named := stands_for(text)) and named.form == "clock":
        return "number"
    return "number" if any(q.form != "ordinal" for q in quantities(text)) else "text"


def _is_set(text: str, pieces: list[str]) -> bool:
    """Whether every part is a number, bare (`3, 5`) or with a name (`8 adults, 12 children`; `x = 3, y = 5`)."""
    if all(exact(piece.strip("$ ")) is not None for piece in pieces):
        return True
    numbers = quantities(text)
    if len(numbers) != len(pieces) or any(len(quantities(piece)) != 1 or piece[0] in "([{" for piece in pieces):
        return False
    return measure(text, numbers[0])[2] <= numbers[1].start  # `3 hours, 20 minutes` is one
