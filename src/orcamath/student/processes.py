"""Several processes on one training: every step's problems are dealt out so that each has equal work, gradients are added up.

A step's losses are divided by the step's own counts before anything is added, so the sum over processes is the step's gradient,
whatever their number. Every process keeps all weights, or its share of them (`sharding`).
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

from orcamath.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["ALONE", "World", "deal", "n_gpus"]


def deal(sizes: Sequence[int], n: int) -> list[list[int]]:
    """Deal items out to `n` hands of nearly equal sums: the largest first, always to the lightest hand."""
    hands: list[list[int]] = [[] for _ in range(n)]
    loads = [0] * n
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        lightest = loads.index(min(loads))
        hands[lightest].append(i)
        loads[lightest] += sizes[i]
    return hands


def n_gpus() -> int:
    """Return how many GPUs torch sees on this machine."""
    return int(torch.cuda.device_count())


class World:
    """The processes that train together; one alone where nothing was launched."""

    def __init__(self, rank: int = 0, size: int = 1, *, met_by_us: bool = False) -> None:
        self.rank = rank
        self.size = size
        self.met_by_us = met_by_us
        """Whether the process group is ours to end."""

    @classmethod
    def join(cls, expected: int) -> "World":
        """Meet the other processes that `torchrun` started, or take the group that who started them made.

        Raises ModelError where they are not as many as expected.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size != expected:
            raise ModelError(
                f"{expected} training processes were asked for and {size} are here: some launchers start one process "
                f"silently; use torchrun, or `processes: 1`"
            )
        meets = size > 1 and not dist.is_initialized()
        if meets:
            backend = "nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=timedelta(minutes=30))
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        return cls(int(os.environ.get("RANK", "0")), size, met_by_us=meets)

    def leave(self) -> None:
        """Part from the others."""
        if self.met_by_us:
            dist.destroy_process_group()

    def mine(self, sizes: Sequence[int]) -> list[int]:
        """Return the places of the items that this process works on, in order."""
        return sorted(deal(sizes, self.size)[self.rank])

    def add_gradients(self, model: "PreTrainedModel") -> None:
        """Make every process's gradients the sum over all of them."""
        if self.size == 1:
            return
        trained = [p for p in model.parameters() if p.requires_grad]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in trained])
        dist.all_reduce(flat)
        for p, part in zip(trained, flat.split([p.numel() for p in trained]), strict=True):
            p.grad = part.view_as(p).clone()

    def wait(self) -> None:
        """Go on when every process has come this far."""
        self.total(0.0)

    def agreed(self, flags: Sequence[bool]) -> list[bool]:
        """Return the first process's answers, for all to go by."""
        if self.size == 1 or not flags:
            return list(flags)
        told = torch.tensor(flags, dtype=torch.uint8, device="cuda" if torch.cuda.is_available() else "cpu")
        dist.broadcast(told, 0)
        return [bool(x) for x in told.tolist()]

    def most(self, n: int) -> int:
        """Return the largest of all processes' numbers."""
        if self.size == 1:
            return n
        told = torch.tensor(n, device="cuda" if torch.cuda.is_available() else "cpu")
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return int(told)

    def each(self, state: Tensor) -> list[Tensor]:
        """Return every process's tensor (all of one shape) on the CPU, the first process's first."""
        if self.size == 1:
            return [state]
        here = state.to("cuda" if torch.cuda.is_available() else "cpu")
        found = [torch.empty_like(here) for _ in range(self.size)]
        dist.all_gather(found, here)
        return [s.cpu() for s in found]

    def total(self, *values: float) -> list[float]:
        """Return each value summed over all processes."""
        if self.size == 1:
            return list(values)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        summed = torch.tensor(values, dtype=torch.float64, device=device)
        dist.all_reduce(summed)
        return summed.tolist()


ALONE = World()
