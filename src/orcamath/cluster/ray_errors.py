"""What an error of Ray's says to whoever runs a recipe."""

from typing import TYPE_CHECKING

from orcamath.errors import ModelError, OrcamathError

if TYPE_CHECKING:
    from ray.exceptions import RayTaskError

__all__ = ["our_own", "reason"]

MOST = 500
"""Characters of a reason."""


def reason(e: BaseException) -> str:
    """Return what happened, in one line: without Ray's traceback, and without its list of numbers of actor, node and process."""
    from ray.exceptions import RayTaskError

    if isinstance(e, RayTaskError):
        return reason(e.cause) if isinstance(e.cause, BaseException) else str(e).strip().rpartition("\n")[2]
    said = [line.strip() for line in str(e).strip().splitlines() if line.strip() and not line.startswith(("\t", "  "))]
    return " ".join(said)[:MOST]


def our_own(e: "RayTaskError") -> BaseException:
    """Return the error of ours that a task raised, one of ours for what Ray said there, or Ray's of it."""
    from ray.exceptions import RayError

    cause: BaseException = e.cause
    if isinstance(cause, OrcamathError):
        return cause
    if isinstance(cause, RayError):
        return ModelError(f"something that the run keeps on the cluster is gone ({reason(cause)}); run again to go on")
    rays: BaseException = e
    return rays
