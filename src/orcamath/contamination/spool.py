"""Training texts as blocks of word ids in a temporary file: read once, searched often, one block in memory.

About 500 bytes a problem on disk, three numbers a block in memory.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from orcamath.contamination.neighbours import counts, sparse_rows
from orcamath.contamination.words import Block, Ints, Vocabulary, content

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["Spool"]

BLOCK = 10_000


class Spool:
    """Training texts as word ids and word counts. Use it as a context manager: leaving it removes the file."""

    def __init__(self) -> None:
        self.file = TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self.sizes: list[tuple[int, int, int]] = []
        """(rows, words, distinct words without stop words) of each block."""
        self.n_rows = 0

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def read(self, texts: Iterable[str], vocabulary: Vocabulary, tick: Callable[[int], None] = lambda _: None) -> Ints:
        """Take all texts in; returns in how many each word occurs. `tick` is told how many rows were read."""
        source = iter(texts)
        frequency = np.zeros(len(vocabulary), dtype=np.int64)
        while batch := list(islice(source, BLOCK)):
            block = vocabulary.encode(batch)
            counted = counts(content(block, vocabulary.n_stop), len(vocabulary))
            self._add(block, counted)
            frequency = np.pad(frequency, (0, len(vocabulary) - len(frequency)))
            frequency += np.bincount(counted.indices, minlength=len(vocabulary))
            tick(len(batch))
        return frequency

    def _add(self, block: Block, counted: "csr_matrix") -> None:
        self.sizes.append((block.n_rows, len(block.ids), counted.nnz))
        self.n_rows += block.n_rows
        for array, kind in (
            (block.starts, np.int64),
            (block.ids, np.int32),
            (counted.indptr, np.int32),
            (counted.indices, np.int32),
            (counted.data, np.float32),  # counts: exact
        ):
            self.file.write(array.astype(kind, copy=False).tobytes())

    def blocks(self) -> Iterator[Block]:
        """Stream the texts as word ids."""
        for at, n_rows, n_ids, _ in self._places():
            starts = self._load(at, n_rows + 1, np.int64)
            yield Block(self._load(at + starts.nbytes, n_ids, np.int32), starts)

    def content(self, n_stop: int) -> Iterator[Block]:
        """Stream the texts without stop words."""
        return (content(block, n_stop) for block in self.blocks())

    def counts(self, n_words: int) -> "Iterator[csr_matrix]":
        """Stream the word counts without stop words. Shape (rows of the block, n_words)."""
        for at, n_rows, n_ids, nnz in self._places():
            at += 8 * (n_rows + 1) + 4 * n_ids
            starts = self._load(at, n_rows + 1, np.int32)
            indices = self._load(at + starts.nbytes, nnz, np.int32)
            data = self._load(at + starts.nbytes + indices.nbytes, nnz, np.float32)
            yield sparse_rows((data.astype(np.float64), indices, starts), shape=(n_rows, n_words))

    def _places(self) -> Iterator[tuple[int, int, int, int]]:
        at = 0
        for n_rows, n_ids, nnz in self.sizes:
            yield at, n_rows, n_ids, nnz
            at += (8 + 4) * (n_rows + 1) + 4 * n_ids + 8 * nnz

    def _load(self, at: int, n: int, kind: Any) -> Any:
        self.file.seek(at)
        return np.frombuffer(self.file.read(n * np.dtype(kind).itemsize), dtype=kind)
