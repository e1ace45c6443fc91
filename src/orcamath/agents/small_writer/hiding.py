"""A statement with one of its numbers hidden, and a problem taken apart into what it tells and what it asks.

Rules for English, for problems that are put together here instead of by the writer.
"""

import re

from orcamath.answers.numbers import Quantity
from orcamath.text.money import CURRENCIES
from orcamath.text.patterns import pattern

__all__ = ["question_of", "without"]

_PREMISE = pattern(
    r"(?:if|suppose|assuming|given) (?:that )?([^?]{3,300}?), (?:then )?(?=(?:how|what|which|by how|in how|at what|find)\b)",
    "a question that tells something first",
    ("If she buys 4, how many has she?", "Suppose that it rains, then what is left?"),
    ("How many has she if she buys 4?",),
)
_DETERMINER = frozenset("a an the this that these those his her its their my our your".split())
_GIVES = (
    "give gave gives pay paid pays cost costs sent sends buys bought brought brings bring lent left made handed owes owed"
).split()
_DETERMINED = pattern(
    r"(?:^|[^A-Za-z])(?:an?|the|this|these|those|his|its|their|my|our|your|[A-Za-z]{1,20}(?:['’]s|s['’])|"
    + "".join(rf"(?<!{verb} )" for verb in _GIVES)
    + r"her)(?: (?:first|last|next|other|remaining))?$",
    "stands in front of a number that can simply be left out; what is given to `her` cannot",
    ("He met the", "Ann's", "It lasted the first", "He likes her"),
    ("He sold", "She gave her", "It costs her"),
)
_COMPARING = frozenset("than least most exactly only about almost nearly over under".split())
_BEING = frozenset("is was are were be being".split())
_IS = pattern(
    r"\b(?:that|it|he|she|there|here|this|what|who|where|how)['’]s$",
    "`is` written short, not a possessive: `that's 4 more than a cap`",
    ("and that's", "It’s", "There's"),
    ("Ann's", "the cat's", "its"),
)
_SINGULAR = pattern(
    r"^( (?:more )?)(?!(?:left|more|each|extra|went|ran|came|gone|broke|fell|got|lost|won|sold|ate|had|has|is|was|does|did|of|"
    r"from|to|for|in|on|at|per|and|or|as|out|less|through)\b)"
    r"(?!\w+(?:ed|ing)\b)"
    r"([a-z]+[a-rt-z])(?=(?: (?:a|and|for|in|to|of|on|at|per|than|that|each|every|from|with|after)\b|[.,;:?!)]|$))",
    "a thing in the singular, and no verb: the number of things left is not of `lefts`",
    (" game and", " apple.", " boy in", " mile each day", " more mug of", " week?"),
    (" left.", " died.", " went to", " games and", " running in", " boy is", " rocking chair.", " for her sister"),
)
_COUNTED_ON = pattern(
    r"^ ?(?:$|[.,;:?!)]|(?:left|more|each|extra|went|ran|came|gone|broke|fell|got|lost|won|ate|of|from|to|for|in|on|at|per|"
    r"and|or|as|out|less|died|after|before|during|\w+ed)\b)",
    "no thing stands behind the number, so that `some` does for one as for several",
    (" left.", " of them", " for her sister", "", " died."),
    (" rocking chair.", " quarter that much", " thing to do"),
)
_ACTS = pattern(
    r"^ (?:is|are|was|were|had|has|have|will|would|could|can|do|did|does|made|went|got|took|ran|sold|bought|gave|found|left|ate|"
    r"won|lost|read|came|of|[a-z]+ed)\b",
    "a verb behind a number that stands for people or things: `the two made` cannot do without it",
    (" made together", " removed a few", " are red", " of them"),
    (" boys", " days ago", " remaining hours"),
)
_QUALIFIED = pattern(
    r"\ban? [a-z]{2,20}$",
    "an article and an adjective in front of a number: `a fixed $20 allowance`",
    ("gets a fixed", "takes an extra", "an average"),
    ("they each have", "has a", "is twice"),
)
_ADDITIONAL = pattern(
    r"\ban additional$",
    "stands in front of a number as `another` does",
    ("takes an additional",),
    ("takes additional", "an additional cost of"),
)
_HISSES = pattern(r"(?:[sxz]|[cs]h)$", "takes `es` in the plural", ("box", "dish"), ("hat", "bath"))
_IES = pattern(r"[^aeiou]y$", "ends in `ies` in the plural", ("pony",), ("boy", "hat"))
_PLURALS = {
    "foot": "feet",
    "child": "children",
    "man": "men",
    "woman": "women",
    "person": "people",
    "half": "halves",
    "loaf": "loaves",
    "knife": "knives",
    "shelf": "shelves",
    "leaf": "leaves",
    "mouse": "mice",
    "tooth": "teeth",
    "goose": "geese",
    "die": "dice",
}


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


def without(statement: str, q: Quantity) -> str | None:
    """Return the statement with one number hidden: `some cars`, `a certain percentage of them`, `the boys`.

    None where no rule says how, and the sentence would be no English: `the two made`, `build 1 rocking chair`.
    """
    before, after = statement[: q.start].rstrip(), statement[q.end :]
    last = re.search(r"([A-Za-z'’]+)$", before)
    word = "is" if _IS.search(before[-20:]) else last[1].lower() if last else ""
    following = re.match(r"[ ]?([A-Za-z]*)", after)
    noun = following[1].lower() if following else ""
    if word == "additional" and noun:
        before, word = _ADDITIONAL.sub("another", before), "another"
    if noun and word != "is" and _DETERMINED.search(before[-60:]):
        article = before[:-1] if word == "an" else before
        return None if _ACTS.match(after) else f"{article} {after.lstrip()}"
    if _QUALIFIED.search(before[-60:]) and word not in ("another", "of"):
        return None
    hidden = _hidden(q, word, noun)
    if q.value == 1 and hidden.startswith(("some", "a certain number of")) and not q.unit:
        if (one := _SINGULAR.match(after)) is not None:
            after = f"{one[1]}{_plural(one[2])}{after[one.end() :]}"
            hidden = "a certain number of" if word in _BEING else hidden  # `there is some games` is no English
        elif not _COUNTED_ON.search(after):
            return None
    if word == "another" and noun:
        before, after = before[: -len("another")].rstrip(), f" more{after.removeprefix(' more')}"
    if not before or before.endswith((".", "!", "?")):
        hidden = _capital(hidden)
    gap = "" if not before or statement[q.start - 1 : q.start] in "([\"'" else " "
    return f"{before}{gap}{hidden}{after}"


def _hidden(q: Quantity, word: str, noun: str) -> str:
    """Return what stands where a number stood, between the word before it and the one behind; either may be empty."""
    if q.form == "percent":
        return "a certain percentage"
    if q.form == "multiplier":
        return "a certain number of times"
    if q.value < 1 and q.form in ("fraction", "word"):
        return "a certain fraction" + (" of" if noun in _DETERMINER else "")
    if q.unit and q.unit != "%":
        return f"some {CURRENCIES[q.unit]}"
    if word in _BEING and not noun:
        return "a certain number"
    return "a certain number of" if (noun == "times" or word in _COMPARING) and noun else "some"


def _plural(noun: str) -> str:
    if noun in _PLURALS:
        return _PLURALS[noun]
    if _HISSES.search(noun):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if _IES.search(noun) else f"{noun}s"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
