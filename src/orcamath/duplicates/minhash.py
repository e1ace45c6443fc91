"""MinHash with banding: whom to compare, found without comparing everyone with everyone.

A problem's signature has BANDS × ROWS minima; two problems of Jaccard similarity s share at least one band with probability
1 − (1 − s^ROWS)^BANDS: 0.999 at 0.7, 0.98 at 0.6. Only the bands' hashes are kept, 4 bytes each: 64 bytes a problem.
"""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from orcamath.text.minhash import minima

__all__ = ["BANDS", "ROWS", "bands", "candidates"]

BANDS = 16
ROWS = 3
LOOK_BACK = 4
_DICE = np.random.Generator(np.random.PCG64(20140402))
_FACTORS = _DICE.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _DICE.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64)
_MIX = _DICE.integers(0, 2**63, size=ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def bands(sets: Sequence[Collection[int]], salts: Sequence[int]) -> npt.NDArray[np.uint32]:
    """Return the hashes of the bands of many sets of shingles, shape (sets, BANDS).

    `salts` (< 2**32, one a set) keep apart what can never be the same.
    """
    kept = (minima(sets, _FACTORS, _OFFSETS) >> np.uint64(32)).reshape(len(sets), BANDS, ROWS)
    mixed = (kept * _MIX).sum(axis=2, dtype=np.uint64)
    mixed += np.array(salts, np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    keys: npt.NDArray[np.uint32] = ((mixed * np.uint64(0xBF58476D1CE4E5B9)) >> np.uint64(32)).astype(np.uint32)
    return keys


def candidates(keys: npt.NDArray[np.uint32], usable: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Return pairs (later row, earlier row) that share a key in any column, sorted, shape (pairs, 2).

    Of a bucket every row is paired with its first row and the LOOK_BACK rows before it: linear, however large it is.
    """
    pairs = np.empty((0, 2), dtype=np.int32)
    rows = np.flatnonzero(usable).astype(np.int32)
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
        found = [np.stack((members[again], members[first[again]]), axis=1)]
        for back in range(1, LOOK_BACK + 1):
            at = np.arange(back, len(members))
            at = at[at - back > first[at]]
            found.append(np.stack((members[at], members[at - back]), axis=1))
        pairs = np.unique(np.concatenate((pairs, *found)), axis=0)
    return pairs
