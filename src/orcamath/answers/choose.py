"""Which of several numbers in a sentence is its answer: `18 dollars (she started with 55)` → 18.

The rules, first that applies: one distinct value; what follows the last `=` or `which is`; a number the sentence begins
with; else a score (is it new or given in the question, does the asked noun follow it, is it money where money is asked, does
a clause such as `after 5 weeks` own it). `Choice.sure` says whether the rule leaves a doubt; a score always does.
"""

import re
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from orcamath.answers.locate import ITEM
from orcamath.answers.number_words import stands_for, time_said
from orcamath.answers.numbers import Quantity, quantities
from orcamath.answers.quantity import Form
from orcamath.answers.units import asked, names_asked, unit_after

__all__ = ["ASSERTS", "CLAUSE", "DENIED", "LINK", "Choice", "choose"]


class Choice(NamedTuple):
    """The chosen number, whether there is no doubt, and every number it stood beside."""

    quantity: Quantity
    sure: bool
    among: tuple[Quantity, ...]
    several: bool = False
    """The sentence is a list of numbers, none of them more the answer than another."""


LINK = re.compile(
    r"=|≈|->|→|,? so\b|(?<=[0-9] )gives\b|"
    r"\b(?:we|you) (?:get|have|obtain|find)\b|"
    r"\bround(?:ed|s|ing)? (?:up |down |off )?to\b|"
    r"\b(?:which is|that is|equals|is equal to|equal to|which equals|which makes|which means|meaning|leaving|leaves|"
    r"for a total of|i\.e\.)"
)
_CORRECTS = re.compile(
    r"(?:[,;:.(…-] ?(?:no|wait|actually|edit(?:ed)?|rather|(?:it )?should be)"
    r"|\b(?:oops|sorry|correct(?:ion|ed)|scratch that|make (?:that|it)|i mean|or rather))"
    r"\b[,:;.]? ?(?:(?:it|that)(?:'s| is) |to )?(?=[^0-9A-Za-z]{0,3}[0-9])",
    re.IGNORECASE,
)
"""A number is taken back for the one behind this: `20 (correction: 18)`."""
_ASIDE = re.compile(r"(?<=\s)\((?=[^()]*[A-Za-z=])[^()]*\)")
_CONDITION = re.compile(
    r"^(?:(?:so|now|and|but|then|therefore|thus)\b,? )?(?:if|when|since|because|after|as|given)\b[^,]*,", re.IGNORECASE
)
CLAUSE = re.compile(
    r"(?:\b(?:in|for|after|from|per|of|than|if|at|every|each|within|during|by|on|out of|and|with|to|over|the|these|those|"
    r"a|are|all|his|her|their|same|first|last|next|age|step)|[x*×+/÷(])[ ]*$",
    re.IGNORECASE,
)
_SAYS_MORE = re.compile(
    r"^[^(,;]*\b(?:is|are|was|were|costs?|makes?|gives?|gets?|earns?|equals?|will|would|can)\b", re.IGNORECASE
)
ASSERTS = re.compile(
    r"(?:\b(?:is|are|was|were|be|but|gets?|comes to|has|have|had|needs?|total|answer|makes?|made|earn(?:s|ed)?|spends?|spent|"
    r"takes?|costs?|"
    r"about|approximately|only|exactly|can|will|equals?|left|paid|pays|received?s?|saves?|contains?)[ ]*"
    r"(?:of |a total of |about )?|=[ ]*)$",
    re.IGNORECASE,
)
DENIED = ("not ", "not $", "n't ", "instead of ", "rather than ")
_BECAUSE = (" because ", ", since ", ", as ")
_OUT_OF = frozenset(
    ["of the", "chance in", "chances in", "chance out of", "out of", "over", "in", "in every", "of", "out of every"]
)
_IS_TO = frozenset(["to", "is to"])
_LABELLED = frozenset(
    ["step", "part", "equation", "eq", "eq.", "example", "figure", "fig.", "section", "exercise", "lemma"]
)
"""Behind these a number is a name."""
_LISTING = frozenset({"and", ",", ";", "&", "to", ", and", "-", "–"})


def choose(sentence: str, question: str = "") -> Choice | None:
    """Return the sentence's answer, or None where it has no number."""
    every = [q for q in quantities(sentence) if not _labels(sentence, q, question)]
    if clock := time_said(sentence, expected=bool(every) and asked(question).time_of_day):
        return Choice(clock, True, (clock,))
    if len(every) > 1 and (item := ITEM.match(sentence)) and every[0].end <= item.end():
        every = every[1:]
    digits = [q for q in every if q.form not in ("word", "multiplier", "ordinal")]
    among = digits or [q for q in every if q.form == "word"] or every
    every_one = tuple(among)
    if len(among) > 1:
        among = _meant(sentence, among, question)
    if not digits and (not among or sentence.endswith(" and ", 0, among[0].start)):
        named = stands_for(sentence)
        return Choice(named, True, (named,)) if named is not None else None
    if not among:
        return None
    if len(among) > 1 and (new := _CORRECTS.search(sentence, among[0].end)):
        among = [q for q in among if q.start >= new.end() - 1] or among
    reasoned = len(every_one) > 1 and any(word in sentence for word in _BECAUSE)
    rest = every_one if reasoned else tuple(among)
    if len(among) == 1 or all(q.value == among[0].value for q in among):
        sure = (len(digits) > 0 or len(every) == 1) and not _doubtful(sentence, among[0], question)
        return Choice(among[0], sure and not reasoned, rest)  # `40, because 9 - 5 = 4`: a reason is the result at times
    if "(" in sentence and (aside := _ASIDE.search(sentence)):
        sentence, among = _without_aside(sentence, aside, among)
    link, behind = _linked(sentence, among)
    if behind and link and (behind[0].start <= link.end() + 3 or len({q.value for q in behind}) == 1):
        return _first_of(sentence, behind, question, rest)
    if (
        len(among) > 1
        and among[0].start <= 3
        and not any(c.isupper() or c.isdigit() for c in sentence[: among[0].start])
        and not _says_more(sentence, among)
    ):
        return _first_of(sentence, among, question, rest)
    if (condition := _CONDITION.match(sentence)) and any(q.start > condition.end() for q in among):
        among = [q for q in among if q.start > condition.end()]
    return _by_score(sentence, question, behind or among, rest)


def _without_aside(sentence: str, aside: re.Match[str], among: list[Quantity]) -> tuple[str, list[Quantity]]:
    """Blank out what stands in brackets behind a number, with its numbers: `5 shelves (4 on each, and 4*5=20)` explains the 5."""
    outside = [q for q in among if not aside.start() < q.start < aside.end()]
    if not outside or outside[0].start >= aside.start():
        return sentence, among
    return sentence[: aside.start()] + " " * len(aside[0]) + sentence[aside.end() :], outside


def _labels(sentence: str, q: Quantity, question: str) -> bool:
    """Tell whether a number only says which: `Step 3`, `equation (2)`; where the question asks which, it is an answer."""
    head = sentence[max(q.start - 16, 0) : q.start].rstrip(" (*#").rpartition(" ")[2].strip("(*#").lower()
    return head in _LABELLED and head not in question.lower()


def _meant(sentence: str, among: list[Quantity], question: str) -> list[Quantity]:
    """Leave out what is denied (`not 15 but 12`) or only a reason (`40, because …`); join `3 out of 8`; take whose it is."""
    kept = [q for q in among if not sentence.endswith(DENIED, 0, q.start)] or among
    because = max(sentence.find(word) for word in _BECAUSE)
    if because > kept[0].start:
        kept = [q for q in kept if q.start < because]
    if (joined := _joined(sentence, kept, question)) is not None:
        return [joined]
    return _owned(sentence, kept, question) if len(kept) > 1 else kept


def _joined(sentence: str, among: list[Quantity], question: str) -> Quantity | None:
    """Read `3 out of 8` as the fraction, `3 to 2` as the ratio, that the question asks for."""
    for a, b in list(pairwise(among))[-1:]:
        gap = sentence[a.end : b.start].replace("-", " ").strip().lower()
        if not b.value or not {a.form, b.form} <= {"number", "word"}:
            continue
        if (gap in _OUT_OF and asked(question).share) or (gap in _IS_TO and asked(question).ratio):
            form: Form = "fraction" if gap in _OUT_OF else "ratio"
            return Quantity(a.value / b.value, sentence[a.start : b.end], a.start, b.end, form)
    return None


def _owned(sentence: str, among: list[Quantity], question: str) -> list[Quantity]:
    """Of `Bo has 5 and Ann has 9` return the number of whom the question asks about; all of them where it is not so plain."""
    wanted = names_asked(question) if question else ()
    if not any(name in sentence for name in wanted):
        return among
    owners, at = [], 0
    for q in among:
        clause = sentence[at : q.start]
        names = [w.rstrip(":'s,") for w in clause.split() if w[:1].isupper() and len(w.rstrip(":'s,")) > 1]
        if not names or (at and not clause.split(names[-1])[0].rstrip().endswith(("and", ",", ";", "while"))):
            return among
        owners.append(names[-1])
        at = q.end
    asked_for = [q for q, owner in zip(among, owners, strict=True) if owner in wanted]
    return asked_for if len(asked_for) == 1 and len(set(owners)) == len(owners) else among


def _linked(sentence: str, among: list[Quantity]) -> tuple[re.Match[str] | None, list[Quantity]]:
    """Return the last link with numbers behind it, and these."""
    end = sentence.rstrip(" .*$")
    if end[-1:].isalpha() and end[:-1].rstrip()[-1:] == "=":  # `20 = x`
        named = [q for q in among if sentence[q.end :].lstrip()[:1] == "="]
        return (LINK.search(sentence, named[-1].end), named[-1:]) if named else (None, [])
    for link in reversed(list(LINK.finditer(sentence))):
        if behind := [q for q in among if q.start >= link.end() - 1]:
            return link, behind
    return None, []


def _says_more(sentence: str, among: list[Quantity]) -> bool:
    """`9 eggs at $2 each is $18` begins with a number that is not its answer."""
    return bool(_SAYS_MORE.search(sentence[among[0].end : among[-1].start]))


def _first_of(sentence: str, among: list[Quantity], question: str, rest: tuple[Quantity, ...]) -> Choice:
    """Take the first number, unless what follows makes it one of several."""
    first = among[0]
    if len(among) > 1:
        gap = sentence[first.end : among[1].start].strip()
        if gap == "or":
            return _alternatives(first, among[1], rest)
        if gap in _LISTING:
            return Choice(first, False, rest, several=True)
        if gap.endswith(" or"):  # `1/20th of an hour, or 3 minutes`
            return Choice(first, False, rest)
    return Choice(first, not _doubtful(sentence, first, question), rest)


def _doubtful(sentence: str, quantity: Quantity, question: str) -> bool:
    """`3 times the number of pages` names no number yet (unless times are asked); `5k`, `3!`, `an hour and a half` say more."""
    if sentence.startswith(" times", quantity.end) and "times" not in asked(question).nouns:
        return True
    return bool(
        sentence[quantity.end :] in ("k", "K", "!")
        or (quantity.form == "word" and sentence.endswith(" and ", 0, quantity.start))
    )


def _alternatives(a: Quantity, b: Quantity, among: tuple[Quantity, ...]) -> Choice:
    """`0.33 or 0.3333333`: one value, written twice, of which the longer is the more exact; `5 or 6` is a doubt."""
    alike = abs(a.value - b.value) <= abs(a.value) / 50
    return Choice(max(a, b, key=lambda q: len(q.text)) if alike else a, alike, among, several=not alike)


def _by_score(sentence: str, question: str, among: list[Quantity], rest: tuple[Quantity, ...]) -> Choice:
    given: set[Fraction] = {q.value for q in quantities(question)} if question else set()
    wanted = asked(question)

    def score(q: Quantity) -> float:
        before = sentence[max(q.start - 24, 0) : q.start]
        word, unit, _ = unit_after(sentence, q.end)
        points = 0.0
        if question and q.value not in given:
            points += 2
        if word and word in wanted.nouns:
            points += 2
        if wanted.unit and unit and unit.dimension == wanted.unit.dimension:
            points += 1
        if wanted.money and (q.unit or (unit and unit.dimension == "money")):
            points += 2
        if wanted.percent and q.form == "percent":
            points += 2
        if wanted.time_of_day and q.form == "clock":
            points += 2
        if ASSERTS.search(before):
            return points + 1.5
        return points - 1.5 if CLAUSE.search(before) else points

    best = max(among, key=score)  # the first of equals
    for a, b in pairwise(among):
        if best in (a, b) and (gap := sentence[a.end : b.start].strip()) in ("or", "and"):
            return _alternatives(a, b, rest) if gap == "or" else Choice(best, False, rest, several=True)
    return Choice(best, len({q.value for q in among}) == 1, rest)
