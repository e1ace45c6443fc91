"""The nearest training rows of every test question by TF-IDF cosine (the paper's first step), block by block.

Weights are scikit-learn's default: raw counts × (ln((1 + N) / (1 + df)) + 1), rows of length 1, frequencies counted over
the training rows. The best of a block are merged into the best so far, so memory does not grow with the number of rows.

Most pairs share nothing but common words such as `many`, and a sparse product spends most of its time on them. Once ten
neighbours are known, the worst of them is a floor: a question q = light + common words, with |common| < floor, can only
meet a row above the floor if light · row > floor − |common| (Cauchy-Schwarz, rows have length 1). So the product is taken
with the light words only, and what passes that bound is scored in full. The result is exact.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from orcamath.contamination.words import Block, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["Nearest", "counts", "nearest_rows", "sparse_rows", "top_products"]

Floats = npt.NDArray[np.float64]
COMMON_SHARE = 0.4
"""How much of the floor the common words of a question may be worth: more prunes the product, and scores more in full."""
PARTNERS = 64
SLACK = 1e-9  # for rounding


class Nearest(NamedTuple):
    """The best training rows of every test question, best first; row −1 where there are fewer."""

    rows: Ints
    """Shape (tests, top)."""
    cosines: Floats


def sparse_rows(
    parts: tuple[npt.NDArray[np.generic], npt.NDArray[np.generic], npt.NDArray[np.generic]], shape: tuple[int, int]
) -> "csr_matrix":
    """Return a sparse matrix of (values, columns, where each row begins)."""
    from scipy.sparse import csr_matrix  # 0.1 s of CPU time, which a command that only reads settings need not spend

    return csr_matrix(parts, shape=shape)


def top_products(left: "csr_matrix", right: "csr_matrix", *, n: int, threshold: float) -> "csr_matrix":
    """Return the `n` largest entries above a threshold of each row of a product, in no order."""
    from sparse_dot_topn import sp_matmul_topn

    return sp_matmul_topn(left, right, top_n=n, threshold=threshold, sort=False)


def counts(block: Block, n_words: int) -> "csr_matrix":
    """Return how often each word is in each row. Shape (rows, n_words), CSR."""
    matrix = sparse_rows((np.ones(len(block.ids)), block.ids.copy(), block.starts), shape=(block.n_rows, n_words))
    matrix.sum_duplicates()  # sorts in place: the ids above are a copy
    return matrix


def nearest_rows(
    tests: "csr_matrix", training: "Iterable[csr_matrix]", document_frequency: Ints, n_rows: int, top: int
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
    queries, common = _columns(queries, used), document_frequency[used]
    best = Nearest(np.full((tests.shape[0], top), -1, dtype=np.int64), np.zeros((tests.shape[0], top)))
    first = 0
    for block in training:
        rows = _columns(_weighted(block, weight), used)
        hits = _above(best.cosines[:, -1], queries, common, rows) if first else None
        if hits is None:
            found = top_products(queries, rows.T.tocsr(), n=top, threshold=0.0).tocoo()
            hits = _Hits(found.row, found.col, found.data)
        best = _merged(best, hits, first)
        first += block.shape[0]
    return best


class _Hits(NamedTuple):
    tests: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    cosines: Floats


def _above(floor: Floats, queries: "csr_matrix", common: Ints, rows: "csr_matrix") -> _Hits | None:
    """Return every pair at or above the floor of its question; None where too many pass the bound."""
    test = np.repeat(np.arange(queries.shape[0]), np.diff(queries.indptr))
    floor = np.maximum(floor, 1e-6)  # no shared word weighs as little as that
    order = np.lexsort((-common[queries.indices], test))
    square = np.cumsum(queries.data[order] ** 2)
    before = np.concatenate([[0.0], square])[queries.indptr[:-1]]  # what earlier questions add up to
    is_common = np.zeros(len(order), dtype=np.bool_)
    is_common[order] = square - before[test] < (COMMON_SHARE * floor[test]) ** 2
    left_out = np.sqrt(np.bincount(test, weights=np.where(is_common, queries.data**2, 0.0), minlength=len(floor)))
    light = queries.copy()
    light.data = np.where(is_common, 0.0, queries.data) / (floor - left_out)[test]
    light.eliminate_zeros()
    found = top_products(rows, light.T.tocsr(), n=PARTNERS, threshold=1 - SLACK).tocoo()
    if len(found.row) and np.bincount(found.row).max() == PARTNERS:
        return None
    cosine = np.asarray(queries[found.col].multiply(rows[found.row]).sum(axis=1), dtype=np.float64).ravel()
    kept = cosine >= floor[found.col] - SLACK
    return _Hits(found.col[kept], found.row[kept], cosine[kept])


def _weighted(matrix: "csr_matrix", weight: Floats) -> "csr_matrix":
    """Multiply by the weights and bring every row to length 1, in place."""
    matrix.data *= weight[matrix.indices]
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    length = np.sqrt(np.bincount(row, weights=matrix.data**2, minlength=matrix.shape[0]))
    length[length == 0] = 1
    matrix.data /= length[row]
    return matrix


def _columns(matrix: "csr_matrix", used: npt.NDArray[np.bool_]) -> "csr_matrix":
    """Keep the columns that test questions use; the others cannot add to a product."""
    kept = used[matrix.indices]
    new_index = np.cumsum(used) - 1
    starts = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    shape = (matrix.shape[0], int(used.sum()))
    return sparse_rows((matrix.data[kept], new_index[matrix.indices[kept]], starts), shape=shape)


def _merged(best: Nearest, hits: _Hits, first: int) -> Nearest:
    """Keep the best of what was known and a block's hits; among equal cosines the earlier row."""
    n_tests, top = best.rows.shape
    known = best.rows >= 0
    test = np.concatenate([np.nonzero(known)[0], hits.tests])
    row = np.concatenate([best.rows[known], hits.rows.astype(np.int64) + first])
    cosine = np.concatenate([best.cosines[known], hits.cosines])
    order = np.lexsort((row, -cosine, test))
    test, row, cosine = test[order], row[order], cosine[order]
    place = np.arange(len(test)) - np.searchsorted(test, test)
    kept = place < top
    merged = Nearest(np.full((n_tests, top), -1, dtype=np.int64), np.zeros((n_tests, top)))
    merged.rows[test[kept], place[kept]] = row[kept]
    merged.cosines[test[kept], place[kept]] = cosine[kept]
    return merged
