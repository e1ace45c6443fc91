"""The choices of a multiple-choice problem: as files hold them, which one an answer names, and as they are put to who answers."""

import json
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from orcamath.text.patterns import pattern

__all__ = ["MAX_CHOICES", "AnswersFrom", "Choices", "choices_in", "letter_of", "places_meant", "with_choices"]

_LETTERED = pattern(
    r"^\(?([A-J]) ?[).:]",
    "a choice that has its letter",
    ("A) 3", "(b) 3", "C. 3", "d : 3"),
    ("3", "A pen.", "K) 3"),
)
_JOINED_BEFORE = re.compile(r"(?:\w|\d[.,/])$")
_JOINED_BEHIND = re.compile(r"\w|[.,/]\d")
_WITH_NUMBER = re.compile(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b", re.IGNORECASE)
_WHOLE = re.compile(r"([0-9]{1,15})(?:\.0+)?")
MAX_CHOICES = 26
"""As many as there are letters."""


AnswersFrom = Literal[0, 1, "text"]
"""What a whole number among the answers says: the place of a choice, counted from 0 or 1, or the text of one."""


class Choices(NamedTuple):
    """Choices in their order, as a file has them."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()
    """What the file calls them (`1`, `A`), one each; empty where it does not."""


def choices_in(value: object) -> Choices | None:
    """Return the choices of a list, of texts with labels in the shapes below, or of either as JSON in a cell; else None.

    >>> choices_in('["Na", "Mg"]')
    Choices(texts=('Na', 'Mg'), labels=())
    >>> choices_in({"text": ["Na", "Mg"], "label": ["1", "2"]})
    Choices(texts=('Na', 'Mg'), labels=('1', '2'))
    >>> choices_in([{"label": "A", "text": "Na"}]) == choices_in({"A": "Na"})
    True
    """
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, dict):
        return _labelled(value)
    if not isinstance(value, list | tuple):
        return None
    if value and all(isinstance(v, dict) and "text" in v and "label" in v for v in value):
        return _labelled({key: [v[key] for v in value] for key in ("text", "label")})
    return None if any(isinstance(v, dict | list) for v in value) else Choices(_without_end(value))


def _without_end(texts: Sequence[object]) -> tuple[str, ...]:
    """Return texts without the empty ones at their end: a row may have fewer choices than others."""
    held = ["" if text is None or text != text else str(text) for text in texts]  # NaN is no text
    n = next((n for n in range(len(held), 0, -1) if held[n - 1].strip()), 0)
    return tuple(held[:n])


def _labelled(value: dict[str, object]) -> Choices | None:
    """Read `{"text": […], "label": […]}`, or a text under each label; None where it is neither."""
    texts, labels = value.get("text"), value.get("label")
    if not (isinstance(texts, list) and isinstance(labels, list)):
        held = {label: text for label, text in value.items() if text not in (None, "")}
        texts, labels = list(held.values()), list(held)
    if len(texts) != len(labels) or not all(isinstance(x, str | int | float) for x in (*texts, *labels)):
        return None
    return Choices(tuple(map(str, texts)), tuple(map(str, labels)))


def places_meant(answer: str, choices: Choices, counted: AnswersFrom | None = None) -> frozenset[int] | None:
    """Return the places of all choices that an answer may name; None where it is read by its letter or text, as any answer is.

    A label names its choice. A whole number may be the text of one, or count them, from 0 or from 1, unless `counted` says;
    where choices are written with numbers, if otherwise (`$4$`, `4 cm`), it is read as one of these.

    >>> places_meant("2", Choices(("Na", "Mg", "K")))
    frozenset({1, 2})
    >>> places_meant("4", Choices(("$4$", "$7$", "four")))
    """
    texts, number = choices.texts, _whole(answer)
    labels = [_plain(label) for label in choices.labels]
    if _plain(answer) in labels and (number is None or counted is None):
        return frozenset([labels.index(_plain(answer))])
    if number is None:
        beyond = len(letter := _plain(answer)) == 1 and len(texts) <= ord(letter) - ord("a") < MAX_CHOICES
        return frozenset() if beyond and not any(letter in text.casefold() for text in texts) else None
    named = any(_whole(label) is not None for label in labels)  # then a number is a label or a text
    starts = () if named or counted == "text" else (0, 1) if counted is None else (counted,)
    places = {number - start for start in starts if 0 <= number - start < len(texts)}
    if counted in (0, 1):
        return frozenset(places)
    same = {i for i, text in enumerate(texts) if _whole(text) == number}
    if not same and not named and any(_whole(text) is None and _WITH_NUMBER.search(text) for text in texts):
        return None
    return frozenset(places | same)


def _plain(label: str) -> str:
    return label.strip().strip("().:").replace("_", " ").casefold()


def _whole(text: str) -> int | None:
    found = _WHOLE.fullmatch(text.strip())
    return int(found[1]) if found else None


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
