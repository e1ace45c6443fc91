"""Weights & Biases: a run for each training stage, those of a run in one group. Without a key it writes here, for `wandb sync`.

Needs the package `wandb` (extra of that name). Its own variables hold (`WANDB_MODE`, `WANDB_PROJECT`, …). Sent are the numbers
and the recipe's names; no code, no command line, nothing of the machine.
"""

import os
from collections.abc import Mapping
from hashlib import blake2b
from types import ModuleType

from orcamath.ports import TrackedRun
from orcamath.trackers import Logged, missing

__all__ = ["open_tracker"]


def open_tracker(run: TrackedRun) -> "_Wandb":
    """Return the tracker of a run. Raises RecipeError where the package is missing."""
    try:
        import wandb
    except ImportError as e:
        raise missing("wandb") from e
    return _Wandb(wandb, run)


class _Wandb:
    def __init__(self, wandb: ModuleType, run: TrackedRun) -> None:
        self.wandb, self.run = wandb, run
        self.mode = os.environ.get("WANDB_MODE") or ("online" if wandb.api.api_key else "offline")
        self._runs: dict[str, Logged] = {}

    def add(self, stage: str, step: int, numbers: Mapping[str, float]) -> None:
        """Log the numbers of one step; a stage that was broken off goes on in its own run."""
        if stage not in self._runs:
            quiet = self.wandb.Settings(
                console="off", silent=True, save_code=False, disable_git=True, x_disable_stats=True, x_disable_meta=True
            )
            self._runs[stage] = self.wandb.init(
                project=os.environ.get("WANDB_PROJECT", "orcamath"),
                name=f"{self.run.name} {stage}",
                group=self.run.group,
                id=blake2b(f"{self.run.id}\0{self.run.name}\0{stage}".encode(), digest_size=8).hexdigest(),
                resume="allow",
                dir=self.run.folder,
                mode=self.mode,
                reinit="create_new",
                settings=quiet,
                config={"stage": stage, **self.run.settings},
            )
        self._runs[stage].log(dict(numbers), step=step)

    def close(self) -> None:
        """Wait until all is written, or sent."""
        for run in self._runs.values():
            run.finish()
        self._runs.clear()
