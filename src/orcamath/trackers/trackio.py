"""Trackio: runs in a database on this machine, one for each training stage, those of a run in one group.

Needs the package `trackio` (extra of that name). It writes to its own folder (`TRACKIO_DIR`), and to a Space only where its own
variables say so. Look at them with `trackio show --project orcamath`.
"""

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from types import ModuleType

from orcamath.ports import TrackedRun
from orcamath.trackers import Logged, missing

__all__ = ["open_tracker"]


def open_tracker(run: TrackedRun) -> "_Trackio":
    """Return the tracker of a run. Raises RecipeError where the package is missing."""
    try:
        import trackio
    except ImportError as e:
        raise missing("trackio") from e
    return _Trackio(trackio, run)


class _Trackio:
    def __init__(self, trackio: ModuleType, run: TrackedRun) -> None:
        self.trackio, self.run = trackio, run
        self._runs: dict[str, Logged] = {}

    def add(self, stage: str, step: int, numbers: Mapping[str, float]) -> None:
        """Log the numbers of one step; a stage that was broken off goes on in its own run."""
        with redirect_stdout(sys.stderr):  # it greets; stdout is for results
            if stage not in self._runs:
                self._runs[stage] = self.trackio.init(
                    project="orcamath",
                    name=f"{self.run.name} {stage}",
                    group=self.run.group,
                    resume="allow",
                    embed=False,
                    auto_log_gpu=False,
                    auto_log_cpu=False,
                    config={"stage": stage, **self.run.settings},
                )
            self._runs[stage].log(dict(numbers), step=step)

    def close(self) -> None:
        """Wait until all is written."""
        with redirect_stdout(sys.stderr):
            for run in self._runs.values():
                run.finish()
        self._runs.clear()
