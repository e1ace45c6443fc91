"""What is done to a model before its training and after it, whatever it is trained on."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from orcamath.student.adapters import adapted, save_trained
from orcamath.student.folder import ModelFolder
from orcamath.student.model import Loaded, contents, torch_dtype
from orcamath.student.processes import ALONE, World, blocks, gathered, is_sharded, shard, shards
from orcamath.student.settings import TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["prepared", "quietly", "write_student"]


def prepared(loaded: Loaded, settings: TrainSettings, world: World = ALONE) -> "PreTrainedModel":
    """Return the model as it will be trained: with its adapter if there is one, checkpointing switched on, compiled, sharded,
    in training mode. Fresh adapters are drawn from the seed, the same ones in every process."""
    torch.manual_seed(settings.seed)
    model = adapted(loaded.model, settings.adapter) if settings.adapter else loaded.model
    if settings.gradient_checkpointing:
        # the second name is that of transformers before 5.23
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
        model.enable_input_require_grads()  # adapters leave the embeddings frozen
    if settings.compile:
        for block in blocks(model):
            block.compile(dynamic=True)  # micro-batches are of all lengths
    if shards(settings, world):
        shard(model, settings, world)
    return model.train()


def quietly(model: "PreTrainedModel", settings: TrainSettings) -> torch.autocast:
    """Return the context to compute in: bfloat16 over float32 weights, or as the weights are."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=torch_dtype(settings.dtype) is torch.bfloat16)


def write_student(
    model: "PreTrainedModel",
    loaded: Loaded,
    source: ModelFolder,
    folder: Path,
    settings: TrainSettings,
    world: World = ALONE,
) -> dict[str, str] | None:
    """Write a trained model (`prepared` from `loaded`, which was read from `source`) to `folder`.

    Returns dtype → name of the content of what was written; None in processes that write nothing.
    """
    first = world.rank == 0
    weights = gathered(model.named_parameters(), keep=first) if is_sharded(model) else None
    if first:
        save_trained(model, loaded.tokenizer, source, folder, settings, weights)
    world.wait()
    return contents(folder) if first else None
