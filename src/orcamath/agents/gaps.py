"""The gaps of a statement: where its numbers stand, and whether a question asks for one of them.

Rules for English. They know form only: whether a question can be answered, and with what, is for solvers to find out (the
stage `confirm`). What no solver sees is decided here: a question that is about another number of the statement than the one
that was hidden has an answer too, only not the one that we would call known.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from orcamath.agents.comparisons import wrong_sides
from orcamath.agents.wellformed import counts_something
from orcamath.answers.numbers import Quantity, quantities
from orcamath.text.money import CURRENCY_NAMES, CURRENCY_SIGNS
from orcamath.text.patterns import pattern
from orcamath.text.sentences import sentences
from orcamath.text.words import CALENDAR, content_words

__all__ = ["Gap", "NumberKind", "about_another", "gaps", "mismatch", "number_kind"]

NumberKind = Literal["share", "multiple", "money", "plain"]

_WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|[0-9][0-9,.]*")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_COMPOUND = pattern(
    r"[-/:][A-Za-z0-9]",
    "what follows a number that is part of a word",
    ("-foot rope", ":30", "/week"),
    (" feet", "- 3", "."),
)
_TURNS = frozenset(["and", "while", "but", "or", "whereas"])
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
_CURRENCY = pattern(
    rf"[{CURRENCY_SIGNS}]|\b(?:{CURRENCY_NAMES}|pounds?|money)\b",
    "names a currency",
    ("He spends $3.", "It costs 5 dollars.", "How much money?"),
    ("He spends 3 hours.", "It is worth a try."),
)
_MONEY = pattern(
    r"\bhow much\b|\$|\b(?:dollars?|euros?|pounds?|cents?|costs?|price|pay|paid|pays|earn|earns|money|charges?|fee|salary|wages?|"
    r"bill|budget)\b",
    "speaks of money by itself",
    ("How much is it?", "What is the price?", "What does he pay?"),
    ("How long does he spend on it?", "What is its value?", "At what rate does it flow?"),
)
_PERHAPS_MONEY = pattern(
    r"\b(?:spend|spends|spent|worth|value|amount|rate)\b",
    "speaks of money only where there is a currency: time is spent too",
    ("He spent it.", "What is it worth?"),
    ("He paid.", "How much?"),
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
_HOW_MANY = pattern(
    r"\bhow many (?:of (?:the|his|her|their) )?([A-Za-z]+)(?: ([A-Za-z]+))?",
    "the thing that is counted",
    ("How many red hats has he?", "How many of her pens are blue?"),
    ("How much is it?", "How old is Al?"),
)
_BEHIND = pattern(
    r"\b(?:in|on|at|from|to|with|by|for|during) (?:the |his |her |their |its |an? )?(?!each\b|every\b|total\b|all\b)([A-Za-z]+)",
    "a circumstance: what stands behind a preposition",
    ("How many in May?", "What did she get from her grandparents?"),
    ("How many in total?", "How much for each hat?", "How many pens has Ann?"),
)
_NO_COUNT = pattern(
    r"\b(?:every|in year|o['’]clock|january|february|march|april|may|june|july|august|september|october|november|december) $",
    "in front of a number that is a date or a rhythm, and does not say how many",
    ("on August ", "takes one every ", "In May "),
    ("they march in ", "maybe ", "in every week "),
)
_TIMES_OF_DAY = frozenset(
    ["today", "yesterday", "tomorrow", "tonight", "morning", "afternoon", "evening", "night", "noon"]
)


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


@lru_cache(
    maxsize=1024
)  # the rules come back to the sentences of one statement for every question and every word of it
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
    year = not q.unit and q.text.isdigit() and 1800 <= q.value <= 2100 and not re.match(r" [a-z]", statement[q.end :])
    return not year and not _NO_COUNT.search(statement[max(q.start - 12, 0) : q.start])


def mismatch(question: str, gap: Gap, statement: str) -> str | None:
    """Name the rule by which a question made of the gap's sentence alone does not ask for its number; None where it does.

    `no_number` is asked for; something `worked_out` is; its `kind` is another; it is `about_another` number; its `words` are
    others; another number of the sentence is `nearer`.
    """
    sentence, start = gap.sentence, question.lower()
    if start.startswith(_NO_NUMBER) or (start.startswith("what") and not _WHAT_NUMBER.match(question)):
        return "no_number"
    if _WORKED_OUT.words(question) - _WORKED_OUT.words(sentence):
        return "worked_out"
    if not _kind_fits(question, gap, statement):
        return "kind"
    if about_another(question, gap, statement):
        return "about_another"
    words = content_words(question) & content_words(sentence)
    if len(words) < max(1, min(2, len(content_words(question) - _ASKING) // 2)):
        return "words"
    rivals = (g for g in gaps(sentence) if g.at != gap.at and number_kind(g) == number_kind(gap))
    best = max((_nearness(words, g) for g in rivals), default=Fraction(0))
    return "nearer" if _nearness(words, gap) < best else None


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
    counted = {w for m in _HOW_MANY.finditer(question) for w in content_words(f"{m[1]} {m[2] or ''}")}
    people = content_words(" ".join(_NAME.findall(question)))
    days = {w.lower() for w in re.findall(r"[A-Za-z]+", question) if w[0].isupper() or w in _TIMES_OF_DAY}
    days &= CALENDAR | _TIMES_OF_DAY  # `May` is a stop word
    behind = {w for m in _BEHIND.finditer(question) for w in content_words(m[1])}
    return sorted(((people | behind) - counted - _subject(statement)) | days)


def _subject(statement: str) -> set[str]:
    """Return the one person a statement is about; where there are several, their names tell numbers apart."""
    people = {n for s in sentences(statement) for n in re.findall(r"[A-Z][a-z]+", s)}
    named = {
        n for n in people if re.search(rf"[a-z,] {n}\b", statement) or re.match(rf"{n}(?:['’]s)? [a-z]", statement)
    }
    named -= {d.capitalize() for d in CALENDAR}
    return content_words(named.pop()) if len(named) == 1 else set()


def _belongs_elsewhere(word: str, gap: Gap, statement: str) -> bool:
    """Tell whether a word of the statement stands by other numbers only, and is more than the thing counted there.

    What is counted (`3 pens and buys 4`) is left out where it is counted again, so that it tells nothing.
    """
    elsewhere = False
    for sentence in sentences(statement):
        numbers = gaps(sentence)
        places = [(m.start(), m[0]) for m in _WORD.finditer(sentence)]
        for start, text in places:
            if not numbers or (text.lower() != word and word not in content_words(text)):
                continue
            far = [(_between(g, start, len(text), places), g) for g in numbers]
            nearest = [g for d, g in far if d == min(d for d, _ in far)]
            if any(g.at == gap.at and sentence == gap.sentence for g in nearest):
                return False
            elsewhere |= not any(_counted_by(g, start) for g in nearest)
    return elsewhere


def _counted_by(gap: Gap, start: int) -> bool:
    """Tell whether a word is what a number counts: it stands right behind it, or one word further as a plural."""
    behind = re.match(r" (?:of )?(?:the )?([A-Za-z]+)(?: ([A-Za-z]+s)\b)?", gap.behind)
    end = gap.at + len(gap.quantity.text)
    return behind is not None and any(start == end + behind.start(i) for i in (1, 2) if behind[i] is not None)


def number_kind(gap: Gap) -> NumberKind:
    """Return what sort of number it is: a share, a multiple, money, or a plain one."""
    q = gap.quantity
    if q.form == "percent" or (q.value < 1 and q.form in ("fraction", "word")):
        return "share"
    if q.form == "multiplier" or re.match(r" times\b", gap.behind):
        return "multiple"
    return "money" if q.unit else "plain"


def _money(text: str, statement: str) -> bool:
    """Tell whether a text speaks of money: `spend` does so only where the statement has a currency."""
    return bool(_MONEY.search(text) or (_PERHAPS_MONEY.search(text) and _CURRENCY.search(statement)))


def _kind_fits(question: str, gap: Gap, statement: str) -> bool:
    """Tell whether the question asks for a share where the number is one, for money where it is money, for its noun."""
    after = re.findall(r"[A-Za-z]+", gap.behind)
    kind = number_kind(gap)
    if kind == "money":
        return _money(question, statement)
    if kind != "plain":
        return bool((_SHARE if kind == "share" else _TIMES).search(question))
    if _SHARE.search(question) or ("how many" not in question.lower() and _TIMES.search(question)):
        return False
    asked = _HOW_MANY.search(question)
    near = content_words(" ".join(after[:4])) or content_words(gap.sentence)
    if after and after[0].lower() in _COMPARED and after[0].lower() not in question.lower():
        return False
    if asked is None:
        costs = _money(question, statement) and _money(gap.sentence[max(gap.at - 20, 0) : gap.at], statement)
        if _PRICE.match(question):
            return costs
        return not question.lower().startswith("what") or bool(near & content_words(question)) or costs
    beside = gap.behind.lstrip()[:1].isalpha()
    elided = not beside or not content_words(after[0]) or after[0].lower() in ("each", "more", "per")
    wanted = content_words(f"{asked[1]} {asked[2] or ''}")
    return bool(wanted & (content_words(gap.sentence) if elided else near))


def _nearness(words: set[str], gap: Gap) -> Fraction:
    """Add up, over the words, how near each stands to the number; a turn of the sentence between them is three words."""
    places = [(m.start(), m[0]) for m in _WORD.finditer(gap.sentence)]
    total = Fraction(0)
    for word in words:
        far = [_between(gap, start, len(text), places) for start, text in places if word in content_words(text)]
        if far:
            total += Fraction(1, 1 + min(3 * turns + words for turns, words in far))
    return total


def _between(gap: Gap, start: int, length: int, places: list[tuple[int, str]]) -> tuple[int, int]:
    """Count the turns of the sentence, and the words, between a word and the number."""
    low, high = (start + length, gap.at) if start < gap.at else (gap.at + len(gap.quantity.text), start)
    between = [text.lower() for at, text in places if low <= at < high]
    turns = sum(text in _TURNS for text in between)
    return turns + gap.sentence.count(",", low, high) + gap.sentence.count(";", low, high), len(between)
