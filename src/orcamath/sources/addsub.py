"""AddSub (Hosseini et al. 2014): 395 one- and two-step additions and subtractions, in the MAWPS form."""

from collections.abc import Iterator

from orcamath.sources import mawps
from orcamath.sources.source import Found, SourceSettings

__all__ = ["read"]


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, in file order; the set has no official split."""
    return mawps.mawps_problems(settings, ("addsub",))
