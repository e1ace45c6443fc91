"""GSM-Symbolic (Mirzadeh et al. 2024, arXiv 2410.05229): 100 of GSM8K's test problems as templates, 50 times each. A test set.

The hub holds three configurations: `main` (5,000 problems), `p1` and `p2` with one and two clauses more (5,000 and 2,500);
`options: {dataset: apple/GSM-Symbolic, config: p1}` names another than `main`. Fillings of one template are one family.
"""

from collections.abc import Iterator

from orcamath.sources.gsm8k import row_of_gsm8k
from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, SourceSettings, each, family_of

__all__ = ["LICENCE", "read"]

LICENCE = "CC BY-NC-ND 4.0 (apple/GSM-Symbolic)"


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, in file order."""
    rows = copies(settings, ("gsm_symbolic", "gsm_symbolic_*", "gsm_p1", "gsm_p2", "test"))
    return each(
        rows,
        lambda row: row_of_gsm8k(
            row, settings, LICENCE, "test", family_of(row, "original_id", "original_question", "id")
        ),
    )
