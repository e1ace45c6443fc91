"""Rows as a library is given them: a file, a frame, a table, dicts or plain questions. Out: mappings, one a row."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from orcamath.errors import DataError, UsageError
from orcamath.judges.file import read_rows
from orcamath.visible import one_line

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Rows", "given_rows"]

Rows: TypeAlias = "str | Path | DataFrame | Iterable[Mapping[str, object] | str]"
"""A file, a DataFrame (pandas or polars), an Arrow table, dicts (as a split of a hub's set is), or questions as plain texts."""


def given_rows(rows: Rows) -> Iterable[Mapping[str, object]]:
    """Return the rows one by one, or all of a frame's. Raises UsageError where these are no rows, DataError where one is none."""
    if isinstance(rows, str | Path):
        return map(_without_missing, read_rows(Path(rows)))
    if hasattr(rows, "iterrows"):  # frames are known by what they can, since their packages need not be here
        return _of_frame(rows)
    if hasattr(rows, "iter_rows"):
        return _named(rows.iter_rows(named=True))
    return _named(rows.to_pylist() if hasattr(rows, "to_pylist") else rows)


def _named(rows: object) -> Iterator[Mapping[str, object]]:
    """Yield rows as mappings; a text is a question."""
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        raise UsageError(
            f"rows are a file, a DataFrame, or a list of dicts, and this is a {type(rows).__name__}{_keys(rows)}: write `[row]` "
            f"for one row, `pandas.DataFrame(columns)` for columns, `data['train']` for a split"
        )
    return _each(rows)


def _keys(rows: object) -> str:
    keys = [f"`{one_line(str(key), 40)}`" for key in islice(rows, 5)] if isinstance(rows, Mapping) else []
    return f" of {', '.join(keys)}" if keys else ""


def _each(rows: Iterable[object]) -> Iterator[Mapping[str, object]]:
    for n, row in enumerate(rows, 1):
        if not isinstance(row, str | Mapping):
            raise DataError(f"row {n} is no dict and no text but a {type(row).__name__}; name its fields in a dict")
        yield {"question": row} if isinstance(row, str) else _without_missing(row)


def _without_missing(row: Mapping[str, object]) -> Mapping[str, object]:
    """Return a row with None for what is missing: NaN, NaT and NA, which a DataFrame's `to_dict` leaves in."""
    return {name: None if _is_missing(value) else value for name, value in row.items()}


def _is_missing(value: object) -> bool:
    return type(value).__name__ in {"NAType", "NaTType"} or (isinstance(value, Number) and value != value)


def _of_frame(frame: Any) -> list[dict[str, Any]]:
    """Return a DataFrame's rows; what is missing there (NaN, NaT) is None."""
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise UsageError(
            "the DataFrame has several levels of column names, and a row's fields have one: join them first, as in "
            "`frame.columns = ['_'.join(map(str, c)) for c in frame.columns]`"
        )
    given = frame.astype(object)
    rows: list[dict[str, Any]] = given.where(given.notna(), None).to_dict("records")
    return rows
