"""The choices of a multiple-choice problem as they are put to whoever answers it."""

import re
from collections.abc import Sequence

from orcamath.text.patterns import pattern

__all__ = ["letter_of", "with_choices"]

_LETTERED = pattern(
    r"^\(?[A-J] ?[).:]",
    "a choice that has its letter",
    ("A) 3", "(b) 3", "C. 3", "d : 3"),
    ("3", "A pen.", "K) 3"),
)


def letter_of(place: int) -> str:
    """Return the letter of a choice, A of the first (0)."""
    return chr(ord("A") + place)


def with_choices(question: str, choices: Sequence[str]) -> str:
    """Return a question with its choices below it, or as it is where it lists them already."""
    if _lists(question, choices):
        return question
    lettered = [c if _LETTERED.search(c) else f"{letter_of(i)}) {c}" for i, c in enumerate(choices)]
    return "\n".join([question, "Answer choices:", *lettered])


def _lists(question: str, choices: Sequence[str]) -> bool:
    """Tell whether all choices stand in a question, in their order and each by itself: `5` does not in `5.50` or `15`."""
    at = 0
    for choice in choices:
        found = re.compile(rf"(?<!\w)(?<!\d[.,/]){re.escape(choice)}(?!\w)(?![.,/]\d)").search(question, at)
        if found is None:
            return False
        at = found.end()
    return True
