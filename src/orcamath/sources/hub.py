"""Any data set on the hub, with a map of its columns: `options: {dataset: owner/name, config: …}`.

The columns are those of `file`. Splits are what the hub calls them (train, validation, test); a name that says none of them
(`default`, `testmini`) is refused, unless all of the set has such names and `split` says what it is. The commit, given as
`revision` or looked up, is part of the digest; `draw_split: true` draws splits instead, as for `file`. `dataset` may also be a
local folder that the `datasets` library can open.
"""

from collections.abc import Iterator

from orcamath.errors import DataError
from orcamath.sources.file import ROW_OPTIONS, check_options, mapped, problem_of
from orcamath.sources.hub_rows import hub_set, rows_of
from orcamath.sources.source import Found, Row, SourceSettings, each

__all__ = ["read"]


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield every row as a problem, split by split. Raises DataError where the set is not named or cannot be had."""
    check_options(settings, (*ROW_OPTIONS, "dataset", "config"))
    hub, names = hub_set(settings), mapped(settings)
    if hub is None:
        raise DataError("source `hub` needs `options: {dataset: owner/name}`")
    named: set[str] = set()

    def make(row: Row) -> Found:
        if row.split is not None:
            named.add(row.split)  # rows of splits that are known come first
        elif not (row.cell(names["split"]) or settings.options.get("draw_split")):
            of = row.place.rpartition(":")[0].rpartition("/")[2]
            if named or settings.split is None:
                way_out = "" if named else "; say which with `split:` on the source"
                return row.bad("bad_split", f"is of the split `{of}`, which is none of train, dev, test{way_out}")
        return problem_of(row, settings, names)

    return each(rows_of(hub, settings.revision), make)
