"""Where an export is put: whole or not at all, and never over what no export made.

Everything is written beside its place and renamed. A folder of ours carries a mark, `.orcamath-export.json`, that lists what is
in it; only a folder with that mark and nothing else in it is ever replaced, and only a file that is JSON Lines or Parquet.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from orcamath.errors import UsageError
from orcamath.store.placing import aside_of, put_in_place, remove

__all__ = ["MARK", "check_place", "export_place", "write_lines", "write_parquet"]

MARK = ".orcamath-export.json"
ROW_GROUP = 2_000


@contextmanager
def export_place(target: Path, *, folder: bool, replace: bool, what: str, of: Path | None = None) -> Iterator[Path]:
    """Lend a place to write to; when the block ends well, what is there becomes `target`.

    Raises UsageError before anything is written where `target` is there already (unless `replace`), is none of ours, or is the
    file `of` that is being read.
    """
    check_place(target, folder=folder, replace=replace, of=of)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = aside_of(target)
    remove(new)
    if folder:
        new.mkdir()
    try:
        yield new
        if folder:
            mark = {"what": what, "files": sorted(_held(new))}
            (new / MARK).write_text(json.dumps(mark) + "\n", encoding="utf-8")
        put_in_place(new, target)
    finally:
        remove(new)


def check_place(target: Path, *, folder: bool, replace: bool, of: Path | None = None) -> None:
    """Raise UsageError as `export_place` does, before there is something to write."""
    if not target.exists():
        return
    if of is not None and target.samefile(of):
        raise UsageError(f"`{target}` is the file that is read; name another with --out")
    if not replace:
        raise UsageError(f"`{target}` exists already; name another place with --out, or say --replace")
    if target.is_dir() and not (target / MARK).is_file():
        raise UsageError(
            f"`{target}` is a folder that no export made (it has no `{MARK}`), so it is not replaced; name another with --out"
        )
    if target.is_dir() and (others := _held(target) - _listed(target)):
        raise UsageError(
            f"`{target}` holds `{min(others)}`, which the export did not make, so it is not replaced; name another with --out"
        )
    if target.is_file() and not _is_table(target):
        raise UsageError(f"`{target}` is neither JSON Lines nor Parquet: no export made it; name another with --out")
    if not target.is_dir() and not target.is_file():
        raise UsageError(f"`{target}` is no plain file (a pipe or a device); name another with --out")
    if target.is_dir() != folder:
        raise UsageError(
            f"`{target}` is a {'folder' if target.is_dir() else 'file'}, and this export is none; use --out"
        )


def _held(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()} - {MARK}


def _listed(folder: Path) -> set[str]:
    """Return what an export put into a folder; all that is there where its mark is older than such lists."""
    try:
        return set(json.loads((folder / MARK).read_text(encoding="utf-8"))["files"])
    except KeyError:
        return _held(folder)
    except (ValueError, TypeError, OSError, RecursionError):
        return set()


def _is_table(file: Path) -> bool:
    with file.open("rb") as f:
        first = f.readline()
    try:
        return not first or first.startswith(b"PAR1") or isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False


def write_lines(rows: Iterable[Mapping[str, object]], path: Path) -> int:
    """Write JSON Lines; returns the number of rows."""
    n = 0
    with path.open("wb") as file:
        for row in rows:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            n += 1
    return n


def write_parquet(rows: Iterable[Mapping[str, object]], path: Path, schema: pa.Schema) -> int:
    """Write Parquet, one row group in memory; equal rows make equal bytes. Returns the number of rows."""
    source, n = iter(rows), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(source, ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            n += len(group)
    return n
