"""The gaps of a statement: where its numbers stand, and whether a question is about another number than the one in a gap.

Rules for English. They know form only: whether a question can be answered, and with what, is for solvers to find out (the
stage `confirm`). What no solver sees is decided here: a question that is about another number of the statement than the one
that was hidden has an answer too, only not the one that we would call known.
"""

import re
from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

from orcamath.agents.comparisons import wrong_sides
from orcamath.agents.wellformed import counts_something
from orcamath.answers.numbers import Quantity, quantities
from orcamath.text.money import CURRENCY_SIGNS
from orcamath.text.patterns import pattern
from orcamath.text.sentences import sentences
from orcamath.text.words import CALENDAR, MONTHS, content_words

__all__ = ["HOW_MANY", "Gap", "about_another", "between", "gaps", "things_counted", "word_places"]

_WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|[0-9][0-9,.]*")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_NAMED = pattern(
    r"(?:(?<=[a-z,] )[A-Z][a-z]+\b|\A[A-Z][a-z]+(?=(?:['’]s)? [a-z]))",
    "names a person: a capital within a sentence, or at the head of the text with a verb or a thing behind it",
    ("the pens of Ann", "Ann has", "Ann's pens"),
    ("7 Ann", "the IBM", "AnnB has"),
    re.NOFLAG,
)
_COMPOUND = pattern(
    r"[-/:][A-Za-z0-9]",
    "what follows a number that is part of a word",
    ("-foot rope", ":30", "/week"),
    (" feet", "- 3", "."),
)
_TURNS = frozenset("and while but or whereas".split())
_PREPOSITIONS = "in|on|at|from|to|with|by|for|during"
HOW_MANY = pattern(
    r"\bhow many (?:of (?:the|his|her|their) )?([A-Za-z]+)(?: ([A-Za-z]+))?",
    "the thing that is counted",
    ("How many red hats has he?", "How many of her pens are blue?"),
    ("How much is it?", "How old is Al?"),
)
_BEHIND = pattern(
    rf"\b(?:{_PREPOSITIONS}) (?:the |his |her |their |its |an? )?(?!each\b|every\b|total\b|all\b)([A-Za-z]+)",
    "a circumstance: what stands behind a preposition",
    ("How many in May?", "What did she get from her grandparents?"),
    ("How many in total?", "How much for each hat?", "How many pens has Ann?"),
)
_NO_COUNT = pattern(
    rf"\b(?:every|in year|o['’]clock|{'|'.join(MONTHS)}) $",
    "in front of a number that is a date or a rhythm, and does not say how many",
    ("on August ", "takes one every ", "In May "),
    ("they march in ", "maybe ", "in every week "),
)
_COUNTED = pattern(
    r"^ (?:of )?(?:the )?([A-Za-z]+)(?: ([A-Za-z]+s)\b)?",
    "what a number counts: the word right behind it, or one word further as a plural",
    (" pens", " of the red pens"),
    (", pens", "-foot rope", ""),
    re.NOFLAG,
)
_LOWER = pattern(
    r"^ [a-z]",
    "a word goes on behind a number, which then is no year",
    (" pens in",),
    (".", " May", ", it"),
    re.NOFLAG,
)
_SUBJECT = pattern(
    r"^[^,;]{1,80}? (?:has|have|had|is|are|was|were)\b",
    "what a sentence is about: all its numbers, up to where it turns to another",
    ("The first class had 12 girls", "Ann and Bob have 3"),
    ("Ann gave Bob 5", "In May, Ann had 3"),
)
_OTHERS = pattern(
    rf"[,;]|\b(?:{'|'.join(sorted(_TURNS - {'and'}))})\b|[a-z] [A-Z]|\b(?:{_PREPOSITIONS}) ",
    "a sentence turns to another subject, or to a circumstance",
    (" 5 pens, Bob", "5 pens while", "and Bob", "and in May"),
    (" 12 girls and ",),
    re.NOFLAG,
)
_TIMES_OF_DAY = frozenset("today yesterday tomorrow tonight morning afternoon evening night noon".split())


class Gap(NamedTuple):
    """One number of a statement, and the sentence in which it stands."""

    quantity: Quantity
    sentence: str
    at: int
    """Where the number begins in the sentence."""

    @property
    def behind(self) -> str:
        """What stands in the sentence behind the number."""
        return self.sentence[self.at + len(self.quantity.text) :]

    @property
    def marked(self) -> str:
        """The sentence with the number in square brackets."""
        return f"{self.sentence[: self.at]}[{self.quantity.text}]{self.behind}"


# the rules come back to the sentences of one statement for every question and every word of it
@lru_cache(maxsize=1024)
def gaps(statement: str) -> tuple[Gap, ...]:
    """Return the numbers of a statement that say how many, in order; a number that is part of a word (`20-foot`) is none."""
    found, begin = [], 0
    spans = []
    for sentence in sentences(statement):
        begin = max(statement.find(sentence.split(" ", 1)[0], begin), begin)
        spans.append((begin, sentence))
        begin += len(sentence)
    for q in quantities(statement):
        if not counts_something(q) or not _alone(statement, q):
            continue
        begin, sentence = next(((b, s) for b, s in reversed(spans) if b <= q.start), (0, ""))
        at = q.start - begin
        if sentence[at : at + len(q.text)] != q.text:  # joined sentences have other blanks between them
            at = sentence.find(q.text, max(at - 4, 0))
        if at >= 0:
            found.append(Gap(q, sentence, at))
    return tuple(found)


def _alone(statement: str, q: Quantity) -> bool:
    """Tell whether a number can be taken out: no clock time, no year, not glued to a word or a unit, no bare `dozen`."""
    if q.form in ("clock", "ratio") or _COMPOUND.match(statement, q.end) or "dozen" in q.text.lower():
        return False
    if statement[q.end : q.end + 1].isalpha() or statement[q.end : q.end + 1] in tuple(CURRENCY_SIGNS):
        return False
    year = not q.unit and q.text.isdigit() and 1800 <= q.value <= 2100 and not _LOWER.search(statement[q.end :])
    return not year and not _NO_COUNT.search(statement[max(q.start - 12, 0) : q.start])


def about_another(question: str, gap: Gap, statement: str) -> bool:
    """Tell whether a question is about another number than the one in the gap, or about somebody or a side that is not there.

    `How many clips in May?` does not ask for the 48 of `48 clips in April, and half as many in May`: a circumstance (a
    person, a day, what stands behind a preposition) that the statement has by other numbers only decides against.
    """
    names = set(_NAME.findall(question)) - {day.capitalize() for day in CALENDAR}
    if names - set(re.findall(r"[A-Za-z]+", statement)) or wrong_sides(question, gap.sentence[: gap.at], gap.behind):
        return True
    return any(_belongs_elsewhere(word, gap, statement) for word in _circumstances(question, statement))


def _circumstances(question: str, statement: str) -> list[str]:
    """Return the words of a question that say which number is meant: not what is counted, not who everything is about."""
    counted = {w for m in HOW_MANY.finditer(question) for w in content_words(f"{m[1]} {m[2] or ''}")}
    people = content_words(" ".join(_NAME.findall(question)))
    days = {w.lower() for w in re.findall(r"[A-Za-z]+", question) if w[0].isupper() or w in _TIMES_OF_DAY}
    days &= CALENDAR | _TIMES_OF_DAY  # `May` is a stop word
    behind = {w for m in _BEHIND.finditer(question) for w in content_words(m[1])}
    return sorted(((people | behind) - counted - _subject(statement)) | days)


@lru_cache(maxsize=1024)
def _subject(statement: str) -> frozenset[str]:
    """Return the one person a statement is about; where there are several, their names tell numbers apart."""
    named = {m[0] for m in _NAMED.finditer(statement)} - {d.capitalize() for d in CALENDAR}
    return frozenset(content_words(named.pop())) if len(named) == 1 else frozenset()


def _belongs_elsewhere(word: str, gap: Gap, statement: str) -> bool:
    """Tell whether a word of the statement stands by other numbers only, and is more than the thing counted there.

    What is counted (`3 pens and buys 4`) is left out where it is counted again, so that it tells nothing.
    """
    elsewhere = False
    for sentence in sentences(statement):
        for nearest, counted in _beside(word, sentence):
            if sentence == gap.sentence and gap.at in nearest:
                return False
            elsewhere |= not counted
    return elsewhere


@lru_cache(maxsize=1024)  # a writer that repeats itself repeats its numbers, and every one of them asks
def _beside(word: str, sentence: str) -> tuple[tuple[frozenset[int], bool], ...]:
    """Return, for each place of a word, where the numbers nearest to it begin, and whether it is what one of them counts."""
    numbers, found = gaps(sentence), []
    words, subject = _words(sentence), _SUBJECT.match(sentence)
    for (start, text), meant in zip(words.places, words.meant, strict=True) if numbers else ():
        if word in meant:
            far = [between(g, start, len(text)) for g in numbers]
            least = min(far)
            nearest = [g for g, distance in zip(numbers, far, strict=True) if distance == least]
            counted = any(_counted_by(g, start) for g in nearest)
            if subject is not None and start < subject.end():
                nearest += [g for g in numbers if not _OTHERS.search(sentence, subject.end(), g.at)]
            found.append((frozenset(g.at for g in nearest), counted))
    return tuple(found)


def _counted_by(gap: Gap, start: int) -> bool:
    """Tell whether a word is what a number counts."""
    behind = _COUNTED.search(gap.behind)
    end = gap.at + len(gap.quantity.text)
    return behind is not None and any(start == end + behind.start(i) for i in (1, 2) if behind[i] is not None)


class _Words(NamedTuple):
    """The words and numbers of a sentence, and where each begins; where the sentence turns: at a comma, at `and`."""

    places: tuple[tuple[int, str], ...]
    meant: tuple[frozenset[str], ...]
    """Of each: itself in lower case, and as `content_words` has it."""
    starts: tuple[int, ...]
    turns: tuple[int, ...]


@lru_cache(maxsize=1024)
def _words(sentence: str) -> _Words:
    places = tuple((m.start(), m[0]) for m in _WORD.finditer(sentence))
    turns = [at for at, text in places if text.lower() in _TURNS] + [i for i, c in enumerate(sentence) if c in ",;"]
    meant = tuple(frozenset({text.lower(), *content_words(text)}) for _, text in places)
    return _Words(places, meant, tuple(at for at, _ in places), tuple(sorted(turns)))


def things_counted(question: str) -> set[str]:
    """Return the words for what `how many` asks for; none where a question does not say so."""
    asked = HOW_MANY.search(question)
    return content_words(f"{asked[1]} {asked[2] or ''}") if asked else set()


def word_places(sentence: str) -> tuple[tuple[int, str], ...]:
    """Return the words and numbers of a sentence, each with the place where it begins."""
    return _words(sentence).places


def between(gap: Gap, start: int, length: int) -> tuple[int, int]:
    """Count the turns of the sentence, and the words, between its number and the word of `length` that begins at `start`."""
    low, high = (start + length, gap.at) if start < gap.at else (gap.at + len(gap.quantity.text), start)
    words = _words(gap.sentence)
    turns, n = (max(bisect_left(at, high) - bisect_left(at, low), 0) for at in (words.turns, words.starts))
    return turns, n
