"""The question of a row whose columns have any names: a row of a file in → its text, and which columns it was taken from.

A row's own values decide, not the file's first row: of the known columns the first that holds text in that row. A story and its
question (SVAMP, ASDiv), and an instruction and its input (Alpaca), are one text; of a list of turns the user's are the question.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orcamath.sources.svamp import joined_text
from orcamath.text.columns import QUESTION_COLUMNS, column_of

__all__ = ["KNOWN_COLUMNS", "TakenQuestion", "taken_question"]

KNOWN_COLUMNS = (*QUESTION_COLUMNS, "messages", "conversations")
"""What a question's column may be called where none is named, first match first."""
_USERS = ("user", "human")


class TakenQuestion(NamedTuple):
    """A question, and the columns that it was taken from."""

    text: str
    columns: tuple[str, ...]


def taken_question(values: Mapping[str, object], column: str | None = None) -> TakenQuestion | None:
    """Return a row's question, of that `column` where one is named; None where no column that could be it holds text."""
    if column is not None:
        text = _text(values.get(column))
        return TakenQuestion(text, (column,)) if text else None
    present = tuple(values)
    body, question = column_of(("body",), present), column_of(("question",), present)
    if body is not None and question is not None and (joined := joined_text(values[body], values[question])):
        return TakenQuestion(joined, (body, question))
    for known in _candidates(present):
        pair = _instruction(values, known) if known == column_of(("input",), present) else None
        if pair is not None:
            return pair
        if text := _text(values[known]):
            return TakenQuestion(text, (known,))
    return None


def _candidates(present: tuple[str, ...]) -> Iterator[str]:
    """Yield the known columns of a row: those that are spelled as they are known, then those in any case."""
    while (found := column_of(KNOWN_COLUMNS, present, spelled=True)) is not None:
        yield found
        present = tuple(name for name in present if name != found)


def _instruction(values: Mapping[str, object], about: str) -> TakenQuestion | None:
    """Return Alpaca's question, an instruction and what it is `about`; None where there is no instruction."""
    instruction = column_of(("instruction",), tuple(values))
    if instruction is None or not _text(values[instruction]):
        return None
    filled = [name for name in (instruction, about) if _text(values[name])]
    return TakenQuestion("\n".join(_text(values[name]) for name in filled), tuple(filled))


def _text(value: object) -> str:
    """Return a text, or what the user says in a list of turns; nothing for what is neither."""
    if isinstance(value, str):
        return value if value.strip() else ""
    if not isinstance(value, list):
        return ""
    turns = [turn for turn in value if isinstance(turn, dict)]
    asked = [_said(turn) for turn in turns if str(turn.get("role") or turn.get("from")).lower() in _USERS]
    return "\n".join(said for said in asked if said.strip())


def _said(turn: Mapping[str, object]) -> str:
    """Return the text of a turn, also where it comes in parts (`[{"type": "text", "text": …}]`)."""
    content = turn.get("content") or turn.get("value")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""
