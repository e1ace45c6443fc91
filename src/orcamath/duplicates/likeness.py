"""What makes two word problems the same: the same story whatever the names in it, the same numbers, and the same question.

Children of one seed differ in little more than what is asked, and a problem with other numbers is another exercise; so
likeness of text alone is no reason to drop anything.
"""

import re
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from orcamath.agents.wellformed import ask_of
from orcamath.answers import quantities
from orcamath.text.minhash import jaccard
from orcamath.text.money import CURRENCY_SIGNS
from orcamath.text.names import names_among
from orcamath.text.words import content_words

__all__ = ["Likeness", "Trace", "hidden_value", "likeness", "trace"]

SHINGLE = 3
SAME_ASK = 0.8
LIKE_ASK = 0.5
_TOKEN = re.compile(rf"([^\W\d_]+|\d+(?:[.,/:]\d+)*%?|[{CURRENCY_SIGNS}])(?:(?<=[^\W\d_])['’][^\W\d_]+)?")
"""A word without its `'s`, a number, a currency."""
_TOKEN_ASCII = re.compile(r"([A-Za-z]+|[0-9]+(?:[.,/:][0-9]+)*%?|[$])(?:(?<=[A-Za-z])'[A-Za-z]+)?")
"""The same of a text that is ASCII."""
_LETTER_DIGIT = re.compile("[A-Za-z][0-9]")
_NAMED = re.compile(r"\b[a-z]+[0-9]+")
"""`mp3`"""
_FACTOR = 0x9E3779B1
_MASK = 0xFFFFFFFF
_PRONOUNS = frozenset(
    ["he", "she", "him", "her", "his", "hers", "himself", "herself", "they", "them", "their", "theirs", "themselves"]
)


class Likeness(NamedTuple):
    """What is compared of a problem."""

    shingles: frozenset[int]
    """Hashed runs of three words, people's names replaced by the order in which they appear."""
    numbers: tuple[str, ...]
    """Every number as it stands there, in order: "9 and 6" is another exercise than "6 and 9". Ordinals and names such as `mp3`
    follow, which are no quantities."""
    ask: frozenset[str]
    """The meaning words of the question."""
    people: frozenset[str]
    """Whom the question names, by order of appearance."""

    def same_ask(self, other: "Likeness") -> bool:
        """Tell whether both ask for the same quantity of the same person, in nearly the same words."""
        return self.people == other.people and _alike(self.ask, other.ask, SAME_ASK)

    def like_ask(self, other: "Likeness") -> bool:
        """Tell whether both may ask for the same quantity, in words of their own; other names are other quantities."""
        ours, theirs = self.people - {"@"}, other.people - {"@"}
        return (not ours or not theirs or ours == theirs) and _alike(self.ask, other.ask, LIKE_ASK)

    def same_story(self, other: "Likeness", least: float) -> bool:
        """Tell whether the texts share their runs of words, by a Jaccard of `least` or more."""
        return _alike(self.shingles, other.shingles, least)


def _alike(one: Set[object], two: Set[object], least: float) -> bool:
    return one == two or jaccard(one, two) >= least


class Trace(NamedTuple):
    """What near problems are found by."""

    runs: list[int]
    """Hashed runs of three words, as `Likeness.shingles`, in order and with repetitions."""
    numbers: tuple[str, ...]


def trace(text: str) -> Trace:
    """Take apart what finds a problem's neighbours: half the work of `likeness`, for every text that may have some."""
    words = _tokens(text)
    return Trace(_runs(words, _marks(words)), _all_numbers(text))


def likeness(text: str) -> Likeness:
    """Take a problem's text apart."""
    words = _tokens(text)
    marks = _marks(words)
    ask = [_plain(marks.get(word, word)) for word in _tokens(ask_of(text))]
    return Likeness(
        frozenset(_runs(words, marks)),
        _all_numbers(text),
        frozenset(content_words(" ".join(t for t in ask if not t.startswith("@")))),
        frozenset(t for t in ask if t.startswith("@")),
    )


def _tokens(text: str) -> list[str]:
    found: list[str] = (_TOKEN_ASCII if text.isascii() else _TOKEN).findall(text)
    return found


def hidden_value(target: str) -> str:
    """Return the value of a target, so that `5`, `five` and `$5` are one."""
    found = quantities(target)
    return str(found[0].value) if found else target.strip().lower()


def _plain(word: str) -> str:
    """Return a word in lower case, a pronoun as `@`."""
    return "@" if (lower := word.lower()) in _PRONOUNS else lower


def _runs(words: Iterable[str], marks: Mapping[str, str]) -> list[int]:
    """Hash every run of SHINGLE words, names as `@1`, `@2`, …; all words, where there are fewer."""
    codes = [_code(marks.get(word, word)) for word in words]
    if codes and len(codes) < SHINGLE:
        codes += [_Code(0, 0, 0)] * (SHINGLE - len(codes))
    return [(a.first + b.second + c.third) & _MASK for a, b, c in zip(codes, codes[1:], codes[2:], strict=False)]


class _Code(NamedTuple):
    """A word's hash, as it enters the hash of a run by its place there."""

    first: int
    second: int
    third: int


@lru_cache(maxsize=1 << 16)
def _code(word: str) -> _Code:
    code = crc32(_plain(word).encode("utf-8", "surrogatepass"))
    return _Code(code * _FACTOR * _FACTOR & _MASK, code * _FACTOR & _MASK, code)


def _all_numbers(text: str) -> tuple[str, ...]:
    values = [str(q.value) for q in quantities(text) if q.text.lower() != "one"]
    return (*values, *_NAMED.findall(text.lower())) if _LETTER_DIGIT.search(text) else tuple(values)


def _marks(words: list[str]) -> dict[str, str]:
    """Return names in order of appearance, each with what stands for it."""
    return {word: f"@{i}" for i, word in enumerate(names_among(words), 1)}
