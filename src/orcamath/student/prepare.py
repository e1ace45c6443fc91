"""What is done to a model before its training and after it, whatever it is trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.optim import AdamW

from orcamath.student.adapters import adapted, save_trained
from orcamath.student.folder import ModelFolder
from orcamath.student.model import Loaded, contents, torch_dtype
from orcamath.student.processes import ALONE, World, blocks, gathered, is_sharded, shard, shards
from orcamath.student.settings import LossSettings, TrainSettings
from orcamath.student.watch import warn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["WrittenStudent", "mostly_rounded", "optimizer_of", "prepared", "quietly", "write_student"]


MOST = 0.5
"""Where an update has 0.7 % of its weights' size, a quarter of it does not show in bfloat16."""


class WrittenStudent(NamedTuple):
    """What is known of a trained model that was written. Nothing in processes that write nothing."""

    contents: dict[str, str] | None = None
    """Dtype → name of the content of what was written."""
    rounded_away: float | None = None
    """See `facts.TrainedFacts`."""


def prepared(loaded: Loaded, settings: TrainSettings, world: World = ALONE) -> "PreTrainedModel":
    """Return the model as it will be trained: with its adapter if there is one, checkpointing switched on, compiled, sharded,
    in training mode. Fresh adapters are drawn from the seed, the same ones in every process.

    A base that is held against a reference, or against the policy that sampled, drops nothing out: neither do these.
    """
    torch.manual_seed(settings.seed)
    if isinstance(settings, LossSettings):
        _drop_nothing(loaded.model)
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


def optimizer_of(model: "PreTrainedModel", settings: TrainSettings) -> AdamW:
    """Return AdamW over what is trained; norms and biases (all that has one dimension) do not decay, as in transformers."""
    trained = [p for p in model.parameters() if p.requires_grad]
    kinds = (([p for p in trained if p.ndim > 1], settings.weight_decay), ([p for p in trained if p.ndim < 2], 0.0))
    groups = [{"params": some, "weight_decay": decay} for some, decay in kinds if some]
    return AdamW(groups, lr=settings.learning_rate, fused=True)


def _drop_nothing(model: "PreTrainedModel") -> None:
    """Set every dropout of a model to 0: modules, and the rates that attention and layers keep. Its configuration stays."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in [name for name, value in vars(module).items() if "drop" in name and isinstance(value, float)]:
            setattr(module, name, 0.0)


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
) -> WrittenStudent:
    """Write a trained model (`prepared` from `loaded`, which was read from `source`) to `folder`."""
    first = world.rank == 0
    weights = gathered(model.named_parameters(), keep=first) if is_sharded(model) else None
    rounded = save_trained(model, loaded.tokenizer, source, folder, settings, weights) if first else None
    world.wait()
    return WrittenStudent(contents(folder), rounded) if first else WrittenStudent()


def mostly_rounded(written: WrittenStudent, settings: TrainSettings) -> tuple[str, ...]:
    """Warn where less than half of an adapter's update shows in the bfloat16 it was trained in; returns the warnings."""
    if torch_dtype(settings.dtype) is not torch.bfloat16 or (written.rounded_away or 0.0) <= MOST:
        return ()
    warn("update_rounded")
    return ("update_rounded",)
