"""Answers in words and letters: names, yes and no, choices by letter or by value."""

import re
from functools import lru_cache

from orcamath.answers.latex import plain

__all__ = ["letter", "normal", "same_text"]

_ARTICLES = re.compile(r"\b(?:the|a|an|mr|mrs|ms|dr)\b\.?")
_NOT_WORD = re.compile(r"[^\w%°π√+\-/*^=<>.]+|\.(?![0-9])")
_FIRST = re.compile(r"[(\[ ]*([A-Ja-j])(?:[ ]?[).:\]]|[ ]*$)")
_NAMED = re.compile(r"\b(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]nswer(?: is)?:?)[ ]+\(?([A-Ja-j])\b")
_BRACKETED = re.compile(r"\(([A-J])\)")
_ALONE = re.compile(r"\b([A-J])\b(?!['’])")
_ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
]
_SPELLED = {
    w: f"{i}{'st' if i == 1 else 'nd' if i == 2 else 'rd' if i == 3 else 'th'}" for i, w in enumerate(_ORDINALS, 1)
}
_SIDES = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}


def normal(text: str) -> str:
    """Return the text in lower case without markup, articles, titles and punctuation."""
    words = _NOT_WORD.sub(" ", _ARTICLES.sub(" ", plain(text).casefold())).split()
    return " ".join(_SPELLED.get(w, w) for w in words)


def same_text(a: str, b: str) -> bool | None:
    """Compare words: equal or not; None where one is part of the other, or one is empty."""
    left, right = normal(a), normal(b)
    if left == right:
        return bool(left) or None
    if not left or not right:
        return None
    if right in _SIDES and (side := _SIDES.get(left.split()[0])):
        return side == _SIDES[right]
    if f" {right} " in f" {left} " or f" {left} " in f" {right} ":
        return None
    return False


@lru_cache(maxsize=4096)
def letter(text: str) -> str | None:
    """Return the letter a choice is named by: first, or behind `option` or `answer`, or the only one; None otherwise."""
    text = plain(text).strip(" \"'")
    if first := _FIRST.match(text):
        return first[1].upper()
    if named := _NAMED.findall(text):
        return str(named[-1]).upper()
    for pattern in (_BRACKETED, _ALONE):
        said = {m[1].upper() for m in pattern.finditer(text)}
        if pattern is _ALONE:
            said -= {"A", "I"} if len(text) > 20 else set()  # in a sentence these are words
        if len(said) == 1:
            return said.pop()
        if said:
            return None
    return None
