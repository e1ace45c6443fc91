"""SingleOp (Roy, Vieira and Roth 2015): 562 one-step problems, in the MAWPS form."""

from collections.abc import Iterator

from orcamath.sources import mawps
from orcamath.sources.source import Found, SourceSettings

__all__ = ["read"]


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, in file order; the set has no official split."""
    return mawps.mawps_problems(settings, ("singleop",))
