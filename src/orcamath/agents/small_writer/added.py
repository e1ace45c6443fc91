"""The editor's reply where it writes only what is new: a sentence and the question that takes the old one's place.

In → both texts and the problem before; out → the edited problem, or why the addition makes no harder one. A 0.5B model that
writes whole problems hands nearly every one back as it was (docs/log.md).
"""

import re

from orcamath.agents.small_writer.hiding import question_of
from orcamath.agents.wellformed import ask_of, numbers, units
from orcamath.text.names import names_among
from orcamath.text.patterns import pattern
from orcamath.text.words import content_words, normal

__all__ = ["useless", "with_addition"]

_RELATES = pattern(
    r"\b(?:more|less|fewer|times|twice|half|each|every|than|away|back|left|of (?:the|them|these|those|his|her|their)|percent)\b"
    r"|%",
    "sets its number against what was there, so it does not merely tell the old question's answer",
    ("She gives 2 away.", "Each costs $3.", "20% of them are red.", "Bo has twice as many."),
    ("She has 9 pens now.", "There are 5 red ones."),
)
_HE = pattern(r"\b(?:he|his|him)\b", "speaks of a man", ("He left.", "It is his."), ("She left.", "There is hers."))
_SHE = pattern(r"\b(?:she|hers?)\b", "speaks of a woman", ("She left.", "It is hers."), ("He left.", "There it is."))
_REFERS = pattern(
    r"\b(?:them|it|its|these|those|this|that|they|their)\b",
    "takes up what was told without naming it",
    ("She shares them out.", "It breaks."),
    ("She shares 2 cakes.",),
)
_NAME = pattern(
    r"(?<=[a-z,] )[A-Z][a-z]+",
    "a name inside a sentence",
    ("so Zoe left", "then, Al"),
    ("Then he left.", "it is I"),
    re.NOFLAG,
)


def with_addition(added: str, question: str, before: str) -> str:
    """Put the problem together: what it told, what is added, the new question."""
    return f"{question_of(before, ask_of(before))[0]} {added} {question}"


def useless(added: str, question: str, before: str) -> str | None:
    """Say why an addition makes no harder problem: nothing new is told, the old question is answered or asked again, …"""
    old = content_words(ask_of(before))
    told, asked = content_words(added), content_words(question)
    if "?" in added or "=" in added:
        return "several_questions" if "?" in added else "answer_given_away"
    if not numbers(added):
        return "adds_no_number"
    if normal(added) in normal(before):
        return "unchanged"
    if len(asked & old) >= 0.7 * len(asked | old):
        return "unchanged"
    if len(told & old) >= 0.6 * len(told) and not _RELATES.search(added):
        return "answer_given_away"  # of the old question, and most likely another than it has
    return _departs(added, question, before)


def _departs(added: str, question: str, before: str) -> str | None:
    """Return the slug of what an addition speaks of and the problem does not: another story, unit or person; None for nothing."""
    shared = (content_words(added) | content_words(question)) & content_words(before)
    if not shared and not _REFERS.search(added):
        return "another_story"
    if units(question) - units(f"{before} {added}"):
        return "asks_something_else"
    words = re.findall(r"[A-Za-z]+", before)
    one_person = len(names_among(words)) == 1
    for someone, another in ((_HE, _SHE), (_SHE, _HE)):
        meant = someone.search(before) or (one_person and not another.search(before))
        if someone.search(f"{added} {question}") and not meant:
            return "unclear_who"
    if {m[0] for m in _NAME.finditer(f"{question} {added}")} - {*words, *re.findall(r"[A-Za-z]+", added[:30])}:
        return "asks_something_else"
    story, ask = question_of(before, ask_of(before))
    return "edit_lost_number" if numbers(ask) - numbers(f"{story} {added} {question}") else None
