"""TensorBoard event files beside `metrics.jsonl`: the same numbers, a folder for each training stage.

Needs the package `tensorboard` and nothing else. Look at them with `tensorboard --logdir runs/NAME/tensorboard`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orcamath.errors import RecipeError

__all__ = ["EventFiles"]


class EventFiles:
    """Writes below `folder`. Raises RecipeError at once where the package is missing."""

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError as e:
            raise RecipeError(
                "`tensorboard: true` needs the package `tensorboard`: install it, or orcamath's extra of that name; the same "
                "numbers are in `metrics.jsonl` without it"
            ) from e
        self.folder = folder
        self._open = Writer
        self._writers: dict[str, Any] = {}

    def add(self, stage: str, numbers: Mapping[str, Any]) -> None:
        """Write one training step's numbers; `step` among them is where they stand."""
        name = stage.replace(" ", "-")
        if name not in self._writers:
            self._writers[name] = self._open(str(self.folder / name))
        for tag, value in numbers.items():
            if tag != "step":
                self._writers[name].add_scalar(tag, float(value), step=int(numbers["step"]))

    def close(self) -> None:
        """Write out what is still held."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
