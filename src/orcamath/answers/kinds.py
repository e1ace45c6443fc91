"""What kind of answer a gold answer is, where its data set does not say."""

import re

from orcamath.answers.expressions import parse
from orcamath.answers.forms import NAME_IS, PARTS, UNREAD, without_units
from orcamath.answers.latex import plain
from orcamath.answers.numbers import exact, quantities
from orcamath.records import AnswerKind

__all__ = ["kind_of"]

_AREA = re.compile(r"[0-9)] [A-Za-z]{1,14}[ ]?\^")
_NUMBER = re.compile(r"[-$]{0,2}[0-9][0-9,]{0,30}(?:\.[0-9]{1,30})?")
_BRACKETS = re.compile(r"[(\[{].*[)\]}]", re.DOTALL)
_FORMULA = re.compile(r"sqrt|√|π|[0-9)a-z]\^")
_LETTERS_ONLY = re.compile(
    r"^(?=[^ ]*[a-z])(?!.*[A-Za-z]{3})(?![0-9.,]+ ?(?:st|nd|rd|th|[ap]m|[ck]?m|[mk]?g|[mc]?l|ft|in|lb|oz|hr?)s?$)[^ ]+$"
)


def kind_of(answer: str, options: tuple[str, ...] = ()) -> AnswerKind:
    """Guess the kind of a gold answer that comes without one."""
    text = plain(answer)
    if UNREAD.search(answer):
        return "expression"
    if _AREA.search(text):
        text = without_units(text)
    if options:
        return "choice"
    if _NUMBER.fullmatch(text):
        return "number"
    if re.fullmatch(r"\(?[A-E]\)?\.?", text):
        return "choice"
    if _BRACKETS.fullmatch(NAME_IS.sub("", text)) and "," in text and quantities(text):
        return "expression"
    parts = [p for p in PARTS.split(text) if p.strip()]
    if len(parts) > 1 and all(exact(p.strip("$ ")) is not None for p in parts):
        return "set"
    if _FORMULA.search(text) or (_LETTERS_ONLY.search(text) and parse(NAME_IS.sub("", text)) is not None):
        return "expression"
    return "number" if any(q.form != "ordinal" for q in quantities(text)) else "text"
