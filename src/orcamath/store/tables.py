"""Records to Parquet and back. The Arrow schema is derived from the record; name and version travel in the file.

Files hold no timestamps and are written in the order given, so equal records make equal bytes.
"""

import itertools
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from orcamath.errors import DataError, SchemaTooNew
from orcamath.records import (
    Attempt,
    Chosen,
    Exercise,
    Lesson,
    Preference,
    Problem,
    Record,
    Rejected,
    Rollout,
    Scored,
    Verdict,
)

__all__ = ["SCHEMAS", "among", "arrow_schema", "read_columns", "read_table", "write_table"]

ROW_GROUP = 2_000
R = TypeVar("R", bound=Record)
Where = Callable[[pa.RecordBatch], pa.Array]


class _Table(NamedTuple):
    record: type[Record]
    version: int


SCHEMAS: dict[str, _Table] = {
    "problems": _Table(Problem, 2),
    "lessons": _Table(Lesson, 1),
    "exercises": _Table(Exercise, 1),
    "chosen": _Table(Chosen, 1),
    "attempts": _Table(Attempt, 1),
    "verdicts": _Table(Verdict, 1),
    "rollouts": _Table(Rollout, 1),
    "preferences": _Table(Preference, 2),
    "scored": _Table(Scored, 1),
    "rejected": _Table(Rejected, 1),
}
"""Every table of an artifact, by its name: its record, and the version that files keep."""

MIGRATIONS: dict[tuple[str, int], Callable[[dict[str, object]], dict[str, object]]] = {
    # version 2 has `level` and `family` too, which an older problem leaves open
    ("problems", 1): lambda row: {**row, "confirmed": False},
    # version 2 has `inclusion` in each response, which is 1 in an older one
    ("preferences", 1): dict,
}
"""(table, from version) → a function that turns such a row into one of the next version."""


def _arrow_type(annotation: Any) -> pa.DataType:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        (inner,) = [a for a in args if a is not type(None)]
        return _arrow_type(inner)
    if origin is Literal:
        return pa.string()
    if origin is tuple:
        if args[-1] is not Ellipsis:  # a fixed pair such as tuple[int, int]
            return pa.list_(_arrow_type(args[0]), len(args))
        return pa.list_(_arrow_type(args[0]))
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return pa.struct([(n, _arrow_type(f.annotation)) for n, f in annotation.model_fields.items()])
    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[annotation]


def arrow_schema(table: str) -> pa.Schema:
    """Return the Arrow schema of a table named in `SCHEMAS`, its name and version in the metadata."""
    entry = SCHEMAS[table]
    fields = [(name, _arrow_type(f.annotation)) for name, f in entry.record.model_fields.items()]
    return pa.schema(fields, metadata={"orcamath.table": table, "orcamath.version": str(entry.version)})


def write_table(path: Path, table: str, records: Iterable[Record]) -> int:
    """Write records of one table in the given order; returns how many. Streams: one row group in memory."""
    schema, n = arrow_schema(table), 0
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for group in _batched(records):
            writer.write_table(pa.Table.from_pylist([r.row() for r in group], schema=schema))
            n += len(group)
    return n


def _batched(records: Iterable[Record]) -> Iterator[tuple[Record, ...]]:  # itertools.batched is Python 3.12
    source = iter(records)
    while group := tuple(itertools.islice(source, ROW_GROUP)):
        yield group


def read_table(path: Path, record: type[R], where: Where | None = None) -> Iterator[R]:
    """Read records back in file order; an older schema is migrated, a newer one refused by name.

    `where` chooses rows of a batch by a mask, before they are made into records: a hundred times faster than after.
    """
    file, table, version = _opened(path, record)
    for batch in _batches(file, path):
        for row in (batch if where is None else batch.filter(where(batch))).to_pylist():
            for old in range(version, SCHEMAS[table].version):
                row = MIGRATIONS[table, old](row)
            try:
                yield record.of(row)
            except ValidationError as e:
                raise DataError(f"`{path}` has a row that is no {record.__name__}: {e}") from e


def read_columns(path: Path, record: type[Record], *names: str) -> Iterator[tuple[Any, ...]]:
    """Read some columns of every row, in file order: many times faster than records, which are made of an older schema only."""
    file, table, version = _opened(path, record)
    if version < SCHEMAS[table].version:
        yield from (tuple(getattr(row, name) for name in names) for row in read_table(path, record))
        return
    for batch in _batches(file, path, names):
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def among(column: str, values: Iterable[str]) -> Where:
    """Return a mask for the rows whose column is one of the values (for a list: has one of them in it)."""
    import pyarrow.compute as pc  # takes a while, and most who read or write tables need none of it

    wanted = _texts(sorted(values))

    def mask(batch: pa.RecordBatch) -> pa.Array:
        held = batch.column(column)
        if not pa.types.is_list(held.type):
            return pc.is_in(held, wanted)
        hits = pc.is_in(pc.list_flatten(held), wanted)
        rows = pc.filter(pc.list_parent_indices(held), hits)
        return pc.is_in(pa.array(range(len(batch)), rows.type), rows)

    return mask


def _texts(values: Sequence[str]) -> pa.StringArray:
    """Return texts as an array. `pa.array` would do, but loads pandas where that is installed: a quarter of a second."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def _opened(path: Path, record: type[Record]) -> tuple[pq.ParquetFile, str, int]:
    """Open a table of these records; returns its name and version too. Raises DataError for another, SchemaTooNew."""
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowInvalid) as e:
        raise _unreadable(path, e) from e
    metadata = file.schema_arrow.metadata or {}
    table, version = metadata.get(b"orcamath.table", b"?").decode(), int(metadata.get(b"orcamath.version", b"0"))
    known = SCHEMAS.get(table)
    if known is None or known.record is not record:
        raise DataError(f"`{path}` holds the table `{table}`, not {record.__name__}")
    if version > known.version:
        raise SchemaTooNew(
            f"`{path}` was written with version {version} of the table `{table}`; this software knows up to "
            f"{known.version}. Upgrade orcamath, or point `--store` at another folder"
        )
    return file, table, version


def _batches(file: pq.ParquetFile, path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield batch after batch; every page is held against its checksum."""
    batches = file.iter_batches(ROW_GROUP, columns=columns)
    while True:
        try:
            batch = next(batches, None)
        except (OSError, pa.ArrowException) as e:
            raise _unreadable(path, e) from e
        if batch is None:
            return
        yield batch


def _unreadable(path: Path, e: Exception) -> DataError:
    """Say why a table cannot be read: a cause outside the file (no such file, too many open) or damage in it."""
    if isinstance(e, OSError) and e.errno is not None:
        return DataError(f"cannot read the table `{path}`: {e}")
    return DataError(f"the table `{path}` is damaged ({e}): `orcamath fsck` says what else is, and what to do")
