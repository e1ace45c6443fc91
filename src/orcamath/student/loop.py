"""The training loop: flat, no trainer class. At each step: KTO's baseline, gradients, clip, AdamW, checkpoint.

How a step is cut and scored is in `steps`. The plan (which problems in which step) follows from seed and data alone.
"""

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
from orcamath.student.prepare import optimizer_of, quietly
from orcamath.student.processes import ALONE, World, even, is_sharded, whole_tensors
from orcamath.student.room import Room, at_once
from orcamath.student.settings import TrainSettings
from orcamath.student.steps import (
    Compared,
    Objective,
    Referenced,
    StepReport,
    gradients,
    score_all,
    totals,
    z0,
)
from orcamath.student.watch import Sums

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Done", "Training", "epoch_steps", "learning_rate", "planned_steps", "train"]


class Training(NamedTuple):
    """What is trained on what."""

    model: "PreTrainedModel"
    """As `prepared`."""
    settings: TrainSettings
    groups: Sequence[Referenced]
    steps: Sequence[Sequence[int]]
    """The numbers of each step's groups, see `planned_steps`."""
    objective: Objective
    compared: Sequence[Sequence[Compared]] | None = None
    """What KTO's z0 is measured on: for each step, an entry for each of its groups. None: the loss has no baseline."""


class Done(NamedTuple):
    """What a training run comes to."""

    n_steps: int
    n_tokens: int
    final_loss: float
    """Mean over the last tenth of the steps."""


def planned_steps(n: int, settings: TrainSettings) -> list[list[int]]:
    """Return the steps as lists of item numbers: each epoch its own shuffle, a last short step kept."""
    steps: list[list[int]] = []
    wanted = max(1, math.ceil(round(settings.epochs * epoch_steps(n, settings), 6)))  # 1.1 × 50 is 55.00000000000001
    for epoch in range(math.ceil(settings.epochs)):
        order = list(range(n))
        random.Random(f"{settings.seed}/{epoch}").shuffle(order)
        steps += [order[i : i + settings.batch_size] for i in range(0, n, settings.batch_size)]
    return steps[:wanted]


def epoch_steps(n: int, settings: TrainSettings) -> int:
    """Return the steps of one epoch over `n` problems."""
    return math.ceil(n / settings.batch_size)


def learning_rate(step: int, n_steps: int, settings: TrainSettings) -> float:
    """Return the learning rate of step 0 … n_steps − 1: linear warm-up, then the schedule down to 0 (or constant).

    Warm-up takes whole steps, one at least where there is any; its first rate is above 0.
    """
    warm = math.floor(round(settings.warmup * n_steps, 6)) or math.ceil(
        settings.warmup
    )  # 0.29 × 100 is 28.999999999999996
    if step < warm:
        return settings.learning_rate * (step + 1) / (warm + 1)
    left = (n_steps - step) / max(1, n_steps - warm)
    shape = {"constant": 1.0, "linear": left, "cosine": 0.5 * (1 - math.cos(math.pi * left))}[settings.schedule]
    return settings.learning_rate * shape


def train(work: Training, scratch: Path, progress: Progress, metric: Callable[..., None], world: World = ALONE) -> Done:
    """Run every step, from the newest checkpoint in `scratch` if there is one; `metric` is told each step's numbers.

    A checkpoint is kept at the end of each epoch. Raises TrainingDiverged with step and ids where loss or gradient is not
    finite, ModelError where a checkpoint does not fit (see `checkpoint.resume`) or memory runs out.
    """
    model, settings, steps = work.model, work.settings, work.steps
    epoch = epoch_steps(len(work.groups), settings)
    room = Room(at_once(model, settings), alone=not is_sharded(model))
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = optimizer_of(model, settings)
    torch.manual_seed(settings.seed)
    first, state = _begun(scratch, work, optimizer, world)
    losses: list[float] = state["losses"]
    n_tokens: int = state["n_tokens"]
    progress.begin("train", len(steps))
    progress.advance(first)
    for i in range(first, len(steps)):
        began = time.monotonic()
        rate = learning_rate(i, len(steps), settings)
        for group in optimizer.param_groups:
            group["lr"] = rate
        report = _gradients(work, i, room, world)
        norm = float(whole_tensors(torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)))
        _check(report.loss, norm, i, work)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(report.loss)
        n_tokens += report.n_tokens
        speed = report.n_tokens / (time.monotonic() - began)
        metric(step=i, loss=report.loss, grad_norm=norm, learning_rate=rate, tokens_per_s=speed, **report.numbers)
        progress.advance()
        ends = (i + 1) % epoch == 0
        if (ends or (i + 1) % settings.checkpoint_steps == 0) and i + 1 < len(steps):
            state = {"losses": losses, "n_tokens": n_tokens}
            checkpoint.save_checkpoint(scratch, i + 1, model, optimizer, state, world, epoch_ends=ends)
            world.wait()
    progress.end()
    tail = losses[-max(1, len(losses) // 10) :]
    return Done(len(steps), n_tokens, sum(tail) / len(tail))


def _begun(scratch: Path, work: Training, optimizer: AdamW, world: World) -> checkpoint.Resumed:
    """Bring the newest checkpoint back and remove those behind the step that is gone on from; step 0 where there is none."""
    found = checkpoint.resume(scratch, work.model, optimizer, world.size, how=work.settings.resume, rank=world.rank)
    begun = found or checkpoint.Resumed(0, {"losses": [], "n_tokens": 0})
    world.wait()  # everyone has read
    if world.rank == 0:
        checkpoint.discard_after(scratch, begun.step)
    return begun


def _gradients(work: Training, i: int, room: Room, world: World) -> StepReport:
    """Leave the gradients of step i's whole loss in the parameters, whichever process scored which of its problems."""
    model, settings = work.model, work.settings
    groups = [work.groups[k] for k in work.steps[i]]
    sizes = [g.group.n_tokens for g in groups]
    mine, whole = world.mine(sizes), totals([g.group for g in groups])
    with quietly(model, settings):
        baseline = 0.0 if work.compared is None else _baseline(work, [work.compared[i][p] for p in mine], room, world)

        def score(tokens: int) -> StepReport:
            return gradients(
                model,
                [groups[p] for p in mine],
                work.objective,
                baseline,
                tokens,
                share=settings.share_prompt,
                whole=whole,
                even=even(model, world),
            )

        report = room.within(score, lambda: model.zero_grad(set_to_none=True))
    if not is_sharded(model):
        world.add_gradients(model)
    loss, *sums = world.total(report.loss, *report.sums)
    return StepReport(loss, sum(sizes), work.objective.numbers(Sums(*sums), baseline))


def _baseline(work: Training, compared: Sequence[Compared], room: Room, world: World) -> float:
    """Return KTO's baseline over the answers that all processes compare, without gradient."""

    def score(tokens: int) -> list[tuple[float, ...]]:
        posed, share = [c.posed for c in compared], work.settings.share_prompt
        return score_all(work.model, posed, tokens, share=share, even=even(work.model, world))

    return z0(room.within(score), [c.reference for c in compared], world)


def _check(loss: float, norm: float, step: int, work: Training) -> None:
    if math.isfinite(loss) and math.isfinite(norm):
        return
    settings, ids = work.settings, [work.groups[k].group.problem_id for k in work.steps[step]]
    shown = ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
    raise TrainingDiverged(
        f"step {step}: loss {loss}, gradient norm {norm}. Problems of the step: {shown}. Try a smaller learning_rate (now "
        f"{settings.learning_rate:g}), more warmup (now {settings.warmup:g}), or dtype: float32; `orcamath show ID` shows "
        f"what was trained on"
    )
