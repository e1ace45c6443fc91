"""How much is forwarded at once: what is set, what a GPU should hold, and half of it whenever memory runs out."""

import gc
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import torch

from orcamath.errors import ModelError
from orcamath.student.head import bare
from orcamath.student.model import torch_dtype
from orcamath.student.processes import is_sharded
from orcamath.student.settings import KEPT_A_LAYER, TOKENS_AT_ONCE, TrainSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Room", "at_once", "let_go"]

log = logging.getLogger("orcamath")

BYTES_KEPT = {True: 3, False: 5}
"""Of a number kept for the backward pass, in bfloat16 or not: there some are kept in float32 (2.5 were measured on an H100)."""

T = TypeVar("T")


class Room:
    """How many tokens are forwarded at once. Halves when memory runs out, and stays there."""

    def __init__(self, tokens: int, *, alone: bool = True) -> None:
        self.tokens = tokens
        self.alone = alone
        """Whether other processes do not wait for this one in the midst of its work: else it cannot repeat it."""

    def within(self, work: Callable[[int], T], again: Callable[[], None] = lambda: None) -> T:
        """Run `work(tokens)`; where memory runs out, undo with `again` and repeat with half. Raises ModelError at the end."""
        while True:
            try:
                return work(self.tokens)
            except (torch.OutOfMemoryError, RuntimeError) as e:
                if not isinstance(e, torch.OutOfMemoryError) and "allocate memory" not in str(e):
                    raise
                if not self.alone:
                    raise ModelError(
                        f"memory ran out with {self.tokens} tokens at once, and a sharded training cannot halve that by itself: "
                        f"set `batch_tokens: {self.tokens // 2}`, or `gradient_checkpointing: true`, and run again"
                    ) from e
                if self.tokens < 64:
                    raise ModelError(
                        "memory runs out even with 64 tokens at once: use a smaller model, an `adapter`, "
                        "`gradient_checkpointing: true`, or a smaller max_tokens"
                    ) from e
            again()
            self.tokens //= 2
            let_go()
            log.warning("out of memory: going on with %d tokens at once (batch_tokens)", self.tokens)


def let_go() -> None:
    """Give back what torch keeps reserved of a GPU, so that another process, or another model, finds it free."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def at_once(model: "PreTrainedModel", settings: TrainSettings) -> int:
    """Return how many tokens to forward at once: `batch_tokens`, or else what should fit on the one GPU a model is on.

    There the host starts kernels more slowly than the device runs those of a small model, so few large batches are faster.
    """
    if settings.batch_tokens is not None:
        return settings.batch_tokens
    if model.device.type != "cuda" or is_sharded(model):
        return TOKENS_AT_ONCE
    free, _ = torch.cuda.mem_get_info(model.device)
    free += torch.cuda.memory_reserved(model.device) - torch.cuda.memory_allocated(model.device)
    parameters = list(model.parameters())
    to_come = sum(2 * p.numel() + 12 * p.numel() * p.requires_grad for p in parameters)  # casts; gradients and moments
    config, width = bare(model).config, model.get_input_embeddings().weight.shape[1]
    kept = (
        KEPT_A_LAYER + config.num_hidden_layers
        if settings.gradient_checkpointing
        else (KEPT_A_LAYER * config.num_hidden_layers)
    )
    low = torch_dtype(settings.dtype) is torch.bfloat16
    fits = int((0.75 * free - to_come) / (kept * width * BYTES_KEPT[low]))
    return min(max(fits // 1024, 1) * 1024, 4 * TOKENS_AT_ONCE)
