"""Two sets compared by their members (Jaccard), or by a few numbers of each (MinHash, Broder 1997).

In: sets of hashed shingles, and a family of hash functions x ↦ factor · x + offset in wrapping 64-bit arithmetic
(multiply-shift, Dietzfelbinger et al. 1997). Out: the least value of each function over each set. What is kept of a minimum,
and what is compared with what, is for the caller to say.
"""

from collections.abc import Collection, Sequence, Set
from itertools import chain

import numpy as np
import numpy.typing as npt

__all__ = ["BATCH", "jaccard", "minima"]

BATCH = 64
"""Sets to hash at once: many times faster than one by one, and the table of their hashes still fits a core's cache."""


def jaccard(one: Set[object], two: Set[object]) -> float:
    """Return |one ∩ two| / |one ∪ two|; 0 where both are empty, for they share nothing."""
    shared = len(one & two)
    return shared / (len(one) + len(two) - shared) if shared else 0.0


def minima(
    sets: Sequence[Collection[int]], factors: npt.NDArray[np.uint64], offsets: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """Return the minima, shape (sets, functions). Members are below 2^64; an empty set counts as {0}."""
    filled = [s or (0,) for s in sets]
    starts = np.cumsum([0, *map(len, filled)])
    members = np.fromiter(chain.from_iterable(filled), np.uint64, starts[-1])
    hashed = members[:, None] * factors + offsets
    return np.minimum.reduceat(hashed, starts[:-1], axis=0)
