"""Links in a store or a run folder: read where they lead inside the folder that was named, never a way out of it.

The named folder may itself be a link: that is the user's own word.
"""

from collections.abc import Iterable
from pathlib import Path

from orcamath.errors import DataError

__all__ = ["leads_out", "no_way_out"]


def leads_out(path: Path, root: Path) -> bool:
    """Tell whether a path inside `root` is, by some link, a place outside of it."""
    return not path.resolve().is_relative_to(root.resolve())


def no_way_out(root: Path, paths: Iterable[Path]) -> None:
    """Raise DataError for the first of these links inside `root` that leads out of it: nothing was read or written through it."""
    for path in paths:
        if path.is_symlink() and leads_out(path, root):
            raise DataError(
                f"`{path}` is a link that leads out of `{root}`: nothing is read or written through it. Put what it leads to in "
                f"its place, or make `{root}` itself the link"
            )
