"""GSM-Hard (Gao et al. 2022): the 1,319 test problems of GSM8K with large numbers. `input`, `code`, `target`.

A test set, whatever its one file is called (the hub says `train`).
"""

from collections.abc import Iterator

from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, problem_from, text_of

__all__ = ["LICENCE", "read"]

LICENCE = "MIT (reasoning-machines/gsm-hard)"


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, in file order."""

    def make(row: Row) -> Found:
        return problem_from(
            row,
            settings,
            row.values.get("input"),
            row.values.get("target"),
            licence=LICENCE,
            split="test",
            solution=text_of(row.values.get("code")),
        )

    return each(copies(settings, ("gsmhardv2", "gsmhard", "gsm_hard", "*")), make)
