"""ALG514 (Kushman et al. 2014), the paper's ALGES, Lila's `simuleq`: 514 problems of simultaneous equations.

Reads the rows of MWPToolkit (`original_text`, `equation`, `ans`; 411 train, 51 dev, 52 test) and the authors' (`sQuestion`,
`lEquations`, `lSolutions`; cross-validation folds, so no official split). Several unknowns make a set.
"""

from collections.abc import Iterator

from orcamath.sources import equations
from orcamath.sources.source import Found, SourceSettings

__all__ = ["LICENCE", "read"]

LICENCE = "MIT for the toolkit (LYH-YF/MWPToolkit); the data set itself states none"


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, split by split."""
    return equations.equation_problems(settings, ("alg514_*", "simuleq_*", "alg514", "*"), LICENCE, unofficial=True)
