"""Weights, gradients and moments dealt out over the processes (FSDP2, `torch.distributed.fsdp.fully_shard`).

Each block gathers its weights when it is needed and lets go of them after; gradients are added up as they are scattered. So N
GPUs hold a model that one cannot: 16 bytes a weight for float32 weights, gradients and AdamW's moments become 16/N. Every process
must run the same number of forwards and backwards, since each is a meeting of all: those who have less to do score `IDLE`.

Not sharded: adapters (their frozen base is what takes the room, and it fits or is quantized), and the model while it is read and
while it scores as its own reference, when every process holds it whole.
"""

from collections.abc import Callable, Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from orcamath.errors import ModelError
from orcamath.student.model import torch_dtype
from orcamath.student.processes import World
from orcamath.student.settings import TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["blocks", "even", "gathered", "is_sharded", "like", "shard", "shards", "whole_tensors"]


def shards(settings: TrainSettings, world: World) -> bool:
    """Tell whether a training is sharded. Raises ModelError where it is asked for and cannot be."""
    if settings.sharding == "fsdp2" and settings.adapter is not None:
        raise ModelError("adapters are not sharded: leave `sharding` out, or train all weights without `adapter`")
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
