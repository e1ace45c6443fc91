"""Shared n-grams: Jaccard of given pairs (the paper's second step), and every pair above a threshold, searched exactly.

Every pair: |a ∩ b| comes from one sparse product of 0/1 rows. Jaccard ≥ t needs |a ∩ b| ≥ t / (1 + t) · (|a| + |b|), hence a
cosine of the 0/1 rows of at least 2t / (1 + t); what passes that bound is then counted exactly. Containment, the share of
the test question's n-grams that the training row has, is such a product itself.
"""

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from orcamath.contamination.neighbours import sparse_rows, top_products
from orcamath.contamination.words import Block, Grams, Ints, grams

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["Hits", "Measure", "Overlap", "ngrams"]

Measure = Literal["jaccard", "containment"]
PARTNERS = 32
"""Test questions that a training row is expected to be like at most; rows with more are searched again, for all."""
SLACK = 1e-9  # for rounding in the product; the exact count decides


def ngrams(words: list[int], n: int) -> set[tuple[int, ...]]:
    """Return the distinct n-grams of one text."""
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


class Hits(NamedTuple):
    """Pairs at or above the threshold."""

    rows: Ints
    """Training rows, within the block."""
    tests: Ints
    scores: npt.NDArray[np.float64]


class Overlap:
    """Finds every training row that shares enough n-grams with some test question."""

    def __init__(self, tests: Block, n: int, measure: Measure, threshold: float) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"a threshold of {threshold} is not between 0 and 1")
        found = grams(tests, n)
        self.n, self.measure, self.threshold = n, measure, threshold
        self.codes: Ints = np.unique(found.codes)
        self.sizes = found.sizes
        # containment: divided by the question's size; Jaccard: by the root of it, the other root is the row's
        power = 1.0 if measure == "containment" else 0.5
        self.tests = self._matrix(found, power).T.tocsr()
        self.bound = threshold if measure == "containment" else 2 * threshold / (1 + threshold)

    def __call__(self, block: Block) -> Hits:
        """Return the pairs of one block."""
        found = grams(block, self.n)
        rows = self._matrix(found, 0.0 if self.measure == "containment" else 0.5)
        row, test, product = self._near(rows)
        size, other = found.sizes[row], self.sizes[test]
        if self.measure == "containment":
            scores = np.rint(product * other) / other
        else:
            shared = np.rint(product * np.sqrt(size * other))
            scores = shared / (size + other - shared)
        keep = scores >= self.threshold
        return Hits(row[keep], test[keep], scores[keep])

    def _near(self, rows: "csr_matrix") -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
        """Return row, test and product of every pair whose product reaches the bound."""
        n_tests, threshold = self.tests.shape[1], self.bound - SLACK
        near = top_products(rows, self.tests, n=PARTNERS, threshold=threshold)
        row = np.repeat(np.arange(rows.shape[0]), np.diff(near.indptr))
        test, product = near.indices.astype(np.int64), near.data
        full = np.flatnonzero(np.diff(near.indptr) >= PARTNERS)
        if not len(full) or n_tests <= PARTNERS:
            return row, test, product
        every = top_products(rows[full], self.tests, n=n_tests, threshold=threshold)
        rest = ~np.isin(row, full)
        return (
            np.concatenate([row[rest], np.repeat(full, np.diff(every.indptr))]),
            np.concatenate([test[rest], every.indices.astype(np.int64)]),
            np.concatenate([product[rest], every.data]),
        )

    def _matrix(self, found: Grams, power: float) -> "csr_matrix":
        """0/1 rows over the test questions' n-grams, divided by the row's size to the given power."""
        at = np.searchsorted(self.codes, found.codes)
        at[at == len(self.codes)] = 0
        known = self.codes[at] == found.codes if len(self.codes) else np.zeros(len(at), dtype=np.bool_)
        rows, n_rows = found.rows[known], len(found.sizes)
        data = 1.0 / found.sizes[rows].astype(np.float64) ** power
        starts = np.searchsorted(rows, np.arange(n_rows + 1))
        return sparse_rows((data, at[known].astype(np.int32), starts.astype(np.int32)), shape=(n_rows, len(self.codes)))
