"""SingleEq (Koncel-Kedziorski et al. 2015): 508 problems of a single equation, in the MAWPS form."""

from collections.abc import Iterator

from orcamath.sources import mawps
from orcamath.sources.source import Found, SourceSettings

__all__ = ["read"]


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, in file order; the set has no official split."""
    return mawps.mawps_problems(settings, ("singleeq", "singleq"))
