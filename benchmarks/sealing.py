"""Records sealed as a stage would seal them: what a benchmark's stage reads."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever measures a process chooses when it imports the package
    from orcamath.records import Record
    from orcamath.store.artifacts import Artifact, Output, Store

__all__ = ["sealed"]


def sealed(store: "Store", name: str, inputs: Sequence[str] = (), **tables: "Iterable[Record]") -> "Artifact":
    """Return the stage of that name that holds these tables, written one after the other where it is not there yet.

    `inputs` is what tells it from another of the same name; the records are read only where it has to be made.
    """

    def write(out: "Output") -> None:
        for table, rows in tables.items():
            out.write(table, rows)

    return store.stage(name, 1, None, list(inputs), write)
