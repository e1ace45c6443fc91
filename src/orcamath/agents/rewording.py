"""Is an edit the problem it was made of in other words? Rules for English, of form only.

In → the edited problem and the one before; out → whether nothing was added that makes it harder. A number in another one's
place, another name, and `for the entire day` behind the old question add nothing.
"""

import re
from collections import Counter

from orcamath.agents.gaps import things_counted
from orcamath.agents.wellformed import ask_of, numbers, units
from orcamath.answers.numbers import quantities
from orcamath.text.names import names_among
from orcamath.text.patterns import pattern
from orcamath.text.sentences import sentences
from orcamath.text.words import content_words

__all__ = ["reworded"]

_STEP = pattern(
    r"\b(?:than|times|twice|double[sd]?|triple[sd]?|half|halve[sd]?|except|left|remain\w*|rest|average|mean|ratio|difference|"
    r"combined|profit|change|fraction|equally|shared?|split|percent\w*|how many (?:days|weeks|months|hours|minutes|trips))\b|%",
    "asks for a further step by itself",
    ("How many are left?", "He buys twice as many.", "What is the average?", "How many more than Bo has he?"),
    ("How much did she earn for the entire day?", "How many pens has she in all?", "if he has 3 more"),
)
_CONDITION = pattern(
    r"\b(?:if|unless|only|instead|assuming|suppose|then|after|before|until|more|less|fewer|each|every|per)\b",
    "may set a condition, of which the words beside it tell",
    ("if it rains", "after paying for the feed", "How much is it per day?", "He buys more."),
    ("How much is it in a week?", "when she paid"),
)
_FOR_EACH = pattern(
    r"\b(?:each|every|per)(?: of (?:the|his|her|their))? ([a-z]+)",
    "asks what falls to each of several",
    ("How many hats per box?", "How much does each of the friends get?"),
    ("How much is each?", "How many hats?"),
)
_TIME = frozenset("second minute hour day week month year".split())
_SAY_LITTLE = frozenset(
    content_words(
        "entire whole full same single given certain other another any both few several still also just even again end"
    )
)


def reworded(text: str, before: str) -> bool:
    """Tell whether an edit adds nothing: no number more, no step and no condition of its own, and it asks what was asked."""
    if numbers(text).total() > numbers(before).total() or _STEP.words(text) - _STEP.words(before):
        return False
    asked, before_asked = ask_of(text), ask_of(before)
    if _shares(asked) - _shares(before_asked) or _other_time(asked, before_asked) or _own_condition(text, before):
        return False
    if numbers(text) != numbers(before) and _turned_round(asked, before_asked, before):
        return False
    wanted, wanted_before = content_words(asked), content_words(before_asked)
    return len(wanted & wanted_before) >= 0.6 * min(len(wanted), len(wanted_before))


def _turned_round(asked: str, before_asked: str, before: str) -> bool:
    """Tell whether it asks how many there are of a thing that was told: `How many hats must she sell to earn $30?`"""
    return bool(things_counted(asked) & content_words(before) - things_counted(before_asked))


def _own_condition(text: str, before: str) -> bool:
    """Tell whether a sentence with one condition more, or with another number, speaks of something that was not there."""
    old = content_words(before) | _SAY_LITTLE | _renamed(text, before)
    conditions, had = _conditions(text) - _conditions(before), numbers(before)
    return any(
        _told(sentence) - old
        for sentence in sentences(text)
        if _conditions(sentence) & conditions or numbers(sentence) - had
    )


def _told(sentence: str) -> set[str]:
    """Return the words of a sentence that may tell something new: no numbers, no units, not what makes it a condition."""
    found = quantities(sentence)
    begins, ends = [0, *(q.end for q in found)], [*(q.start for q in found), len(sentence)]
    rest = " ".join(sentence[begin:end] for begin, end in zip(begins, ends, strict=True))
    return content_words(_CONDITION.sub(" ", rest)) - content_words(" ".join(units(rest)))


def _conditions(text: str) -> Counter[str]:
    return Counter(m[0].lower() for m in _CONDITION.finditer(text))


def _renamed(text: str, before: str) -> set[str]:
    """Return the words of names that stand in the place of others; where there are more names than before, none."""
    names, old = (set(names_among(re.findall(r"[A-Za-z]+", t))) for t in (text, before))
    return content_words(" ".join(names - old)) if len(names) <= len(old) else set()


def _shares(question: str) -> set[str]:
    """Return among whom or what a question shares out; a unit is no such thing: `per day` says how long."""
    among = content_words(" ".join(m[1] for m in _FOR_EACH.finditer(question)))
    return among - _SAY_LITTLE - content_words(" ".join(units(question)))


def _other_time(asked: str, before: str) -> bool:
    """Tell whether a question has one unit of time in another's place: `in a week` for `a day`."""
    now, then = units(asked) & _TIME, units(before) & _TIME
    return bool(now - then and then - now)
