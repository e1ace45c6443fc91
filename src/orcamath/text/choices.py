"""The choices of a multiple-choice problem as they are put to whoever answers it."""

import json
import re
from collections.abc import Sequence

from orcamath.text.patterns import pattern

__all__ = ["MAX_CHOICES", "choices_in", "letter_of", "with_choices"]

_LETTERED = pattern(
    r"^\(?([A-J]) ?[).:]",
    "a choice that has its letter",
    ("A) 3", "(b) 3", "C. 3", "d : 3"),
    ("3", "A pen.", "K) 3"),
)
_JOINED_BEFORE = re.compile(r"(?:\w|\d[.,/])$")
_JOINED_BEHIND = re.compile(r"\w|[.,/]\d")
MAX_CHOICES = 26
"""As many as there are letters."""


def choices_in(value: object) -> object:
    """Return the list that a cell of a table holds as JSON (`["Na", "Mg"]`); anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, list) else value


def letter_of(place: int) -> str:
    """Return the letter of a choice, A of the first (0)."""
    return chr(ord("A") + place)


def with_choices(question: str, choices: Sequence[str]) -> str:
    """Return a question with its choices below it, or as it is where it lists them already."""
    if _lists(question, choices):
        return question
    found = [_LETTERED.search(c) for c in choices]
    own = all(m is not None and m[1].upper() == letter_of(i) for i, m in enumerate(found))
    lettered = choices if own else [f"{letter_of(i)}) {c}" for i, c in enumerate(choices)]
    return "\n".join([question, "Answer choices:", *lettered])


def _lists(question: str, choices: Sequence[str]) -> bool:
    """Tell whether all choices stand in a question, in their order and each by itself: `5` does not in `5.50` or `15`."""
    at = 0
    for choice in choices:
        start = question.find(choice, at)
        while start >= 0 and not _by_itself(question, start, start + len(choice)):
            start = question.find(choice, start + 1)
        if start < 0:
            return False
        at = start + len(choice)
    return True


def _by_itself(text: str, start: int, end: int) -> bool:
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    return not (_JOINED_BEFORE.search(before) or _JOINED_BEHIND.match(after))
