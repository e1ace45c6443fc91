"""A statement with one of its numbers hidden, and a problem taken apart into what it tells and what it asks.

Rules for English, for problems that are put together here instead of by the writer.
"""

import re

from orcamath.agents.patterns import pattern
from orcamath.answers.numbers import Quantity

__all__ = ["question_of", "without"]

_PREMISE = pattern(
    r"(?:if|suppose|assuming|given) (?:that )?([^?]{3,300}?), (?:then )?(?=(?:how|what|which|by how|in how|at what|find)\b)",
    "a question that tells something first",
    ("If she buys 4, how many has she?", "Suppose that it rains, then what is left?"),
    ("How many has she if she buys 4?",),
)
_DETERMINER = frozenset(
    ["a", "an", "the", "this", "that", "these", "those", "his", "her", "its", "their", "my", "our", "your"]
)
_GIVES = [
    "give",
    "gave",
    "gives",
    "pay",
    "paid",
    "pays",
    "cost",
    "costs",
    "sent",
    "sends",
    "buys",
    "bought",
    "brought",
    "brings",
    "bring",
    "lent",
    "left",
    "made",
    "handed",
    "owes",
    "owed",
]
_DETERMINED = pattern(
    r"(?:^|[^A-Za-z])(?:an?|the|this|these|those|his|its|their|my|our|your|[A-Za-z]{1,20}(?:['’]s|s['’])|"
    + "".join(rf"(?<!{verb} )" for verb in _GIVES)
    + r"her)(?: (?:first|last|next|other|remaining))?$",
    "stands in front of a number that can simply be left out; what is given to `her` cannot",
    ("He met the", "Ann's", "It lasted the first", "He likes her"),
    ("He sold", "She gave her", "It costs her"),
)
_COMPARING = frozenset(["than", "least", "most", "exactly", "only", "about", "almost", "nearly", "over", "under"])


_SINGULAR = pattern(
    r"^ (?!(?:left|more|each|extra|went|ran|came|gone|broke|fell|got|lost|won|sold|ate|had|has|is|was|does|did|of)\b)"
    r"(?!\w+(?:ed|ing)\b)"
    r"[a-z]+[a-rt-z](?: (?:a|and|for|in|to|of|on|at|per|than)\b|[.,;]|$)",
    "a thing in the singular, and no verb: the number of things left is not of `lefts`",
    (" game and", " apple.", " boy in"),
    (" left.", " died.", " went to", " games and", " running in", " boy is"),
)


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
    if q.value == 1 and hidden == "some" and _SINGULAR.match(after):
        after = re.sub(rf"^( ?{noun})", r"\1s", after, flags=re.IGNORECASE)
        hidden = "a certain number of" if word in ("is", "was") else hidden  # `there is some games` is no English
    if not before or before.endswith((".", "!", "?")):
        hidden = _capital(hidden)
    gap = "" if not before or statement[q.start - 1 : q.start] in "([\"'" else " "
    return f"{before}{gap}{hidden}{after}"


_CURRENCY = {"$": "dollars", "€": "euros", "£": "pounds"}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
