"""TensorBoard event files beside `metrics.jsonl`: the same numbers, a folder for each training stage.

Needs the package `tensorboard` and nothing else. Look at them with `tensorboard --logdir runs/NAME/tensorboard`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from orcamath.ports import TrackedRun
from orcamath.trackers import missing

__all__ = ["EventFiles", "open_tracker"]


def open_tracker(run: TrackedRun) -> "EventFiles":
    """Return the tracker of a run. Raises RecipeError where the package is missing."""
    return EventFiles(run.folder / "tensorboard")


class _Writer(Protocol):
    def add_scalar(self, tag: str, data: float, *, step: int) -> None: ...

    def close(self) -> None: ...


class EventFiles:
    """Writes below `folder`."""

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError as e:
            raise missing("tensorboard") from e
        self.folder = folder
        self._open = Writer
        self._writers: dict[str, _Writer] = {}

    def add(self, stage: str, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of one step of a stage."""
        name = stage.replace(" ", "-")
        if name not in self._writers:
            self._writers[name] = self._open(str(self.folder / name))
        for tag, value in numbers.items():
            self._writers[name].add_scalar(tag, value, step=step)

    def close(self) -> None:
        """Write out what is still held."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
