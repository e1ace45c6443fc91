"""Text to words and n-grams, in blocks of rows as flat NumPy arrays: what every look of the gate is computed from.

The paper's preprocessing: lower case, punctuation removed, split at white space, stop words removed (NLTK's 179, in
`stop_words.txt`). A block keeps all words; stop words have the lowest ids, so removing them is one comparison.

Deviation: where a script has no white space between words, each character is a word (`text.unspaced`).
"""

import string
import unicodedata
from collections.abc import Iterable, Set
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from orcamath.text.unspaced import apart
from orcamath.text.words import WORDS_TO_MASK

__all__ = [
    "MAX_ROWS",
    "Block",
    "Grams",
    "Vocabulary",
    "content",
    "grams",
    "numbers_masked",
    "pieces",
    "split_words",
    "stop_words",
]

CODE_BITS = 44
"""Low bits of a gram's key that hold its code; the row is above them."""
MAX_ROWS = 1 << (63 - CODE_BITS)
"""Of a block: more would not fit above the code (524,288)."""
_CODE_MASK = (1 << CODE_BITS) - 1
_EXACT_BITS = CODE_BITS // 2  # two word ids of 22 bits each fit side by side

Ints = npt.NDArray[np.int64]


@lru_cache
def stop_words() -> tuple[str, ...]:
    """Return the stop words, in the order of the file."""
    text = (resources.files(__package__) / "stop_words.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.split("\n") if line and not line.startswith("#"))


@lru_cache
def _removed() -> dict[int, None]:
    # ASCII punctuation as Python counts it (with $ + < = > ^ ` | ~), and what Unicode calls punctuation (curly quotes, dashes) or
    # format: soft hyphens and spaces without width, which nobody sees within a word
    unicode_marks = (i for i in range(128, 0x10000) if unicodedata.category(chr(i)) in _UNSEEN_OR_MARKS)
    return dict.fromkeys([*map(ord, string.punctuation), *unicode_marks])


_UNSEEN_OR_MARKS = frozenset("Cf Pc Pd Ps Pe Pi Pf Po".split())
_ASCII_REMOVED = str.maketrans("", "", string.punctuation)


def split_words(text: str) -> list[str]:
    """Return the words of a text, lower case, no punctuation, stop words still among them; letters in one spelling (NFKC)."""
    if text.isascii():  # nearly every text is, and the small table is many times faster
        return text.lower().translate(_ASCII_REMOVED).split()
    return apart(unicodedata.normalize("NFKC", text).lower().translate(_removed())).split()


class Block(NamedTuple):
    """Some rows of text as word ids: row i is `ids[starts[i]:starts[i + 1]]`."""

    ids: npt.NDArray[np.int32]
    starts: Ints
    """Shape (rows + 1,)."""

    @property
    def n_rows(self) -> int:
        """The number of texts."""
        return len(self.starts) - 1

    def row(self, i: int) -> list[int]:
        """Return the word ids of one text."""
        return list(map(int, self.ids[self.starts[i] : self.starts[i + 1]]))

    def part(self, first: int, end: int) -> "Block":
        """Return the rows from `first` up to `end`."""
        starts = self.starts[first : end + 1]
        return Block(self.ids[starts[0] : starts[-1]], starts - starts[0])


class Vocabulary:
    """Words and their ids, growing as texts are read. Ids below `n_stop` are stop words."""

    def __init__(self) -> None:
        self._ids = {word: i for i, word in enumerate(stop_words())}
        self.n_stop = len(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def encode(self, texts: Iterable[str]) -> Block:
        """Turn texts into ids; new words get new ones."""
        flat: list[str] = []
        lengths = []
        for text in texts:
            words = split_words(text)
            lengths.append(len(words))
            flat += words
        take, ids = self._ids.setdefault, self._ids
        found = np.fromiter((take(word, len(ids)) for word in flat), dtype=np.int32, count=len(flat))
        return Block(found, _starts(lengths))

    def numbers(self) -> npt.NDArray[np.bool_]:
        """Tell of every id whether its word has a digit. Shape (len(self),)."""
        return np.fromiter((any(map(str.isdigit, word)) for word in self._ids), dtype=np.bool_, count=len(self._ids))

    def words(self) -> list[str]:
        """Return the words by id."""
        return list(self._ids)


def _starts(lengths: npt.ArrayLike) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def content(block: Block, n_stop: int) -> Block:
    """Remove the stop words."""
    kept = block.ids >= n_stop
    return Block(block.ids[kept], _starts(kept)[block.starts])


def numbers_masked(block: Block, numbers: npt.NDArray[np.bool_]) -> Block:
    """Give every word with a digit the same id (-1), so that texts that differ in numbers only become equal.

    A text with fewer than `WORDS_TO_MASK` other words keeps them: its numbers are what it is.
    """
    masked = numbers[block.ids]
    before = _starts(~masked)[block.starts]
    masked &= np.repeat(np.diff(before) >= WORDS_TO_MASK, np.diff(block.starts))
    return Block(np.where(masked, np.int32(-1), block.ids).astype(np.int32), block.starts)


class Grams(NamedTuple):
    """The distinct n-grams of each row of a block, sorted by row and code."""

    rows: Ints
    codes: Ints
    sizes: Ints
    """Distinct n-grams a row. Shape (rows,)."""


def grams(block: Block, n: int) -> Grams:
    """Return the distinct n-grams of every row. Codes are exact up to n = 2, 44-bit hashes above."""
    lengths = np.diff(block.starts)
    counts = np.maximum(lengths - n + 1, 0)
    row = np.repeat(np.arange(block.n_rows, dtype=np.int64), counts)
    at = np.arange(len(row), dtype=np.int64) - np.repeat(_starts(counts)[:-1] - block.starts[:-1], counts)
    ids = block.ids.astype(np.int64) + 1  # the mask's -1 becomes 0
    code = ids[at]
    if n == 2:
        code = (code << _EXACT_BITS) | ids[at + 1]
    elif n > 2:
        code = _mix(np.zeros_like(code), code)  # else the first two words could change places
        for k in range(1, n):
            code = _mix(code, ids[at + k])
    keys = np.unique((row << CODE_BITS) | (code & _CODE_MASK))
    rows = keys >> CODE_BITS
    return Grams(rows, keys & _CODE_MASK, np.bincount(rows, minlength=block.n_rows).astype(np.int64))


def _mix(code: Ints, word: Ints) -> Ints:
    mixed = (code.astype(np.uint64) ^ word.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    return (mixed & np.uint64(_CODE_MASK)).astype(np.int64)


def pieces(text: str, shared: Set[str]) -> list[tuple[str, bool]]:
    """Cut a text into pieces, each with whether its words are among the shared ones; the pieces join to the text."""
    cut: list[tuple[str, bool]] = []
    for word in text.split(" "):
        blank = " " if cut else ""
        for part in [p for p in apart(word).split(" ") if p] or [""]:
            mark = any(w in shared for w in split_words(part))
            if cut and cut[-1][1] == mark:
                cut[-1] = (f"{cut[-1][0]}{blank}{part}", mark)
            else:
                # the blank between two pieces goes with the unmarked one
                if cut and mark:
                    cut[-1] = (cut[-1][0] + blank, cut[-1][1])
                cut.append((part if mark else blank + part, mark))
            blank = ""
    return cut
