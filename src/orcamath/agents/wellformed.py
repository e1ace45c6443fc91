"""Is this text a word problem? One question, whole, its numbers in order, its answer not given away.

The rules are for English and look at form only: whether a problem can be solved is for the teacher to find out.
"""

import re
from collections import Counter
from fractions import Fraction

from orcamath.answers.numbers import Quantity, quantities
from orcamath.text.patterns import pattern
from orcamath.text.sentences import IMPERATIVE, sentences
from orcamath.text.words import FUNCTION_WORDS, content_words

__all__ = [
    "ask_of",
    "asks",
    "contradiction",
    "counts_something",
    "flaw",
    "numbers",
    "units",
]

_INSIDE = pattern(
    r", (?:then )?(?:how (?:many|much|long|far|old|tall|big|fast|often)|what|find|calculate|compute|determine)\b",
    "an order or a question behind a condition",
    ("If it rains, how many stay", "If x is 3, find y"),
    ("He knew how many there are.",),
)
_GIVEN_AWAY = pattern(
    r"(?:####|\\boxed|</?answer|^\s*(?:final )?(?:answer|ans|solution)\s*[:=]|\b(?:the|final|correct) answer (?:is|would be|=)|"
    r"\banswer:|\bsolution:|\bstep 1\b)",
    "tells the answer or begins to work it out",
    ("#### 7", "Answer: 7", "The answer is 7.", "Step 1: add them."),
    ("How many answers are right?", "He answered 7 of them."),
    re.IGNORECASE | re.MULTILINE,
)
_QUESTION_MARKS = pattern(
    r"[?？]+(?![\"”’'])",
    "ends a question; the question marks of a title in quotes ask nothing",
    ("How many?", "How many??", "多少？"),
    ('He reads "Who?" and', "He reads “Who?” and", "How many."),
)
_TOLD_BEHIND = pattern(
    r"\s*(?:[=:]|(?:he|she|it|they|so|therefore|thus|the (?:total|answer))\b)",
    "goes on behind a question by telling; its answer, where there are numbers",
    (" She has 5 left.", "= 5", " So it is 5."),
    (" There are 5 boys.", " Item 5.", ""),
)
_THE_REST = pattern(
    r"\bthe (?:rest|others?)\b",
    "says that shares belong to one whole",
    ("60% are red and the rest is blue", "the others"),
    ("a rest of 2", "the otherwise 60% red"),
)
_ENDS = (".", "!", "?", '."', '?"', "?”", ".”", ")", "?'", ".'", "?*", "]", "$")


def numbers(text: str) -> Counter[Fraction]:
    """Return the values of all numbers in a text that count something, with how often each stands there."""
    return Counter(q.value for q in quantities(text) if counts_something(q))


def counts_something(q: Quantity) -> bool:
    """Tell whether a number says how many: `one` as a word and ordinals mostly point."""
    return q.form != "ordinal" and not (q.form == "word" and q.text.lower() == "one")


def asks(text: str) -> list[str]:
    """Return the sentences that ask something: with a question mark, or an order such as `Find …`."""
    every = sentences(text)
    marked = [s for s in every if "?" in s or "？" in s]
    return marked or [s for s in every if IMPERATIVE.match(s) or _INSIDE.search(s)]


def ask_of(text: str) -> str:
    """Return the sentence that asks, the last one where there are several, the last sentence where none does."""
    found = asks(text) or sentences(text)
    return found[-1] if found else ""


def flaw(text: str) -> str | None:
    """Return the slug of what is wrong with the form of a problem, or None.

    `too_short`, `answer_given_away`, `no_question`, `cut_off`, `several_questions`, `contradicts_itself`.
    """
    if len(content_words(text)) < 3:
        return "too_short"
    if _GIVEN_AWAY.search(text):
        return "answer_given_away"
    found = asks(text)
    if not text.rstrip().endswith(_ENDS):
        # a sentence that breaks off; a question mark that was merely forgotten is forgiven to a whole last question
        return "cut_off" if found and "?" in text else ("no_question" if not found else "cut_off")
    if not found:
        return "no_question"
    if len(list(_QUESTION_MARKS.finditer(text))) > 1 or len(found) > 1:
        return "several_questions"
    if _told_after(text):
        return "answer_given_away"
    return "contradicts_itself" if contradiction(text) else None


def _told_after(text: str) -> bool:
    """Tell whether numbers are stated behind the question: `How many…? She has 5 left.` gives the answer away."""
    _, mark, behind = text.rpartition("?")
    return bool(mark and _TOLD_BEHIND.match(behind) and numbers(behind))


_UNIT = (
    r"(cent|dollar|second|minute|hour|day|week|month|year|inch|foot|feet|yard|mile|meter|kilometer|liter|gallon|ounce|"
    r"pound|gram|kilogram)(?:e?s)?"
)
_UNITS = pattern(
    rf"\b{_UNIT}\b",
    "a unit of money, time, length, volume or weight",
    ("three dollars", "2 feet", "inches"),
    ("percent", "the football"),
)
_OUT_OF = pattern(
    r"(?<![0-9.,/$])\b([0-9][0-9,]{0,9}) (?:out )?of (?:the |her |his |their |its |those |these )?([0-9][0-9,]{0,9})\b"
    rf"(?!\.[0-9]|/| ?%| ?[-–] ?[a-z]| ?(?:{_UNIT}|[ckm]?[mg]|kg|ml|[lL])\b)",
    "so many taken of so many; a number with a unit says how large each is",
    ("12 of the 9 boys", "3 out of 5"),
    ("12 of the boys", "3 of 50% of them", "12 of the 3-inch nails", "25 of the 10 dollar tickets", "5/12 of 10"),
)
_SPLIT = pattern(
    r"\b(?:total of |has |have |had |are |were )?([0-9][0-9,]{0,9}) (\w+)[^.?!]{0,40}?[:,—–-] ?(?:of which |of whom |including )?"
    r"([0-9][0-9,]{0,9}) (\w+(?: \w+)?) and ([0-9][0-9,]{0,9}) (\w+(?: \w+)?)[.,;]",
    "a whole and its two parts",
    ("There are 20 children: 15 boys and 10 girls.",),
    ("There are 15 boys and 10 girls.",),
)
_OF_COUNTED = pattern(
    r" of (?:them\b|(?:the|those|these) (?:[0-9][0-9,]{0,9} )?([a-z]{2,20})\b"
    r"(?!['’-]| (?:in|that|which|as|than|needed|he|she|they|[A-Z]\w*)\b))",
    "a part of things that are counted: no more of them can be taken than there are",
    (" of the eggs", " of them", " of those 16 eggs for"),
    (" of its height", " of the rope's length", " of the eggs in the recipe", " of the eggs Ann has"),
    re.NOFLAG,
)
_COUNTED = pattern(
    r"[0-9] ([a-z]{2,20})\b(?: ([a-z]{2,20})\b)?",
    "what a number counts, with a word for which",
    ("16 eggs", "5 brown hens"),
    ("the eggs", "16%"),
)
_SHARE = pattern(
    r"\b([0-9]{1,3}(?:\.[0-9]+)?) ?(?:%|percent) "
    r"(?:of (?:(them)\b|(?:the|his|her|their|all|those|these)\b ?([\w'’]{0,20}) ?(\w{0,20}))|are\b|were\b)",
    "a share of a whole",
    ("40% of the boys", "12.5 percent are red"),
    ("40% more boys", "a 40% rate"),
)
_LEFT = frozenset(["rest", "remaining", "remainder", "other", "others", "leftover"])
"""A share of these is none of the whole."""


def contradiction(text: str) -> str | None:
    """Return the words in which numbers contradict each other, or None. Only what is certain is named:

    more taken of a set than it has (`12 of the 9 boys`, `5/4 of the eggs`), named parts that exceed a named whole (`20
    children: 15 boys and 10 girls`), shares of one whole above 100 %.
    """
    for match in _OUT_OF.finditer(text):
        if _int(match[1]) > _int(match[2]):
            return match[0]
    for match in _SPLIT.finditer(text):
        parts = _int(match[3]) + _int(match[5])
        if ("which" in match[0] or "whom" in match[0] or ":" in match[0]) and parts > _int(match[1]):
            return match[0]
    counted = {word for m in _COUNTED.finditer(text) for word in m.groups() if word and not _UNITS.search(word)}
    for q in quantities(text):
        of = _OF_COUNTED.match(text, q.end) if q.form == "fraction" and q.value > 1 else None
        if of and (of[1] is None or of[1] in counted):
            return f"{q.text} of"
    return _shares(text)


def _shares(text: str) -> str | None:
    """Shares said to belong to one whole by `the rest` or `the remaining` in the same sentence exceed it."""
    for sentence in sentences(text):
        if not _THE_REST.search(sentence):
            continue
        shares: dict[str, Fraction] = {}
        for match in _SHARE.finditer(sentence):
            if whole := _whole(match, sentence):
                shares[whole] = shares.get(whole, Fraction(0)) + Fraction(match[1])
        if any(share > 100 for share in shares.values()):
            return sentence
    return None


def _whole(share: re.Match[str], sentence: str) -> str:
    """Return what a share is one of: `eggs`, `red hats`, `them`, `all` where a sentence names nothing; empty where unclear."""
    them, noun, more = (share[i] or "" for i in (2, 3, 4))
    if them or not share[0].partition(" of ")[1]:
        named = {"in", "of", "at"} & set(sentence.lower().split())
        return them or ("" if named else "all")  # `in one class 60% are girls, in the other 70%` are two wholes
    words = [w for w in (noun.lower(), "" if noun.endswith("s") else more.lower()) if w and w not in FUNCTION_WORDS]
    return "" if not words or words[0] in _LEFT else " ".join(words)


_AGE = pattern(
    r"\b(?:old|age)\b",
    "speaks of an age, which is in years",
    ("How old is Al?", "at the age of 3"),
    ("He told", "for ages"),
)


def units(text: str) -> set[str]:
    """Return the units of money, time, length, volume and weight that a text names; ages are in years."""
    found = {m[1].lower() for m in _UNITS.finditer(text)}
    return found | ({"dollar"} if "$" in text else set()) | ({"year"} if _AGE.search(text) else set())


def _int(digits: str) -> int:
    return int(digits.replace(",", ""))
