"""From an objective and a plan to trained weights on disk: what supervised and preference training share."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from orcamath.errors import ModelError
from orcamath.ports import Progress
from orcamath.store.artifacts import Output
from orcamath.student.adapters import adapted, save_trained
from orcamath.student.loop import Done, Metric, StepReport, epoch_steps, log, train
from orcamath.student.model import Loaded, ModelFolder, torch_dtype
from orcamath.student.processes import ALONE, World
from orcamath.student.settings import TrainSettings
from orcamath.student.steps import Objective, Referenced, gradients, totals
from orcamath.student.watch import Sums

__all__ = ["Room", "fit", "prepared", "quietly"]

T = TypeVar("T")


class Room:
    """How many tokens are forwarded at once. Halves when memory runs out, and stays there."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def within(self, work: Callable[[int], T], again: Callable[[], None] = lambda: None) -> T:
        """Run `work(tokens)`; where memory runs out, undo with `again` and repeat with half. Raises ModelError at the end."""
        while True:
            try:
                return work(self.tokens)
            except (torch.OutOfMemoryError, RuntimeError) as e:
                if not isinstance(e, torch.OutOfMemoryError) and "allocate memory" not in str(e):
                    raise
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


def prepared(loaded: Loaded, settings: TrainSettings) -> Any:
    """Return the model as it will be trained: with its adapter if there is one, checkpointing switched on, in training mode."""
    model = adapted(loaded.model, settings.adapter) if settings.adapter else loaded.model
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()  # adapters leave the embeddings frozen
    return model.train()


def quietly(model: Any, settings: TrainSettings) -> torch.autocast:
    """Return the context to compute in: bfloat16 over float32 weights, or as the weights are."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=torch_dtype(settings.dtype) is torch.bfloat16)


def fit(
    out: Output,
    settings: TrainSettings,
    loaded: Loaded,
    source: ModelFolder,
    model: Any,
    groups: Sequence[Referenced],
    steps: Sequence[Sequence[int]],
    objective: Objective,
    mismatched: Callable[[int, Sequence[int], int], tuple[float, int]] | None,
    progress: Progress,
    metric: Metric,
    scratch: Path,
    world: World = ALONE,
) -> Done:
    """Train `model` (`prepared` from `loaded`) and write it to `out.folder/model`.

    `mismatched(step, items, tokens)` returns what KTO's z0 is the mean of, for these items of a step: sum and count.
    """
    room = Room(settings.batch_tokens)

    def step(i: int) -> StepReport:
        sizes = [groups[k].group.n_tokens for k in steps[i]]
        mine = [steps[i][place] for place in world.mine(sizes)]
        chosen, whole = [groups[k] for k in mine], totals([groups[k].group for k in steps[i]])
        with quietly(model, settings):
            baseline = 0.0
            if mismatched is not None:
                total, n = world.total(*room.within(partial(mismatched, i, mine)))
                baseline = max(0.0, total / n) if n else 0.0

            def work(tokens: int) -> StepReport:
                return gradients(model, chosen, objective, baseline, tokens, share=settings.share_prompt, whole=whole)

            report = room.within(work, lambda: model.zero_grad(set_to_none=True))
        world.add_gradients(model)
        loss, *sums = world.total(report.loss, *report.sums)
        return StepReport(loss, sum(sizes), objective.numbers(Sums(*sums), baseline))

    ids = [[groups[k].group.problem_id for k in s] for s in steps]
    epoch = epoch_steps(len(groups), settings)
    done = train(model, ids, step, settings, scratch, progress, metric, world, epoch)
    if world.rank == 0:
        save_trained(model, loaded.tokenizer, source, out.folder / "model", settings)
    world.wait()
    return done
