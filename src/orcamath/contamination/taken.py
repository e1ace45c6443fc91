"""The question of a row whose columns have any names: a row of a file in → its text, and which columns it was taken from.

A row's own values decide, not the file's first row: of the known columns the first that holds text in that row. A story and its
question (SVAMP, ASDiv), and an instruction and its input (Alpaca), are one text; of a list of turns the user's are the question.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orcamath.sources.svamp import joined_text
from orcamath.text.columns import QUESTION_COLUMNS

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
    named = _by_name(values)
    body, question = named.get("body"), named.get("question")
    if body is not None and question is not None and (joined := joined_text(values[body], values[question])):
        return TakenQuestion(joined, (body, question))
    for known in _candidates(values, named):
        pair = _instruction(values, named) if known.lower() == "input" else None
        if pair is not None:
            return pair
        if text := _text(values[known]):
            return TakenQuestion(text, (known,))
    return None


def _by_name(values: Mapping[str, object]) -> dict[str, str]:
    """Return name without case → column; of two such columns the first."""
    named: dict[str, str] = {}
    for name in values:
        named.setdefault(str(name).strip().lower(), name)
    return named


def _candidates(values: Mapping[str, object], named: Mapping[str, str]) -> Iterator[str]:
    """Yield the known columns of a row: those that are spelled as they are known, then those in any case."""
    yield from (known for known in KNOWN_COLUMNS if known in values)
    yield from (named[k.lower()] for k in KNOWN_COLUMNS if k not in values and k.lower() in named)


def _instruction(values: Mapping[str, object], named: Mapping[str, str]) -> TakenQuestion | None:
    """Return Alpaca's question, an instruction and what it is about; None where there is no instruction."""
    found = [(named[name], _text(values[named[name]])) for name in ("instruction", "input") if name in named]
    filled = [(name, text) for name, text in found if text]
    if len(found) < 2 or filled[:1] != found[:1]:
        return None
    return TakenQuestion("\n".join(text for _, text in filled), tuple(name for name, _ in filled))


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
