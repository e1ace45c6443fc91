"""MinHash with banding: whom to compare, found without comparing everyone with everyone.

A problem's signature has BANDS × ROWS minima; two problems of Jaccard similarity s share at least one band with probability
1 − (1 − s^ROWS)^BANDS: 0.999 at 0.7, 0.98 at 0.6. Only the bands' hashes are kept, 4 bytes each: 64 bytes a problem. Among
millions of texts many that share a sentence meet in a band by chance, so two bits of every minimum are kept as well (b-bit
MinHash, Li & König 2010; 16 bytes a problem): they tell most of those apart before anyone reads their texts again.
"""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from orcamath.text.minhash import minima

__all__ = ["BANDS", "BITS", "ROWS", "Signatures", "agreeing", "candidates", "later_and_earlier", "signatures"]

BANDS = 16
ROWS = 3
BITS = 2
LOOK_BACK = 4
_DICE = np.random.Generator(np.random.PCG64(20140402))
_FACTORS = _DICE.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _DICE.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64)
_MIX = _DICE.integers(0, 2**63, size=ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_PLACES = np.uint64(1) << np.arange(BANDS * ROWS, dtype=np.uint64)


class Signatures(NamedTuple):
    """What is kept of many sets of shingles, a row each."""

    bands: npt.NDArray[np.uint32]
    """Hashes of the bands. Shape (sets, BANDS)."""
    bits: npt.NDArray[np.uint64]
    """BITS bits of every minimum, one word a bit. Shape (sets, BITS)."""


def signatures(sets: Sequence[Collection[int]], salts: Sequence[int]) -> Signatures:
    """Return the signatures of many sets of shingles.

    `salts` (< 2**32, one a set) keep apart what can never be the same.
    """
    least = minima(sets, _FACTORS, _OFFSETS)
    kept = (least >> np.uint64(32)).reshape(len(sets), BANDS, ROWS)
    mixed = (kept * _MIX).sum(axis=2, dtype=np.uint64)
    mixed += np.array(salts, np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    keys: npt.NDArray[np.uint32] = ((mixed * np.uint64(0xBF58476D1CE4E5B9)) >> np.uint64(32)).astype(np.uint32)
    # the upper half of a minimum is small, and its bands are made of it: bits below it are as good as drawn
    bits = [((least >> np.uint64(31 - bit) & np.uint64(1)) * _PLACES).sum(axis=1) for bit in range(BITS)]
    return Signatures(keys, np.stack(bits, axis=1))


def agreeing(pairs: npt.NDArray[np.uint64], bits: npt.NDArray[np.uint64], similarity: float) -> npt.NDArray[np.uint64]:
    """Return those of the pairs that may have that Jaccard similarity or more, by their minima's bits.

    Minima agree with probability s, and their bits by chance where they do not. A pair goes whose minima agree three standard
    deviations less often than at `similarity`: of pairs just as similar about one in five hundred.
    """
    n = BANDS * ROWS
    agree = similarity + (1 - similarity) / 2**BITS
    least = math.ceil(n * agree - 3 * math.sqrt(n * agree * (1 - agree)))
    later, earlier = later_and_earlier(pairs)
    differ = np.bitwise_or.reduce(bits[later] ^ bits[earlier], axis=1)
    kept: npt.NDArray[np.uint64] = pairs[n - np.bitwise_count(differ) >= least]
    return kept


def candidates(keys: npt.NDArray[np.uint32], usable: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """Return the pairs of rows that share a key in any column, sorted, each once; `later_and_earlier` takes them apart.

    A pair is one number, later row before earlier, since numbers are sorted many times faster than rows of two. Of a bucket
    every row is paired with its first row and the LOOK_BACK rows before it: linear, however large it is.
    """
    pairs = np.empty(0, np.uint64)
    rows = np.flatnonzero(usable).astype(np.uint64)
    for column in range(keys.shape[1]):
        key = keys[rows, column]
        order = np.argsort(key, kind="stable")
        key = key[order]
        again = np.zeros(len(key), np.bool_)
        again[1:] = key[1:] == key[:-1]
        shared = again.copy()
        shared[:-1] |= again[1:]
        # few rows share a bucket: everything below is small
        members, again = rows[order[shared]], again[shared]
        first = np.maximum.accumulate(np.where(again, 0, np.arange(len(members))))
        found = [_paired(members[again], members[first[again]])]
        for back in range(1, LOOK_BACK + 1):
            at = np.arange(back, len(members))
            at = at[at - back > first[at]]
            found.append(_paired(members[at], members[at - back]))
        pairs = np.unique(np.concatenate((pairs, *found)))
    return pairs


def later_and_earlier(pairs: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the later rows and the earlier rows of pairs, shape (pairs,) each."""
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _paired(later: npt.NDArray[np.uint64], earlier: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return later << np.uint64(32) | earlier
