"""Words: those that say little, names of days and months, and what is left of a text when only its words are compared."""

import re

__all__ = ["CALENDAR", "ENGLISH", "FUNCTION_WORDS", "MONTHS", "content_words", "normal"]

FUNCTION_WORDS = frozenset(
    """
a an the of in on at to for from by with and or but if so that this these those there it its is are was were be been am do
does did has have had will would can could should may might must he she they them his her their him i you your we our how
many much what which who when where why total altogether number amount all now then than as
""".split()
)
"""Words that carry no meaning of their own in a problem."""
ENGLISH = frozenset(
    """
the a an of and in is to how many much what if he she it they his her has have had for at on each with are was that there
did do does be by from than more as will were when then this but or not one all some old
""".split()
)
"""The commonest words of English problems, by which a text is told to be one."""
_DAYS = tuple("monday tuesday wednesday thursday friday saturday sunday".split())
MONTHS = tuple("january february march april may june july august september october november december".split())
CALENDAR = frozenset([*_DAYS, *MONTHS])
"""Days and months."""
_NORMAL = re.compile(r"[^\W_]+(?:[.,/:][0-9]+)*%?")
_NORMAL_ASCII = re.compile(r"[A-Za-z0-9]+(?:[.,/:][0-9]+)*%?")
_THOUSANDS = re.compile(r",(?<=[0-9],)(?=[0-9]{3}(?![0-9]))")  # the comma first: it is what is searched for
_LETTERS = re.compile(r"[^\W\d_]+")
_ENDINGS = ("ies", "ing", "ed", "es", "s")


def normal(text: str) -> str:
    """Reduce a text to its words and numbers, in lower case: what an exact duplicate shares."""
    words = _NORMAL_ASCII if text.isascii() else _NORMAL
    return " ".join(words.findall(_THOUSANDS.sub("", text.casefold())))


def content_words(text: str) -> set[str]:
    """Return the words that carry meaning, crudely stemmed, without numbers."""
    return {_stem(w) for w in _LETTERS.findall(text.casefold()) if w not in FUNCTION_WORDS and len(w) > 1}


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + ("y" if ending == "ies" else "")
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word  # `makes`, `making` and `make` alike
