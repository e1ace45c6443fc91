"""DRAW-1K (Upadhyay and Chang 2017): 1,000 algebra problems of one or two unknowns; train 600, dev 200, test 200.

Reads the authors' rows (`sQuestion`, `lSolutions`, `lEquations`) and those that wrap them in `original`. Several solutions
make a set, in no order; the text does not always ask for all of them, but the set's answer key holds all.
"""

from collections.abc import Iterator

from orcamath.sources import equations
from orcamath.sources.source import Found, SourceSettings

__all__ = ["LICENCE", "read"]

LICENCE = "MIT for the toolkit (LYH-YF/MWPToolkit); the data set itself states none"


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, split by split."""
    return equations.equation_problems(settings, ("draw_*", "draw1k_*", "draw", "*"), LICENCE)
