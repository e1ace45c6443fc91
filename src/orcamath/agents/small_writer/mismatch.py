"""Does a question that was made of one marked sentence ask for the number marked? Rules for English, of form only.

Writers of half a billion parameters see that sentence alone, and often ask for something else in it.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

from orcamath.agents.gaps import HOW_MANY, Gap, about_another, between, gaps, things_counted, word_places
from orcamath.agents.small_writer.money import speaks_of_money
from orcamath.text.patterns import pattern
from orcamath.text.words import content_words

__all__ = ["NumberKind", "mismatch", "number_kind"]

NumberKind = Literal["share", "multiple", "money", "plain"]

_WORKED_OUT = pattern(
    r"\b(?:each|every|total|altogether|combined|together|average|mean|remaining|left|sum|difference|more|fewer|less|"
    r"longer|older|younger|taller|farther|further|greater|rest|another|other|after|before)\b",
    "asks for something worked out from the numbers of a sentence, unless it says so itself",
    ("How many are left?", "How many in total?", "How much older is Si?", "What does each cost?"),
    ("How many pens has Ann?", "How old is Al?", "How much does the hat cost?"),
)
_SHARE = pattern(
    r"percent|%|\b(?:fraction|part|share|portion|proportion)\b",
    "asks for a share of a whole",
    ("What percentage are boys?", "What fraction did he eat?", "What part of it?"),
    ("How many boys are there?", "How many parts has it?", "How many shares does she own?"),
)
_TIMES = pattern(
    r"\b(?:times|multiple|multiplied|factor)\b",
    "asks for a multiple",
    ("How many times as far did it fly?", "By what factor?"),
    ("How much time?", "How many factors has 12?"),
)
_HOW_OFTEN = pattern(
    r"\bhow many times (?:do|does|did|will|would|can|could|has|have|had)\b",
    "asks how often something happens",
    ("How many times did it ring?", "How many times does he eat?"),
    ("How many times as many has he?", "How many times the length is it?", "How many times older is she?"),
)
_AS_MUCH = pattern(
    r"^ times (?:as|the|more|less|fewer|(?!per\b)\w+er)\b",
    "stands behind a number that compares, and does not count how often",
    (" times as far", " times the number", " times older"),
    (" times.", " times a day", " times per minute"),
)
_SUM = pattern(
    r"\b(?:total|altogether|together|combined)\b",
    "speaks of several things together",
    ("How many rows weigh 5 tons in total?", "How many have they together?"),
    ("How many are left?", "How many does it weigh?"),
)
_SO_MANY_TIMES = pattern(
    r"^ times\b",
    "stands behind a number that multiplies",
    (" times as far", " times."),
    (" timesheets", " more times"),
)
_ASKING = frozenset(["fraction", "percentag", "percent", "number", "money", "dollar", "pric", "cost", "part", "shar"])
_NO_NUMBER = ("who", "which", "when", "where", "why", "is ", "are ", "does ", "do ", "did ")
_COMPARED = frozenset(["more", "less", "fewer", "additional", "extra"])
_WHAT_NUMBER = pattern(
    r"^what (?:is|are|was|were|will|percent|percentage|fraction|share|part|portion|number|amount|price|cost|does|did|do)\b",
    "a question with `what` that a number can answer",
    ("What is the price?", "What percentage of them?", "What number is it?"),
    ("What game did they win?", "What colour is it?", "So what is it?"),
)
_PRICE = pattern(
    r"^what (?:is|are|was|were) the (?:\w{1,20} )?(?:cost|price|fee|rate|value)\b",
    "asks for a price",
    ("What is the cost of an owl?", "What was the ticket price?"),
    ("What is the number of owls?", "What does it cost?"),
)


def mismatch(question: str, gap: Gap, statement: str) -> str | None:
    """Name the rule by which a question made of the gap's sentence alone does not ask for its number; None where it does.

    `no_number` is asked for; something `worked_out` is; its `kind` is another; it is `about_another` number; its `words` are
    others; another number of its sentence, which counts what is asked for, is `nearer`.
    """
    sentence, start = gap.sentence, question.lower()
    if start.startswith(_NO_NUMBER) or (start.startswith("what") and not _WHAT_NUMBER.match(question)):
        return "no_number"
    if _WORKED_OUT.words(question) - _WORKED_OUT.words(sentence):
        return "worked_out"
    if not _kind_fits(question, gap, statement):
        return "kind"
    if _of_all(question, gap):
        return "worked_out"
    if about_another(question, gap, statement):
        return "about_another"
    words = content_words(question) & content_words(sentence)
    if len(words) < max(1, min(2, len(content_words(question) - _ASKING) // 2)):
        return "words"
    best = max((_nearness(words, g) for g in _rivals(question, gap)), default=Fraction(0))
    return "nearer" if _nearness(words, gap) < best else None


def number_kind(gap: Gap) -> NumberKind:
    """Return what sort of number it is: a share, a multiple, money, or a plain one."""
    q = gap.quantity
    if q.form == "percent" or (q.value < 1 and q.form in ("fraction", "word")):
        return "share"
    if q.form == "multiplier" or _SO_MANY_TIMES.search(gap.behind):
        return "multiple"
    return "money" if q.unit else "plain"


def _kind_fits(question: str, gap: Gap, statement: str) -> bool:
    """Tell whether the question asks for a share where the number is one, for money where it is money, for its noun."""
    after = re.findall(r"[A-Za-z]+", gap.behind)
    kind = number_kind(gap)
    if kind == "money":
        return speaks_of_money(question, statement)
    if kind == "share":
        return bool(_SHARE.search(question))
    if kind == "multiple":
        compares = gap.quantity.form == "multiplier" or _AS_MUCH.search(gap.behind)
        return bool(_TIMES.search(question)) and not (compares and _HOW_OFTEN.search(question))
    if _SHARE.search(question) or ("how many" not in question.lower() and _TIMES.search(question)):
        return False
    near = content_words(" ".join(after[:4])) or content_words(gap.sentence)
    if after and after[0].lower() in _COMPARED and after[0].lower() not in question.lower():
        return False
    if not HOW_MANY.search(question):
        costs = speaks_of_money(question, statement) and speaks_of_money(
            gap.sentence[max(gap.at - 20, 0) : gap.at], statement
        )
        if _PRICE.match(question):
            return costs
        return not question.lower().startswith("what") or bool(near & content_words(question)) or costs
    beside = gap.behind.lstrip()[:1].isalpha()
    elided = not beside or not content_words(after[0]) or after[0].lower() in ("each", "more", "per")
    return bool(things_counted(question) & (content_words(gap.sentence) if elided else near))


def _of_all(question: str, gap: Gap) -> bool:
    """Tell whether it asks for one part by what the parts come to: `7 hens and 8 ducks weigh a total of 90 pounds`.

    The number nearest to such a word is what they come to; it may be asked for, and so may a part that stands alone.
    """
    if not _SUM.search(question):
        return False
    numbers = gaps(gap.sentence)
    wholes = {min(numbers, key=lambda g: _far(g, m.start(), len(m[0]))).at for m in _SUM.finditer(gap.sentence)}
    parts = [g for g in numbers if g.at not in wholes and number_kind(g) == number_kind(gap)]
    return bool(wholes) and gap.at not in wholes and len(parts) > 1


def _rivals(question: str, gap: Gap) -> Iterator[Gap]:
    """Yield the other numbers of the sentence that are of the same kind and count what is asked for."""
    wanted = things_counted(question)
    for g in gaps(gap.sentence):
        beside = content_words(" ".join(re.findall(r"[A-Za-z]+", g.behind)[:2]))
        if g.at != gap.at and number_kind(g) == number_kind(gap) and (not wanted or wanted & beside):
            yield g


def _nearness(words: set[str], gap: Gap) -> Fraction:
    """Add up, over the words, how near each stands to the number; a turn of the sentence between them is three words."""
    places = word_places(gap.sentence)
    total = Fraction(0)
    for word in words:
        far = [_far(gap, start, len(text)) for start, text in places if word in content_words(text)]
        if far:
            total += Fraction(1, 1 + min(far))
    return total


def _far(gap: Gap, start: int, length: int) -> int:
    """Return how many words lie between a number and the words of `length` from `start` on; a turn of the sentence is three."""
    turns, words = between(gap, start, length)
    return 3 * turns + words
