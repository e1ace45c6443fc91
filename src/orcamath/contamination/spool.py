"""Training texts as blocks of word ids in a file that vanishes: read once, searched often, one block in memory.

About 200 bytes a problem on disk, two numbers a block in memory.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from tempfile import TemporaryFile

import numpy as np

from orcamath.contamination.neighbours import frequencies
from orcamath.contamination.words import Block, Ints, Vocabulary, content

__all__ = ["Spool"]

BLOCK = 10_000


class Spool:
    """Training texts as word ids, block by block. Use it as a context manager: leaving it removes the file."""

    def __init__(self) -> None:
        self.file = TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self.sizes: list[tuple[int, int]] = []

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @property
    def n_rows(self) -> int:
        """How many texts were taken in."""
        return sum(n_rows for n_rows, _ in self.sizes)

    def add(self, block: Block) -> None:
        """Append one block."""
        self.sizes.append((block.n_rows, len(block.ids)))
        self.file.write(block.starts.tobytes() + block.ids.tobytes())

    def blocks(self) -> Iterator[Block]:
        """Stream the blocks as they were read."""
        at = 0
        for n_rows, n_ids in self.sizes:
            self.file.seek(at)
            size = 8 * (n_rows + 1) + 4 * n_ids
            data = self.file.read(size)
            starts = np.frombuffer(data, dtype=np.int64, count=n_rows + 1)
            yield Block(np.frombuffer(data, dtype=np.int32, offset=starts.nbytes), starts)
            at += size

    def read(self, texts: Iterable[str], vocabulary: Vocabulary, tick: Callable[[int], None] = lambda _: None) -> Ints:
        """Take all texts in; returns in how many each word occurs. `tick` is told how many rows were read."""
        source = iter(texts)
        frequency = np.zeros(len(vocabulary), dtype=np.int64)
        while batch := list(islice(source, BLOCK)):
            block = vocabulary.encode(batch)
            self.add(block)
            frequency = np.pad(frequency, (0, len(vocabulary) - len(frequency)))
            frequency += frequencies(content(block, vocabulary.n_stop), len(vocabulary))
            tick(len(batch))
        return frequency

    def content(self, n_stop: int) -> Iterator[Block]:
        """Stream the blocks without stop words."""
        return (content(block, n_stop) for block in self.blocks())
