"""Where a training's numbers go besides `metrics.jsonl`: a file a tracker, each with `open_tracker(run)`.

Off unless a recipe names one (`trackers: [tensorboard]`). Every package is an extra, imported when the tracker is opened.
"""

from typing import Protocol

from orcamath.errors import RecipeError

__all__ = ["Logged", "missing"]


class Logged(Protocol):
    """A run of a tracker's package that takes numbers."""

    def log(self, numbers: dict[str, float], *, step: int) -> None:
        """Take the numbers of one step."""
        ...

    def finish(self) -> None:
        """Write out, or send, what is held."""
        ...


def missing(package: str) -> RecipeError:
    """Return what is raised where a tracker's package, an extra of the same name, is not installed."""
    return RecipeError(
        f"`trackers: [{package}]` needs the package `{package}`: pip install 'orcamath[{package}]'; the same numbers are in "
        f"`metrics.jsonl` without it"
    )
