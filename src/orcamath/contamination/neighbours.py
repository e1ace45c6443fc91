"""The nearest training rows of every test question by TF-IDF cosine (the paper's first step), block by block.

Weights are scikit-learn's default: raw counts × (ln((1 + N) / (1 + df)) + 1), rows of length 1, frequencies counted over
the training rows. A block's product with the test questions keeps its own ten best; the bests are merged, so memory does
not grow with the number of rows.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sparse_dot_topn import sp_matmul_topn

from orcamath.contamination.words import Block, Ints

__all__ = ["Nearest", "counts", "nearest"]

Floats = npt.NDArray[np.float64]


class Nearest(NamedTuple):
    """The best training rows of every test question, best first; row −1 where there are fewer."""

    rows: Ints
    """Shape (tests, top)."""
    cosines: Floats


def counts(block: Block, n_words: int) -> csr_matrix:
    """Return how often each word is in each row. Shape (rows, n_words), CSR."""
    matrix = csr_matrix((np.ones(len(block.ids)), block.ids.copy(), block.starts), shape=(block.n_rows, n_words))
    matrix.sum_duplicates()  # sorts in place: the ids above are a copy
    return matrix


def nearest(
    tests: csr_matrix, training: Iterable[csr_matrix], document_frequency: Ints, n_rows: int, top: int
) -> Nearest:
    """Search all training rows for the `top` nearest of each test question; both sides as counts without stop words.

    `document_frequency` says in how many of the `n_rows` training rows each word is. The matrices are changed in place.
    """
    n_words = len(document_frequency)
    weight = np.log((1 + n_rows) / (1 + document_frequency)) + 1
    weight[document_frequency == 0] = 0  # as in scikit-learn, a word that no training row has does not count
    queries = _weighted(tests, weight)
    used = np.zeros(n_words, dtype=np.bool_)
    used[queries.indices] = True
    queries = _columns(queries, used)
    n_tests = tests.shape[0]
    best = Nearest(np.full((n_tests, top), -1, dtype=np.int64), np.zeros((n_tests, top)))
    first = 0
    for block in training:
        rows = _columns(_weighted(block, weight), used)
        found = sp_matmul_topn(queries, rows.T.tocsr(), top_n=top, threshold=0.0, sort=False)
        best = _merged(best, found, first, top)
        first += block.shape[0]
    return best


def _weighted(matrix: csr_matrix, weight: Floats) -> csr_matrix:
    """Multiply by the weights and bring every row to length 1, in place."""
    matrix.data *= weight[matrix.indices]
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    length = np.sqrt(np.bincount(row, weights=matrix.data**2, minlength=matrix.shape[0]))
    length[length == 0] = 1
    matrix.data /= length[row]
    return matrix


def _columns(matrix: csr_matrix, used: npt.NDArray[np.bool_]) -> csr_matrix:
    """Keep the columns that test questions use; the others cannot add to a product."""
    kept = used[matrix.indices]
    new_index = np.cumsum(used) - 1
    starts = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    shape = (matrix.shape[0], int(used.sum()))
    return csr_matrix((matrix.data[kept], new_index[matrix.indices[kept]], starts), shape=shape)


def _merged(best: Nearest, found: csr_matrix, first: int, top: int) -> Nearest:
    """Keep the best of two lists a question; among equal cosines of two blocks the earlier row."""
    width = np.diff(found.indptr)
    rows = np.full((len(width), top), -1, dtype=np.int64)
    cosines = np.zeros((len(width), top))
    question = np.repeat(np.arange(len(width)), width)
    place = np.arange(len(found.indices)) - np.repeat(found.indptr[:-1], width)
    rows[question, place] = found.indices + first
    cosines[question, place] = found.data
    both_rows, both = np.hstack([best.rows, rows]), np.hstack([best.cosines, cosines])
    order = np.lexsort((np.where(both_rows < 0, np.iinfo(np.int64).max, both_rows), -both), axis=1)[:, :top]
    return Nearest(np.take_along_axis(both_rows, order, 1), np.take_along_axis(both, order, 1))
