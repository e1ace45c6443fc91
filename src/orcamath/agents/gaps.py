"""The gaps of a statement: where its numbers stand, how it reads without one of them, and whether a question asks for it.

Rules for English. They know form only: a question that names the right thing may still ask something else about it.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from orcamath.agents.wellformed import content_words, counts, sentences
from orcamath.answers.numbers import Quantity, quantities

__all__ = ["Gap", "asks_for", "gaps", "question_of", "without"]

_WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?|[0-9][0-9,.]*")
_PREMISE = re.compile(
    r"(?:if|suppose|assuming|given) (?:that )?([^?]{3,300}?), (?:then )?(?=(?:how|what|which|by how|in how|at what|find)\b)",
    re.IGNORECASE,
)
_COMPOUND = re.compile(r"[-/:][A-Za-z0-9]")
_DETERMINER = frozenset(
    ["a", "an", "the", "this", "that", "these", "those", "his", "her", "its", "their", "my", "our", "your"]
)
# what stands in front of a number that can simply be left out: `the 3 boys`, `Ann's 5 cats`, `the first 4 days`
_DETERMINED = re.compile(
    r"(?:^|[^A-Za-z])(?:an?|the|this|these|those|his|its|their|my|our|your|[A-Za-z]{1,20}(?:['’]s|s['’])|(?<!give )(?<!gave )"
    r"(?<!gives )(?<!pay )(?<!paid )(?<!pays )(?<!cost )(?<!costs )(?<!sent )(?<!sends )(?<!buys )(?<!bought )(?<!brought )"
    r"(?<!brings )(?<!bring )(?<!lent )(?<!left )(?<!made )(?<!handed )(?<!owes )(?<!owed )her)"
    r"(?: (?:first|last|next|other|remaining))?$",
    re.IGNORECASE,
)
_COMPARING = frozenset(["than", "least", "most", "exactly", "only", "about", "almost", "nearly", "over", "under"])
_TURNS = frozenset(["and", "while", "but", "or", "whereas"])
# words that ask for something worked out from the numbers of a sentence, unless it says them itself
_WORKED_OUT = re.compile(
    r"\b(?:each|every|total|altogether|combined|together|average|mean|remaining|left|sum|difference|more|fewer|less|"
    r"longer|older|younger|taller|farther|further|greater|rest|another|other|after|before)\b",
    re.IGNORECASE,
)
_SHARE = re.compile(r"percent|%|\b(?:fraction|part|share|portion|proportion)\b", re.IGNORECASE)
_TIMES = re.compile(r"\b(?:times|multiple|multiplied|factor)\b", re.IGNORECASE)
_MONEY = re.compile(
    r"\bhow much\b|\$|\b(?:dollars?|euros?|pounds?|cents?|costs?|price|pay|paid|pays|earn|earns|money|worth|charges?|fee|rate|"
    r"salary|wages?|spend|spends|spent|bill|budget|value|amount)\b",
    re.IGNORECASE,
)
_ASKING = frozenset(["fraction", "percentag", "percent", "number", "money", "dollar", "price", "cost", "part", "shar"])
_NO_NUMBER = ("who", "which", "when", "where", "why", "is ", "are ", "does ", "do ", "did ")
_COMPARED = frozenset(["more", "less", "fewer", "additional", "extra"])
_WHAT_NUMBER = re.compile(
    r"what (?:is|are|was|were|will|percent|percentage|fraction|share|part|portion|number|amount|price|cost|does|did|do)\b",
    re.IGNORECASE,
)
_PRICE = re.compile(r"what (?:is|are|was|were) the (?:\w{1,20} )?(?:cost|price|fee|rate|value)\b", re.IGNORECASE)
_HOW_MANY = re.compile(r"\bhow many (?:of (?:the|his|her|their) )?([A-Za-z]+)(?: ([A-Za-z]+))?", re.IGNORECASE)


class Gap(NamedTuple):
    """One number of a statement, and the sentence in which it stands."""

    quantity: Quantity
    sentence: str
    at: int
    """Where the number begins in the sentence."""

    @property
    def marked(self) -> str:
        """The sentence with the number in square brackets."""
        end = self.at + len(self.quantity.text)
        return f"{self.sentence[: self.at]}[{self.quantity.text}]{self.sentence[end:]}"


def gaps(statement: str) -> list[Gap]:
    """Return the numbers of a statement that say how many, in order; a number that is part of a word (`20-foot`) is none."""
    found, begin = [], 0
    spans = []
    for sentence in sentences(statement):
        begin = max(statement.find(sentence.split(" ", 1)[0], begin), begin)
        spans.append((begin, sentence))
        begin += len(sentence)
    for q in quantities(statement):
        if not counts(q) or not _alone(statement, q):
            continue
        begin, sentence = next(((b, s) for b, s in reversed(spans) if b <= q.start), (0, ""))
        at = q.start - begin
        if sentence[at : at + len(q.text)] != q.text:  # joined sentences have other blanks between them
            at = sentence.find(q.text, max(at - 4, 0))
        if at >= 0:
            found.append(Gap(q, sentence, at))
    return found


def _alone(statement: str, q: Quantity) -> bool:
    """Tell whether a number can be taken out: no clock time, no year, not glued to a word or a unit, no bare `dozen`."""
    if q.form in ("clock", "ratio") or _COMPOUND.match(statement, q.end) or "dozen" in q.text.lower():
        return False
    if statement[q.end : q.end + 1].isalpha() or statement[q.end : q.end + 1] in ("$", "€", "£"):
        return False
    year = not q.unit and q.text.isdigit() and 1800 <= q.value <= 2100 and not re.match(r" [a-z]", statement[q.end :])
    return not year and not re.search(r"\b(?:every|in year|o['’]clock)\s*$", statement[max(q.start - 12, 0) : q.start])


def question_of(text: str, ask: str) -> tuple[str, str]:
    """Split a problem into what it tells and what it asks; `If it rains, how …?` tells that it rains.

    `ask` is its asking sentence. Where it does not stand there word by word, nothing is told and all is asked.
    """
    at = text.rfind(ask)
    if at < 0 or not ask:
        return "", text.strip()
    told, after = text[:at].strip(), text[at + len(ask) :].strip()
    if after:
        told = f"{told} {after}".strip()
    if premise := _PREMISE.match(ask):
        told = f"{told} {_capital(premise[1])}.".strip()
        ask = _capital(ask[premise.end() :])
    return told, ask


def without(statement: str, q: Quantity) -> str:
    """Return the statement with one number hidden: `some cars`, `a certain percentage of them`, `the boys`."""
    before, after = statement[: q.start].rstrip(), statement[q.end :]
    last = re.search(r"([A-Za-z'’]+)$", before)
    word = last[1].lower() if last else ""
    following = re.match(r"[ ]?([A-Za-z]*)", after)
    noun = following[1].lower() if following else ""
    if noun and _DETERMINED.search(before[-60:]):
        article = f"{before[:-1]}" if word == "an" else before
        return f"{article} {after.lstrip()}"
    if word == "another" and noun:
        hidden = "some"
        before = before[: -len("another")].rstrip()
        after = f" more{after}"
    elif q.form == "percent":
        hidden = "a certain percentage"
    elif q.form == "multiplier":
        hidden = "a certain number of times"
    elif q.value < 1 and q.form in ("fraction", "word"):
        hidden = "a certain fraction" + (" of" if noun in _DETERMINER else "")
    elif q.unit and q.unit != "%":
        hidden = f"some {_CURRENCY.get(q.unit, 'money')}"
    else:
        hidden = "a certain number of" if (noun == "times" or word in _COMPARING) and noun else "some"
    if (
        q.value == 1
        and hidden == "some"
        and re.match(r" [a-z]+[a-rt-z](?: (?:a|and|for|in|to|of|on|at|per|than)\b|[.,;]|$)", after)
    ):
        after = re.sub(rf"^( ?{noun})", r"\1s", after, flags=re.IGNORECASE)
    if not before or before.endswith((".", "!", "?")):
        hidden = _capital(hidden)
    gap = "" if not before or statement[q.start - 1 : q.start] in "([\"'" else " "
    return f"{before}{gap}{hidden}{after}"


_CURRENCY = {"$": "dollars", "€": "euros", "£": "pounds"}


def asks_for(question: str, gap: Gap, statement: str) -> bool:
    """Tell whether a question asks for the number in a gap: for its kind of thing, and about nothing nearer to another number."""
    sentence = gap.sentence
    if question.lower().startswith(_NO_NUMBER):
        return False
    if question.lower().startswith("what") and not _WHAT_NUMBER.match(question):
        return False
    if {w.lower() for w in _WORKED_OUT.findall(question)} - {w.lower() for w in _WORKED_OUT.findall(sentence)}:
        return False
    if not _kind_fits(question, gap):
        return False
    names = set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", question))
    if names - set(re.findall(r"[A-Za-z]+", statement)):
        return False
    words = _words(question) & _words(sentence)
    if len(words) < max(1, min(2, len(_words(question) - _ASKING) // 2)):
        return False
    every = gaps(sentence)
    named = _words(" ".join(names)) & words
    if named and not any(max(every, key=lambda g: _nearness({name}, g)).at == gap.at for name in named):
        return False
    rivals = (g for g in every if g.at != gap.at and _kind(g) == _kind(gap))
    best = max((_nearness(words, g) for g in rivals), default=Fraction(0))
    return _nearness(words, gap) >= best


def _kind(gap: Gap) -> str:
    """Return what sort of number it is: a share, a multiple, money, or a plain one."""
    q = gap.quantity
    if q.form == "percent" or (q.value < 1 and q.form in ("fraction", "word")):
        return "share"
    if q.form == "multiplier" or re.match(r" times\b", gap.sentence[gap.at + len(q.text) :]):
        return "multiple"
    return "money" if q.unit else "plain"


def _kind_fits(question: str, gap: Gap) -> bool:
    """Tell whether the question asks for a share where the number is one, for money where it is money, for its noun."""
    q = gap.quantity
    after = re.findall(r"[A-Za-z]+", gap.sentence[gap.at + len(q.text) :])
    special = {"share": _SHARE, "multiple": _TIMES, "money": _MONEY}.get(_kind(gap))
    if special is not None:
        return bool(special.search(question))
    if _SHARE.search(question) or ("how many" not in question.lower() and _TIMES.search(question)):
        return False
    asked = _HOW_MANY.search(question)
    near = _words(" ".join(after[:4])) or _words(gap.sentence)
    if after and after[0].lower() in _COMPARED and after[0].lower() not in question.lower():
        return False
    if asked is None:
        costs = _MONEY.search(question) and _MONEY.search(gap.sentence, max(gap.at - 20, 0), gap.at)
        if _PRICE.match(question):
            return bool(costs)
        return not question.lower().startswith("what") or bool(near & _words(question)) or bool(costs)
    beside = gap.sentence[gap.at + len(q.text) :].lstrip()[:1].isalpha()
    elided = not beside or not content_words(after[0]) or after[0].lower() in ("each", "more", "per")
    wanted = _words(f"{asked[1]} {asked[2] or ''}")
    return bool(wanted & (_words(gap.sentence) if elided else near))


def _nearness(words: set[str], gap: Gap) -> Fraction:
    """Add up, over the words, how near each stands to the number; a turn of the sentence between them is three words."""
    places = [(m.start(), m[0]) for m in _WORD.finditer(gap.sentence)]
    total = Fraction(0)
    for word in words:
        far = [_distance(gap, start, len(text), places) for start, text in places if word in _words(text)]
        if far:
            total += Fraction(1, 1 + min(far))
    return total


def _distance(gap: Gap, start: int, length: int, places: list[tuple[int, str]]) -> int:
    low, high = (start + length, gap.at) if start < gap.at else (gap.at + len(gap.quantity.text), start)
    between = [text.lower() for at, text in places if low <= at < high]
    turns = (
        sum(text in _TURNS for text in between)
        + gap.sentence.count(",", low, high)
        + gap.sentence.count(";", low, high)
    )
    return len(between) + 3 * turns


def _words(text: str) -> set[str]:
    return {w.removesuffix("e") for w in content_words(text)}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
