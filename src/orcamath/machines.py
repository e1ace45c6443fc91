"""Whose processors a stage works on: this machine's, or a cluster's (`cluster/engine.py`). In: pure work, or a training's job."""

from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

__all__ = ["HERE", "InBlocks", "Machines", "StartProcesses", "one_by_one"]

Before = TypeVar("Before")
After = TypeVar("After")


class InBlocks(Protocol):
    """Runs a pure function over blocks, in this process or on other machines, and yields the results in the blocks' order."""

    def __call__(self, work: Callable[[Before], After], blocks: Iterable[Before], /) -> Iterable[After]:
        """Yield `work(block)` for every block. `work` and blocks must be picklable by value."""
        ...


def one_by_one(work: Callable[[Before], After], blocks: Iterable[Before], /) -> Iterable[After]:
    """Do the work in this process, one block in memory."""
    return map(work, blocks)


class StartProcesses(Protocol):
    """Starts the processes of one training, on this machine or on many, and hands on what the first of them says."""

    def __call__(self, job: Path, processes: int, log: Path, /) -> Generator[str, None, None]:
        """Yield lines as they come, and end when the processes have ended; what they complain of goes into `log`.

        `job` is a file that every one of them can read. Closing the iterator ends them.
        """
        ...


class Machines(NamedTuple):
    """Whose processors a stage works on besides its own process: this machine's, or a cluster's."""

    in_blocks: InBlocks = one_by_one
    start_processes: StartProcesses | None = None
    """Of a training; `torchrun` here where None."""


HERE = Machines()
"""This machine's alone."""
