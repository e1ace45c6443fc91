"""Any data set on the hub, with a map of its columns: `options: {dataset: owner/name, config: …}`.

The columns are those of `file`. Splits are what the hub calls them (train, validation, test); the commit, given as `revision`
or looked up, is part of the digest; `draw_split: true` draws others instead, as for `file`. `dataset` may also be a local folder
that the `datasets` library can open.
"""

from collections.abc import Iterator

from orcamath.errors import DataError
from orcamath.sources.file import check_options, mapped, problem_of
from orcamath.sources.hub_rows import hub_set, rows_of
from orcamath.sources.source import Found, SourceSettings, each

__all__ = ["read"]


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield every row as a problem, split by split. Raises DataError where the set is not named or cannot be had."""
    check_options(settings, ("dataset", "config", "draw_split"))
    hub, names = hub_set(settings), mapped(settings)
    if hub is None:
        raise DataError("source `hub` needs `options: {dataset: owner/name}`")
    return each(rows_of(hub, settings.revision), lambda row: problem_of(row, settings, names))
