"""Several processes on one training: every step's problems are dealt out so that each has equal work, gradients are added up.

A step's losses are divided by the step's own counts before anything is added, so the sum over processes is the step's gradient,
whatever their number. Every process keeps all weights, or its share of them.

**Shares**: weights, gradients and moments are dealt out (FSDP2, `torch.distributed.fsdp.fully_shard`).

Each block gathers its weights when it is needed and lets go of them after; gradients are added up as they are scattered. So N
GPUs hold a model that one cannot: 16 bytes a weight for float32 weights, gradients and AdamW's moments become 16/N. Every process
must run the same number of forwards and backwards, since each is a meeting of all: those who have less to do score `IDLE`.

Not sharded: adapters (their frozen base is what takes the room, and it fits or is quantized), and the model while it is read and
while it scores as its own reference, when every process holds it whole.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from orcamath.errors import ModelError
from orcamath.student.settings import TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = [
    "ALONE",
    "World",
    "blocks",
    "deal",
    "even",
    "gathered",
    "is_sharded",
    "like",
    "n_gpus",
    "shard",
    "shards",
    "whole_tensors",
]


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


def shards(settings: TrainSettings, world: World) -> bool:
    """Tell whether a training is sharded."""
    if world.size == 1 or settings.sharding == "none" or settings.adapter is not None:
        return False
    return settings.sharding == "fsdp2" or torch.cuda.is_available()


def blocks(model: "PreTrainedModel") -> list[torch.nn.Module]:
    """Return what a model is a stack of, from its first layer to its last."""
    names = set(model._no_split_modules or ())
    return [m for m in model.modules() if type(m).__name__ in names]


def shard(model: "PreTrainedModel", settings: TrainSettings, world: World) -> None:
    """Deal a model out, in place: block by block, then what is left (embeddings, last norm, head)."""
    # here and not above: these take a second to import, and most trainings need none of them
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

    from orcamath.student.model import torch_dtype

    mesh = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (world.size,))
    low = torch_dtype(settings.dtype) is torch.bfloat16
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if low else MixedPrecisionPolicy()
    for block in blocks(model):
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    for module in model.modules():
        if isinstance(module, FSDPModule):  # add up, do not average: a step's losses are already divided by its counts
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    # scoring calls body and head apart from each other, so it is what the root gathers its weights around
    model.gathered = MethodType(lambda _self, work: work(), model)
    register_fsdp_forward_method(model, "gathered")


def is_sharded(model: "PreTrainedModel") -> bool:
    """Tell whether `shard` was here."""
    return hasattr(model, "gathered")


def even(model: "PreTrainedModel", world: World) -> Callable[[int], int]:
    """Return what says how many forwards every process does where this one needs n."""
    return world.most if is_sharded(model) else int


def whole_tensors(tensor: Tensor) -> Tensor:
    """Return a tensor as if it had never been sharded; all processes must ask. Without gradient."""
    plain = tensor.detach()
    return plain.full_tensor() if hasattr(plain, "full_tensor") else plain


def gathered(tensors: Iterable[tuple[str, Tensor]], *, keep: bool) -> dict[str, Tensor]:
    """Gather tensors one by one, onto the CPU; all processes must ask, and those that do not `keep` get nothing."""
    found = {}
    for name, tensor in tensors:
        full = whole_tensors(tensor)
        if keep:
            found[name] = full.cpu().contiguous()
    return found


def like(value: Tensor, parameter: Any) -> Tensor:
    """Return a whole tensor as this process holds the parameter it is of (or belongs to)."""
    if not hasattr(parameter, "placements") or value.shape != parameter.shape:
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(
        value.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )
