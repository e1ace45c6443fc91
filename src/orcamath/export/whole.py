"""`orcamath export`: one thing out of a run, in a form that other tools open.

In → a run's stages by label, what is wanted and in which form; out → a file, or a folder for `hub` and `student`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from orcamath.errors import UsageError, nearest
from orcamath.export.card import card
from orcamath.export.lessons import Tally
from orcamath.export.places import export_place, write_lines, write_parquet
from orcamath.export.shapes import FOLDERS, SHAPES, Stages
from orcamath.store.artifacts import Artifact

__all__ = ["Exported", "default_place", "export_form", "export_table"]

WHAT = (*SHAPES, "student")


class Exported(NamedTuple):
    """What was written where."""

    path: Path
    n: int
    """Rows; files for a student."""


def export_form(what: str, form: str | None) -> str:
    """Return the form asked for, or the usual one of `what`. Raises UsageError naming what exists."""
    if what not in WHAT:
        raise UsageError(f"`{what}` cannot be exported; {nearest(what, WHAT)}")
    forms = tuple(SHAPES[what]) if what in SHAPES else ("folder",)
    if form is not None and form not in forms:
        raise UsageError(f"{what} have no export form `{form}`; {nearest(form, forms)}")
    return form or forms[0]


def default_place(run: str, what: str, form: str) -> Path:
    """Return where an export goes that was given no place: beside the caller, named for what it is."""
    ending = "" if form in (*FOLDERS, "folder") else ".parquet" if form == "parquet" else ".jsonl"
    return Path(f"{run}-{what}{'' if form in ('jsonl', 'parquet', 'hub', 'folder') else '-' + form}{ending}")


def export_table(
    stages: Stages,
    what: str,
    form: str | None,
    target: Path,
    *,
    number: int | None = None,
    title: str = "orcamath lessons",
    history: Sequence[Artifact] = (),
    replace: bool = False,
) -> Exported:
    """Write `what` of a run to `target`: Parquet where that ends in `.parquet`, a folder for `hub`, else JSON Lines.

    `number` chooses a round of practice (the last where None); `history` is what a data card tells of. Raises UsageError for
    an unknown form, a run that has no such thing or not one of them, or a target that may not be written.
    """
    form = export_form(what, form)
    shape = SHAPES[what][form]
    folder = form in FOLDERS
    if form == "parquet" and target.suffix != ".parquet":
        raise UsageError(f"`{target}` does not end in .parquet; rename it, or choose another form")
    rows = shape.rows(stages, number)
    with export_place(target, folder=folder, replace=replace, what=f"{what} as {form}") as new:
        if folder:
            n = _write_hub(rows, shape.schema, new, title, history)
        elif target.suffix == ".parquet":
            n = write_parquet(rows, new, shape.schema)
        else:
            n = write_lines(rows, new)
        if not n:
            raise UsageError(
                f"no {what} of this run (or arm) can be written as `{form}`, so nothing is; `orcamath status` counts what each "
                f"stage kept, `orcamath report` says why the rest was rejected; --arm and --round name others"
            )
    return Exported(target, n)


def _write_hub(
    rows: Iterator[dict[str, object]], schema: pa.Schema, new: Path, title: str, history: Sequence[Artifact]
) -> int:
    tally = Tally()
    n = write_parquet(tally.watch(rows), new / "data" / "train-00000-of-00001.parquet", schema)
    (new / "README.md").write_text(card(title, tally.n, tally.by, [*history]), encoding="utf-8")
    return n
