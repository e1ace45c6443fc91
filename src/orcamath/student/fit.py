"""From an objective and a plan to trained weights on disk: what supervised and preference training share."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch

from orcamath.errors import ModelError
from orcamath.store.artifacts import Output
from orcamath.student.adapters import adapted, save_trained
from orcamath.student.folder import ModelFolder
from orcamath.student.head import bare
from orcamath.student.loop import Done, Metric, StepReport, epoch_steps, log, train
from orcamath.student.model import Loaded, contents, torch_dtype
from orcamath.student.processes import ALONE, World
from orcamath.student.settings import TrainSettings
from orcamath.student.sharding import blocks, even, gathered, is_sharded, shard, shards
from orcamath.student.sizes import KEPT_A_LAYER, TOKENS_AT_ONCE
from orcamath.student.steps import Objective, Referenced, gradients, totals
from orcamath.student.watch import Sums

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Room", "at_once", "fit", "prepared", "quietly"]

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
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            log.warning("out of memory: going on with %d tokens at once (batch_tokens)", self.tokens)


def prepared(loaded: Loaded, settings: TrainSettings, world: World = ALONE) -> "PreTrainedModel":
    """Return the model as it will be trained: with its adapter if there is one, checkpointing switched on, compiled, sharded,
    in training mode."""
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


def quietly(model: "PreTrainedModel", settings: TrainSettings) -> torch.autocast:
    """Return the context to compute in: bfloat16 over float32 weights, or as the weights are."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=torch_dtype(settings.dtype) is torch.bfloat16)


def fit(
    out: Output,
    settings: TrainSettings,
    loaded: Loaded,
    source: ModelFolder,
    model: "PreTrainedModel",
    groups: Sequence[Referenced],
    steps: Sequence[Sequence[int]],
    objective: Objective,
    ratios: Callable[[int, Sequence[int], int], tuple[float, int]] | None,
    metric: Metric,
    scratch: Path,
    world: World = ALONE,
) -> Done:
    """Train `model` (`prepared` from `loaded`) and write it to `out.folder/model`.

    `ratios(step, items, tokens)` returns what KTO's z0 is the mean of, for these items of a step: sum and count.
    """
    room = Room(at_once(model, settings), alone=not is_sharded(model))

    def step(i: int) -> StepReport:
        sizes = [groups[k].group.n_tokens for k in steps[i]]
        mine = [steps[i][place] for place in world.mine(sizes)]
        chosen, whole = [groups[k] for k in mine], totals([groups[k].group for k in steps[i]])
        with quietly(model, settings):
            baseline = 0.0
            if ratios is not None:
                total, n = world.total(*room.within(partial(ratios, i, mine)))
                baseline = max(0.0, total / n) if n else 0.0

            def work(tokens: int) -> StepReport:
                return gradients(
                    model,
                    chosen,
                    objective,
                    baseline,
                    tokens,
                    share=settings.share_prompt,
                    whole=whole,
                    even=even(model, world),
                )

            report = room.within(work, lambda: model.zero_grad(set_to_none=True))
        if not is_sharded(model):
            world.add_gradients(model)
        loss, *sums = world.total(report.loss, *report.sums)
        return StepReport(loss, sum(sizes), objective.numbers(Sums(*sums), baseline))

    ids = [[groups[k].group.problem_id for k in s] for s in steps]
    epoch = epoch_steps(len(groups), settings)
    done = train(model, ids, step, settings, scratch, out.progress, metric, world, epoch)
    weights = gathered(model.named_parameters(), keep=world.rank == 0) if is_sharded(model) else None
    if world.rank == 0:
        save_trained(model, loaded.tokenizer, source, out.folder / "model", settings, weights)
        done = done._replace(contents=contents(out.folder / "model"))
    world.wait()
    return done
