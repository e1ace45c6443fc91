"""GSM8K-Platinum (Vendrow et al. 2025, arXiv 2502.03461): GSM8K's test set with its labels mended, 1,209 problems. A test set.

Questions that cannot be answered as they stand were taken out, wrong labels corrected (`cleaning_status` says which).
"""

from collections.abc import Iterator

from orcamath.sources.gsm8k import row_of_gsm8k
from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, SourceSettings, each

__all__ = ["LICENCE", "read"]

LICENCE = "MIT (madrylab/gsm8k-platinum)"


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, in file order."""
    rows = copies(settings, ("gsm8k_platinum", "gsm8k_platinum_*", "test"))
    return each(rows, lambda row: row_of_gsm8k(row, settings, LICENCE, "test"))
