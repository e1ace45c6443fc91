"""GSM-Plus (Li et al. 2024): eight variations of each GSM8K test problem, 10,552 in all. A test set.

The variation `critical thinking` leaves out something that is needed and has no answer; it is left out here, because rules
cannot judge a refusal. `options: {variations: [...]}` names those to read; the hub's `testmini` is a part of `test` and is
read only from a file of its own. Variations of one problem (`seed_question`) are one family.
"""

from collections.abc import Iterator

from orcamath.errors import DataError
from orcamath.records import Rejected
from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, family_of, problem_from

__all__ = ["LICENCE", "UNANSWERABLE", "read"]

LICENCE = "CC BY-SA 4.0 (qintongli/GSM-Plus)"
UNANSWERABLE = "critical thinking"
"""The variation (`perturbation_type`) that is left out."""


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield the problems of the wanted variations, in file order."""
    wanted = settings.options.get("variations")
    if wanted is not None and not isinstance(wanted, list | tuple):
        raise DataError(f"source `{settings.name}`: `variations` is {wanted!r}; give a list of names")

    def kept(row: Row | Rejected) -> bool:
        if isinstance(row, Rejected):
            return True
        if settings.path is None and row.split != "test":
            return False
        variation = row.values.get("perturbation_type")
        return variation != UNANSWERABLE if wanted is None else variation in wanted

    def make(row: Row) -> Found:
        def text(name: str) -> object:
            value = row.values.get(name)
            return value.strip() if isinstance(value, str) else value

        answer = text("answer")
        return problem_from(
            row,
            settings,
            text("question"),
            answer.replace(",", "") if isinstance(answer, str) else answer,
            licence=LICENCE,
            split="test",
            solution=text("solution"),
            family=family_of(row, "seed_question"),
        )

    stems = ("gsm_plus_test", "gsmplus_test", "gsm_plus", "test")
    return each((row for row in copies(settings, stems) if kept(row)), make)
