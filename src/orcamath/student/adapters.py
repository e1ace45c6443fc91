"""Low-rank adapters (LoRA, arXiv 2106.09685; QLoRA, arXiv 2305.14314) by `peft`, and how what was trained is written.

The reference of an adapted student is the student without its adapter, which is what the model is before training begins: its
log-probs are computed then, so no second model is held. A trained adapter is merged into its base, so that every student is a
plain folder that anything can load. It is merged and saved in float32, whatever its base was held in while it was trained:
bfloat16 weights would round most of a small update away.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from orcamath.errors import ModelError
from orcamath.student.changes import declared_ends
from orcamath.student.ends import name_end
from orcamath.student.folder import ModelFolder
from orcamath.student.lora import saved_adapter_on, with_adapter
from orcamath.student.model import load_model, save, torch_dtype
from orcamath.student.settings import AdapterSettings, TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["adapted", "quantize_of", "save_trained", "training_dtype"]


def training_dtype(settings: TrainSettings) -> torch.dtype:
    """Return the dtype weights are held in: float32 where they are trained, as computed in where they stay frozen.

    Frozen ones lose nothing by it: autocast would round them to that dtype for each product.
    """
    return torch_dtype(settings.dtype) if settings.adapter else torch.float32


def quantize_of(settings: TrainSettings) -> Literal["none", "4bit"]:
    """Return how frozen weights are held."""
    return settings.adapter.quantize if settings.adapter else "none"


def adapted(model: "PreTrainedModel", settings: AdapterSettings) -> "PreTrainedModel":
    """Return the model with fresh adapters, which do nothing yet.

    Raises ModelError where `peft` is missing, and where an adapter would sit on embeddings that are also the output matrix:
    merged, it would change the output too, which it did not while it was trained.
    """
    try:
        from peft import LoraConfig
    except ImportError as e:
        raise ModelError("adapters need the package `peft`: install the extra `lora`") from e
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        task_type="CAUSAL_LM",
        target_modules=_targets(model, settings.targets),
    )
    inner, outer = model.get_input_embeddings(), model.get_output_embeddings()
    tied = outer is not None and inner.weight is outer.weight
    try:
        made = with_adapter(model, config)
    except ValueError as e:
        raise _unfit(model, settings.targets, " ".join(str(e).split())[:200]) from e
    if tied and (made.get_input_embeddings() is not inner or made.get_output_embeddings() is not outer):
        raise ModelError(
            f"`adapter.targets: {settings.targets}` adapts embeddings that are tied to the output matrix, so the merged student "
            f"would not be the trained one: leave them out of `targets` (`all-linear` does), or train all weights"
        )
    return made


def _targets(model: "PreTrainedModel", said: str) -> str | list[str]:
    """Return the names that are to be adapted, as peft takes them. Raises ModelError for one that no module has."""
    names = [name.strip() for name in said.split(",") if name.strip()]
    if names == ["all-linear"]:
        return "all-linear"
    modules = [name for name, _ in model.named_modules()]
    absent = [name for name in names if not any(m == name or m.endswith(f".{name}") for m in modules)]
    if absent or not names:
        raise _unfit(
            model, said, f"there is no {', '.join(f'`{name}`' for name in absent)}" if absent else "it names none"
        )
    return names


def _unfit(model: "PreTrainedModel", said: str, why: str) -> ModelError:
    from transformers.pytorch_utils import Conv1D

    linear = (torch.nn.Linear, Conv1D)  # the second is GPT-2's
    known = sorted({name.rpartition(".")[2] for name, m in model.named_modules() if isinstance(m, linear)})
    return ModelError(
        f"`adapter.targets: {said}` fits nothing of this student ({why}); name some of {', '.join(known)}, or `all-linear`"
    )


def save_trained(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    source: ModelFolder,
    path: Path,
    settings: TrainSettings,
    weights: Mapping[str, torch.Tensor] | None = None,
) -> float | None:
    """Write the trained model, in float32; an adapter is merged first. Returns what `rounded_away` says of it.

    `weights`: what a sharded model was gathered to; they are written into its base, read anew.
    """
    if weights is not None:
        model = load_model(source, device="cpu", to_train=True).model
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(weights[name])
    ends, rounded = declared_ends(source.path), None
    if settings.adapter is not None:
        if training_dtype(settings) is not torch.float32 or settings.adapter.quantize != "none":
            model = _on_whole_weights(model, source, path.with_name("adapter"))
        rounded = _rounded_away(model)
        model = model.merge_and_unload()
    name_end(model, tokenizer, ends)
    save(model, tokenizer, path)
    return rounded


def _on_whole_weights(model: "PreTrainedModel", source: ModelFolder, aside: Path) -> "PreTrainedModel":
    """Return the adapter on its base in float32, read anew: on the CPU, since the GPU still holds the one that was trained."""
    model.save_pretrained(aside)
    return saved_adapter_on(load_model(source, device="cpu", to_train=True).model, aside)


@torch.no_grad()
def _rounded_away(model: "PreTrainedModel") -> float:
    """Return ‖D̃ − D‖ / ‖D‖, D being all updates of an adapter on float32 weights W, and D̃ = bf16(W + D) − bf16(W)."""
    from peft.tuners.lora import LoraLayer

    off = whole = 0.0
    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            held, update = layer.get_base_layer().weight, layer.get_delta_weight("default")
            shown = (held + update).bfloat16().float() - held.bfloat16().float()
            off += float((shown - update).square().sum())
            whole += float(update.square().sum())
    return math.sqrt(off / whole) if whole else 0.0
