"""The sides of a comparison: does a question name both, and the right way round?

`How many times farther did the chair fly than the birdhouse?` does not ask for the 3 of `the birdhouse flew 3 times farther
than the chair`. No solver sees that: the comparison's number is at hand, so it is given as the answer. Rules for English.
"""

from orcamath.text.patterns import pattern
from orcamath.text.words import content_words

__all__ = ["wrong_sides"]

_THAN = pattern(
    r"\bthan\b|(?<=\bas )[a-z]+(?: [a-z]+){0,3} as\b|\bcompared (?:to|with)\b",
    "stands in front of what something is compared with",
    ("3 more than Bo", "as many red pens as Bo", "How old is Al compared to Bo?"),
    ("as a nurse", "3 times a week", "as he did"),
)
_SIDE_ENDS = pattern(
    r"[,;.?!]|\b(?:and|but|while|is|are|was|were|did|do|does|has|have|had|will|would|can|could)\b",
    "ends the noun that something is compared with",
    ("than Bo has", "than the chair, and"),
    ("than the hands of",),
)
_MEASURE = pattern(
    r"\b(?:how|times?|years?|as|far|long|old|tall|much|\w+er|more|less)\b",
    "says what is compared, and names no side",
    ("times as far", "years older"),
    ("pens", "the chair"),
)
_PRONOUN = pattern(
    r"\b(?:he|she|it|they|his|hers?|its|theirs?|this|these|those|one|each)\b",
    "names a side without its noun",
    ("did it fly", "is hers"),
    ("the car", "itself"),
)


def wrong_sides(question: str, before: str, behind: str) -> bool:
    """Tell whether a question has a comparison's sides the wrong way round, or names one of them only.

    `before` and `behind` are what stands around the comparison's number in its sentence. False where nothing is compared.
    """
    told, asked = _THAN.search(behind), _THAN.search(question)
    if told is None or asked is None:
        return False
    subject, other = content_words(before), _side(behind[told.end() :])
    counted = content_words(_MEASURE.sub("", behind[: told.start()]))  # `4 more boys than girls`: the boys are a side
    with_what = _side(question[asked.end() :])
    if with_what & (subject | counted) and not with_what & other:
        return True
    named = content_words(_MEASURE.sub("", question)) - content_words(behind[told.end() :])
    return bool(subject and other and with_what) and not named and not _PRONOUN.search(question)


def _side(text: str) -> set[str]:
    """Return the words of the noun that a text begins with."""
    end = _SIDE_ENDS.search(text)
    return content_words(text[: end.start()] if end else text)
