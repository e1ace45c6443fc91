"""What an error of Ray's says to whoever runs a recipe."""

from typing import TYPE_CHECKING

from orcamath.errors import ModelError, OrcamathError

if TYPE_CHECKING:
    from ray.exceptions import RayTaskError

__all__ = ["first_line", "our_own"]


def first_line(e: BaseException) -> str:
    """Return what an error says first; Ray adds a traceback of its own."""
    return str(e).strip().partition("\n")[0]


def our_own(e: "RayTaskError") -> BaseException:
    """Return the error of ours that a task raised, one of ours for what Ray said there, or Ray's of it."""
    from ray.exceptions import RayError

    cause: BaseException = e.cause
    if isinstance(cause, OrcamathError):
        return cause
    if isinstance(cause, RayError):
        return ModelError(
            f"something that the run keeps on the cluster is gone ({first_line(cause)}); run again to go on"
        )
    rays: BaseException = e
    return rays
