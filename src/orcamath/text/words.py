"""Words: those that say little, names of days and months, and what is left of a text when only its words are compared."""

import re
from functools import lru_cache

__all__ = [
    "CALENDAR",
    "ENGLISH",
    "FUNCTION_WORDS",
    "MONTHS",
    "WORDS_TO_MASK",
    "all_signs",
    "content_words",
    "normal",
    "normal_with_signs",
    "signs",
]

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
WORDS_TO_MASK = 5
"""So many words beside its numbers has a text that is still itself with other numbers; `387 x 387 = ?` is not."""
_DAYS = tuple("monday tuesday wednesday thursday friday saturday sunday".split())
MONTHS = tuple("january february march april may june july august september october november december".split())
CALENDAR = frozenset([*_DAYS, *MONTHS])
"""Days and months."""
_NORMAL = re.compile(r"[^\W_]+(?:[.,/:][0-9]+)*%?")
_NORMAL_ASCII = re.compile(r"[A-Za-z0-9]+(?:[.,/:][0-9]+)*%?")
_THOUSANDS = re.compile(r",(?<=[0-9],)(?=[0-9]{3}(?![0-9]))")  # the comma first: it is what is searched for
_MAYBE_SIGN = re.compile(r"[-−–+*/×÷^=<>]")
_SIGN = re.compile(
    r"[+*×÷^=<>]|/(?=\s*[\d(])"
    r"|(?:(?<=[\d)])|(?<=\b[A-Za-z]))\s*[-−–]\s*(?=[\d(]|[A-Za-z]\b)|(?<![\w.)])[-−](?=\d)"
)
_SAME_SIGN = {"−": "-", "–": "-", "×": "*", "÷": "/"}
_MARK = re.compile(
    r"[≤≥≠√]"
    r"|(?:(?<=\d)|(?<=\d\)))!(?=\s*(?:$|[-−+*/×÷^=<>≤≥)\],.?:;!\d])|\s+[a-z])"  # no end of a sentence
    r"|\|(?=\s*[-−√]?[\d(])|(?<=[\d)])\s*\|"
    r"|(?<![\w.])\.(?=\d)"
)
_MARK_WORDS = {"≤": " le ", "≥": " ge ", "≠": " ne ", "√": " root ", "!": " factorial ", "|": " bar ", ".": "0."}
_LETTERS = re.compile(r"[^\W\d_]+")
_ENDINGS = ("ies", "ing", "ed", "es", "s")


def normal(text: str) -> str:
    """Reduce a text to its words and numbers, in lower case."""
    words = _NORMAL_ASCII if text.isascii() else _NORMAL
    return " ".join(words.findall(_THOUSANDS.sub("", text.casefold())))


def signs(text: str) -> str:
    """Return a text's signs of arithmetic, in order, which `normal` leaves out: `3 - 5` and `3 + 5` are two problems.

    A hyphen within words and a dash between them are none.
    """
    if not _MAYBE_SIGN.search(text):
        return ""
    return "".join(_SAME_SIGN.get(found, found) for found in (m[0].strip() for m in _SIGN.finditer(text)))


def all_signs(text: str) -> str:
    """Return the signs of arithmetic and those that stand for a word (roots, factorials, bars, the point of `.5`), in order."""
    marks = [(m.start(), m[0].strip()) for m in _MARK.finditer(text)]
    if not marks:
        return signs(text)
    of_arithmetic = ((m.start(), m[0].strip()) for m in _SIGN.finditer(text))
    return "".join(_SAME_SIGN.get(sign, sign) for _, sign in sorted([*marks, *of_arithmetic]))


def normal_with_signs(text: str) -> str:
    """Return what an exact duplicate shares: words, numbers, signs of arithmetic; a root or a bar is a word, and `.5` is 0.5.

    >>> normal_with_signs("√16 + .5 ≥ 5!")
    'root 16 0.5 ge 5 factorial +'
    """
    spelled = normal(_MARK.sub(lambda mark: _MARK_WORDS[mark[0].strip()], text))
    return f"{spelled} {found}" if (found := signs(text)) else spelled


def content_words(text: str) -> set[str]:
    """Return the words that carry meaning, crudely stemmed, without numbers."""
    return {_stem(w) for w in _LETTERS.findall(text.casefold()) if w not in FUNCTION_WORDS and len(w) > 1}


@lru_cache(maxsize=1 << 14)  # a problem's words are those of thousands of others
def _stem(word: str) -> str:
    """Take the ending off, so that `make` and `making`, `berry` and `berries`, `cookie` and `cookies` are one."""
    if word in CALENDAR:
        return word  # July is not Julie
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + ("i" if ending == "ies" else "")
            break
    if len(word) < 3:
        return word
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    if word.endswith("y"):
        return word if word[-2] in "aeiou" else word[:-1] + "i"
    if len(word) > 3 and word.endswith("v"):
        return word[:-1] + "f"
    return word[:-1] if len(word) > 4 and word.endswith("us") and word[-3] not in "ao" else word  # `bonus`, `bonuses`
