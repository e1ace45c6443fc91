"""What a sentence without a marker puts forward as its answer, and what it only mentions, restates or announces.

In: the sentence, the number chosen from it, the question. Used by the finder, which says whether an answer is stated, and by
the judge, which believes no number that is not.
"""

import re
from itertools import pairwise

from orcamath.answers.choose import ASSERTS, CLAUSE, DENIED, LINK, Choice
from orcamath.answers.numbers import quantities
from orcamath.answers.quantity import Quantity
from orcamath.answers.units import PER, asked, unit_after
from orcamath.text.money import CURRENCY_SIGNS

__all__ = ["CONCLUDES", "OWN_WORDS", "breaks_off", "claims", "mentions", "no_result", "restates", "rules_out"]

_NO_NOUN = frozenset("more less fewer times of in and or is are to a per each".split())
_SOLVING = frozenset(
    (
        "steps stages ways cases methods approaches possibilities questions parts things operations "
        "calculations equations unknowns variables formulas"
    ).split()
)
"""What a solution consists of, where the question does not speak of it."""
CONCLUDES = re.compile(
    r"^\W*(?:in total|altogether|in conclusion|finally|this means|that means)\b|\b(?:therefore|thus|so|hence)\b",
    re.IGNORECASE,
)
"""A sentence with these ends a solution."""
OWN_WORDS = re.compile(r"\W*\bI(?:['’]m| am| can| could| will|['’]ll)\b")
"""Words about the writer, who states no answer so."""
_OPERATE = re.compile(
    r"\b(?:multiply(?:ing)?|divid(?:e|ing)|subtract(?:ing)?|add(?:ing)?)\b[^0-9=]{0,40}[0-9][0-9.,]*"
    r"(?P<other>[^0-9=]{0,30}\b(?:by|to|from|and|with)\b[^0-9=]{0,20}[0-9][0-9.,]*)?[^0-9=]*$",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(
    r"^let \w+ be\b|\b(?:need|have|want) to (?:first )?(?:find|calculate|compute|determine|know)\b", re.IGNORECASE
)
_LEADS_ON = frozenset(
    (
        "and then so because but or which than if when while with of to for by from at the a an his their its my "
        "he she they we is are was were has have had buys gives gets sells eats uses adds spends takes loses finds "
        "bought gave sold ate used spent took lost found added"
    ).split()
)
"""Words that more is to follow."""
_AT_FIRST = (
    "at first",
    "first,",
    "initially",
    "originally",
    "to begin with",
    "to start with",
    "starts with",
    "started with",
)
"""What is said of the beginning, where the question does not speak of one."""
_BEGINNING = ("first", "initial", "original", "begin", "start")
"""How a question speaks of a beginning."""
_BOUNDS = ("more than ", "less than ", "fewer than ", "greater than ")
_OPENERS = frozenset(["then", "because", "while", "whereas", "which", "but"])
"""Words that begin a clause, which has more than two words."""
_OPERATORS = frozenset("+-*/×÷x")


def restates(sentence: str, q: Quantity, question: str) -> bool:
    """Tell whether a number only repeats what is given: `Tom has 3 boxes`, `each box has 12 pens`, `at first he has 12`."""
    if "=" in sentence or CONCLUDES.search(sentence):
        return False
    word, _, _ = unit_after(sentence, q.end)
    low, said = question.lower(), sentence.lower()
    if _of_the_beginning(said) and not any(begins in low for begins in _BEGINNING):
        return True
    before = said[: q.start].split()[-2:]
    if word and len(before) == 2 and _given(before, q, said[q.end :].replace(".", " ").split()[:2], low):
        return True
    told, wanted = said.replace(".", " ").split(), asked(question)
    if not (PER.isdisjoint(told) or wanted.per or wanted.share or wanted.ratio):
        return True
    if not word or word in wanted.nouns or word in _NO_NOUN:
        return False
    return f" {q.text} {word}" in f" {low}"


def _of_the_beginning(sentence: str) -> bool:
    """Tell whether a sentence, in small letters, is about what was there at first."""
    return sentence.startswith("first ") or any(words in sentence for words in _AT_FIRST)


def _given(before: list[str], q: Quantity, behind: list[str], question: str) -> bool:
    """Tell whether the question says a number with the same words around it.

    Two in front of it, or one that is no `has` or `are`, with the noun behind it; or one in front and two behind.
    """
    last = before[1:] if before[1] not in _LEADS_ON and before[1] not in _NO_NOUN else before
    near = [f" {' '.join(last)} {q.text} {behind[0]}"]
    if len(behind) > 1:
        near.append(f" {before[1]} {q.text} {' '.join(behind)}")
    return any(words in f" {question}" for words in near)


def rules_out(sentence: str, number: str) -> bool:
    """Tell whether a number is what the answer is not (`not 30`), or only a bound of it (`more than 30`)."""
    return sentence.partition(number)[0].lower().rstrip(CURRENCY_SIGNS).endswith((*DENIED, *_BOUNDS))


def breaks_off(text: str) -> bool:
    """Tell whether a text ends where more was to follow: `He has 12 and then buys`."""
    tail = text[-200:].rstrip()
    if not tail[-1:].isalpha():
        return False
    words = tail.replace("\n", ". ").rpartition(". ")[2].lower().split()
    last = [a for a, b in pairwise(words[-4:]) if b == "and" and a.endswith(",")]
    return words[-1] in _LEADS_ON or bool(last) or not _OPENERS.isdisjoint(words[-3:])


def mentions(sentence: str, choice: tuple[Quantity, ...], question: str = "") -> bool:
    """Tell whether a number in words only belongs to a phrase, `the shortest of the three`, or counts parts of the solution."""
    if len(choice) != 1:
        return False
    return _of_solving(sentence, choice[0], question) or (
        choice[0].form == "word" and bool(CLAUSE.search(sentence, 0, choice[0].start))
    )


def _of_solving(sentence: str, q: Quantity, question: str) -> bool:
    """Tell whether a number counts what a solution consists of: `there are two ways to solve this`."""
    return (word := unit_after(sentence, q.end)[0]) in _SOLVING and word not in question.lower()


def claims(sentence: str, choice: Choice, question: str = "") -> bool:
    """Tell whether a sentence without a marker puts its number forward as the answer.

    It does by its verb (`there are five`, `it is 18`), by a conclusion (`so … 18`), by the noun that is asked for, or by being
    the number; `the shortest of the three`, `12 and 8`, `only one at a time` state none.
    """
    q, before = choice.quantity, sentence[: choice.quantity.start]
    if choice.several or OWN_WORDS.match(sentence) or _of_solving(sentence, q, question):
        return False
    if q.form == "word" and sentence.startswith(" of ", q.end):
        return False
    before = before.rstrip(f"{CURRENCY_SIGNS} ") + " "
    if ASSERTS.search(before) or before.endswith(": ") or before.strip(" *\"'(~≈-") in ("", "USD", "Rs."):
        return choice.sure or len({o.value for o in choice.among}) == 1
    if not sentence.isascii():
        return choice.sure  # no verbs of other languages are known
    word, unit, _ = unit_after(sentence, q.end)
    wanted = asked(question)
    if (word and word in wanted.nouns) or (wanted.money and (q.unit or (unit and unit.dimension == "money"))):
        return True
    return q.form != "word" and choice.sure and bool(LINK.search(before) or CONCLUDES.search(sentence))


def no_result(sentence: str, question: str = "") -> bool:
    """Tell whether a sentence only announces an operation (`we multiply 5 by 2`), or breaks off before its result."""
    if sentence[-1:] in "=+*/×÷" or sentence.rstrip(" ,").endswith((" so", " and", " because", " equals")):
        return True
    if "=" not in sentence and len(sentence) < 160 and _ANNOUNCES.search(sentence):
        return True
    every = quantities(sentence)
    gaps = [sentence[a.end : b.start].strip() for a, b in pairwise(every)]
    if gaps and all(gap in _OPERATORS for gap in gaps) and set(gaps) != {"-"}:
        return any(c.isalpha() for c in sentence[: every[0].start]) and not ASSERTS.search(sentence[: every[0].start])
    said = _OPERATE.search(sentence)
    if said is None or said[0].split()[0].lower() in question.lower():
        return False
    inside = {q.value for q in every if q.start >= said.start()}
    return all(q.value in inside for q in every) if said["other"] else len(every) == 1
