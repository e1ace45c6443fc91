"""The training loop: flat, no trainer class. Plan the steps, and at each: gradients, clip, AdamW, checkpoint.

What a step computes is handed in (`steps.py`); the loop only knows that it leaves gradients of the step's whole loss in the
parameters. The plan (which problems in which step) follows from seed and data alone.
"""

import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.optim import AdamW

from orcamath.errors import TrainingDiverged
from orcamath.ports import Progress
from orcamath.student import checkpoint
from orcamath.student.processes import ALONE, World
from orcamath.student.settings import TrainSettings
from orcamath.student.sharding import whole_tensors
from orcamath.student.watch import Sums

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Done", "Metric", "StepReport", "epoch_steps", "learning_rate", "planned_steps", "train"]

Metric = Callable[..., None]
log = logging.getLogger("orcamath")


class StepReport(NamedTuple):
    """What one step says of itself, before the optimizer moves."""

    loss: float
    n_tokens: int
    """Forwarded with gradient, every answer counted with its prompt."""
    numbers: dict[str, float]
    sums: Sums = Sums()
    """What the numbers were made of."""


class Done(NamedTuple):
    """What a training run comes to."""

    n_steps: int
    n_tokens: int
    final_loss: float
    """Mean over the last tenth of the steps."""
    contents: dict[str, str] | None = None
    """Dtype → name of the content of what was written; None in processes that write nothing."""


def planned_steps(n: int, settings: TrainSettings) -> list[list[int]]:
    """Return the steps as lists of item numbers: each epoch its own shuffle, a last short step kept."""
    steps: list[list[int]] = []
    wanted = max(1, math.ceil(settings.epochs * epoch_steps(n, settings)))
    for epoch in range(math.ceil(settings.epochs)):
        order = list(range(n))
        random.Random(f"{settings.seed}/{epoch}").shuffle(order)
        steps += [order[i : i + settings.batch_size] for i in range(0, n, settings.batch_size)]
    return steps[:wanted]


def epoch_steps(n: int, settings: TrainSettings) -> int:
    """Return the steps of one epoch over `n` problems."""
    return math.ceil(n / settings.batch_size)


def learning_rate(step: int, n_steps: int, settings: TrainSettings) -> float:
    """Return the learning rate of step 0 … n_steps − 1: linear warm-up, then the schedule down to 0 (or constant)."""
    warm = int(settings.warmup * n_steps)
    if step < warm:
        return settings.learning_rate * (step + 1) / (warm + 1)
    left = (n_steps - step) / max(1, n_steps - warm)
    shape = {"constant": 1.0, "linear": left, "cosine": 0.5 * (1 - math.cos(math.pi * left))}[settings.schedule]
    return settings.learning_rate * shape


def train(
    model: "PreTrainedModel",
    steps: Sequence[Sequence[str]],
    step: Callable[[int], StepReport],
    settings: TrainSettings,
    scratch: Path,
    progress: Progress,
    metric: Metric,
    world: World = ALONE,
    epoch: int | None = None,
) -> Done:
    """Run every step, from the newest checkpoint in `scratch` if there is one.

    `steps`: the ids in each step, for messages; `step(i)` must leave the gradients of step i in the parameters. `epoch`: steps
    of one epoch, at whose end a checkpoint is kept. Raises TrainingDiverged with step and ids where loss or gradient is not
    finite, ModelError where a checkpoint does not fit (see `checkpoint.resume`).
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    torch.manual_seed(settings.seed)
    begun = checkpoint.resume(scratch, model, optimizer, world.size, how=settings.resume)
    first = begun.step if begun else 0
    world.wait()  # everyone has read
    if world.rank == 0:
        checkpoint.discard_after(scratch, first)
    losses: list[float] = begun.state["losses"] if begun else []
    n_tokens: int = begun.state["n_tokens"] if begun else 0
    progress.begin("train", len(steps))
    progress.advance(first)
    for i in range(first, len(steps)):
        began = time.monotonic()
        rate = learning_rate(i, len(steps), settings)
        for group in optimizer.param_groups:
            group["lr"] = rate
        report = step(i)
        norm = float(whole_tensors(torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)))
        _check(report.loss, norm, i, steps[i], settings)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(report.loss)
        n_tokens += report.n_tokens
        seconds = time.monotonic() - began
        metric(
            step=i,
            loss=report.loss,
            grad_norm=norm,
            learning_rate=rate,
            tokens_per_s=report.n_tokens / seconds,
            **report.numbers,
        )
        progress.advance()
        ends = epoch is not None and (i + 1) % epoch == 0
        if (ends or (i + 1) % settings.checkpoint_steps == 0) and i + 1 < len(steps):
            state = {"losses": losses, "n_tokens": n_tokens}
            checkpoint.save_checkpoint(scratch, i + 1, model, optimizer, state, world, epoch_ends=ends)
            world.wait()
    progress.end()
    tail = losses[-max(1, len(losses) // 10) :]
    return Done(len(steps), n_tokens, sum(tail) / len(tail))


def _check(loss: float, norm: float, step: int, ids: Sequence[str], settings: TrainSettings) -> None:
    if math.isfinite(loss) and math.isfinite(norm):
        return
    shown = ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
    raise TrainingDiverged(
        f"step {step}: loss {loss}, gradient norm {norm}. Problems of the step: {shown}. Try a smaller learning_rate (now "
        f"{settings.learning_rate:g}), more warmup (now {settings.warmup:g}), or dtype: float32; `orcamath show ID` shows "
        f"what was trained on"
    )
