"""Rows of a file, whatever its form: JSON Lines, JSON, CSV, TSV, Parquet; plain or gzipped. In → `Row` or `Rejected`.

A line that cannot be read is a `Rejected` that names file and line; a file that cannot be opened raises DataError. Files are
read as a stream and within bounds (`reading`), but for `.json`, which has no other way. How a text file is written (encoding,
delimiter) is said by the source's settings and never guessed here; `look` guesses.
"""

import csv
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple, TextIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from orcamath.errors import DataError
from orcamath.reading import MAX_LINE, Overlong, bounded_lines, open_file, read_whole
from orcamath.records import Rejected
from orcamath.sources.source import Row, SourceSettings, split_named

__all__ = ["DEFAULT", "FORMS", "Writing", "files_of", "form_of", "rows"]

_HALF = re.compile("[\ud800-\udfff]")
_SHARD = re.compile(r"[-_](\d{5}[-_]of[-_]\d{5})(?:[-_][0-9a-f]{8,})?$")
"""Of the hub's own file names."""
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_LONG_NUMBER = re.compile(rb"\d{19}")

BATCH = 100
"""Rows of a Parquet file at a time: a page may unfold to as many texts of `MAX_CHARS`."""
MAX_CHARS, MAX_NESTED = 1_000_000, 50
"""Of one text, and of lists within lists: more is no problem and no answer."""
FORMS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


class Writing(NamedTuple):
    """How a text file is written."""

    encoding: str = "utf-8"
    """Python's name of it. A byte order mark is passed over."""
    delimiter: str | None = None
    """Between the columns of a CSV file; None: a comma, and a tab in TSV."""
    quotes: bool = False
    """Whether a TSV file has cells in quotes that hold tabs or ends of lines, as CSV has."""


DEFAULT = Writing()


def files_of(settings: SourceSettings, stems: Sequence[str] | None, forms: Sequence[str] = FORMS) -> list[Path]:
    """Return the files that `path` stands for: itself, or what lies in that folder under one of the set's file names.

    `stems` are file names without ending, in lower case; `*` in one stands for a split (`gsm8k_*`). One stem a file and shard, of
    the first folder that has it. None takes every readable file of every folder. Either way `train.jsonl` beside
    `train.jsonl.gz` is read once; `train.csv` is another file to None. Raises DataError where nothing is there.
    """
    if settings.path is None:
        raise DataError(f"source `{settings.name}` needs `path`: the file or folder with your copy of the set")
    path = Path(settings.path).expanduser()
    if path.is_file():
        return [path]
    if not path.is_dir():
        if path.exists():
            open_file(path)  # says that it is no plain file
        hub = "" if stems is None else ", or leave it out to use the hub"
        raise DataError(f"source `{settings.name}`: `{path}` does not exist; mend `path`{hub}")
    found: dict[tuple[str, ...], Path] = {}
    homes: dict[str, Path] = {}
    for file in sorted(path.rglob("*")):
        if not file.is_file() or form_of(file) not in forms:
            continue
        if stems is None:
            found.setdefault((re.sub(r"\.gz$", "", str(file), flags=re.IGNORECASE),), file)
        elif _wanted(_stem(file), stems) and homes.setdefault(_stem(file), file.parent) == file.parent:
            found.setdefault((_stem(file), *_SHARD.findall(_bare(file))), file)
    if not found:
        raise DataError(
            f"source `{settings.name}`: `{path}` holds {_wanted_names(stems)} "
            f"({', '.join(forms)}, plain or .gz); give the file itself as `path`"
        )
    return list(found.values())


def _wanted_names(stems: Sequence[str] | None) -> str:
    return f"none of {', '.join(f'`{s}`' for s in stems)}" if stems else "no file that can be read"


def form_of(path: Path) -> str:
    """Return the ending that says what a file is, in lower case, whether gzipped or not."""
    suffixes = [s.lower() for s in path.suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes or [""])[-1]


def _bare(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").removesuffix(form_of(path))


def _stem(path: Path) -> str:
    return _SHARD.sub("", _bare(path)).replace("-", "_")


def _wanted(stem: str, stems: Sequence[str]) -> bool:
    for pattern in stems:
        before, star, after = pattern.partition("*")
        if not star and stem == pattern:
            return True
        if star and stem.startswith(before) and stem.endswith(after):
            middle = stem[len(before) : len(stem) - len(after)]
            if split_named(middle) is not None and "_" not in middle.strip("_"):
                return True
    return False


def rows(path: Path, writing: Writing = DEFAULT, below: Path | None = None) -> Iterator[Row | Rejected]:
    """Read a file by its ending. The split is what its name says, or else the nearest of the folders that it has `below` one.

    Raises DataError where it is no such file.
    """
    form, split = form_of(path), split_named(_stem(path))
    if split is None and below is not None and path != below:
        folders = path.relative_to(below).parts[-2::-1]
        split = next((named for folder in folders if (named := split_named(folder)) is not None), None)
    if form not in FORMS:
        raise DataError(
            f"`{path}` is none of {', '.join(FORMS)} (plain or .gz); convert it, or rename it to what it is"
        )
    reader = {".csv": _csv, ".tsv": _csv, ".parquet": _parquet, ".json": _json}.get(form, _lines)
    place = path.name
    try:
        for place, values in reader(path, writing):
            yield values if isinstance(values, Rejected) else _whole(Row(place, values, split))
    except (OSError, EOFError, zlib.error, pa.ArrowException) as e:  # gzip says so only while reading
        raise DataError(f"`{path}` cannot be read to its end: {e}; fetch it again") from e
    except UnicodeDecodeError as e:
        raise DataError(
            f"`{path}` is not {writing.encoding.upper()} text: byte 0x{e.object[e.start]:02x} soon after {place}; convert it, or "
            f"name its encoding on a source, `options: {{encoding: cp1252}}` (`orcamath init` finds out which)"
        ) from e


def _whole(row: Row) -> Row | Rejected:
    """Refuse texts and nesting without measure, and half characters (a lone surrogate), which no request or table holds."""
    for name, value in row.values.items():
        if isinstance(value, str) and value.isascii() and len(value) <= MAX_CHARS:
            continue
        if (wrong := _wrong(value)) is not None:
            return _bad(row.place, f"has {wrong} in `{name}`", ascii(value)[:500])
    return row


def _wrong(value: object, depth: int = 0) -> str | None:
    """Say what makes a value unfit; None where nothing does."""
    if isinstance(value, str):
        if len(value) > MAX_CHARS:
            return f"a text of {len(value):,} characters ({MAX_CHARS:,} at most)"
        return "half a character (a lone surrogate; mend its encoding)" if _HALF.search(value) else None
    if not isinstance(value, list | dict):
        return None
    if depth > MAX_NESTED:
        return f"lists or objects nested more than {MAX_NESTED} deep"
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    return next((wrong for v in inner if (wrong := _wrong(v, depth + 1)) is not None), None)


def _bad(place: str, detail: str, text: object) -> Rejected:
    return Rejected(item=place, reason="bad_line", detail=detail, text=str(text)[:500])


_Read = Iterator[tuple[str, Mapping[str, object] | Rejected]]


class _Recoded:
    """Lines of a file in another encoding, as bytes of UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._text = io.TextIOWrapper(file, encoding=encoding, newline="\n")

    def readline(self, limit: int) -> bytes:
        return self._text.readline(limit).encode()


def _lines(path: Path, writing: Writing) -> _Read:
    with open_file(path) as file:
        # UTF-8 is decoded a line at a time, so that one bad line is one rejected row
        lines = bounded_lines(file if writing.encoding == "utf-8" else _Recoded(file, writing.encoding))
        for i, line in enumerate(lines, start=1):
            if isinstance(line, Overlong):
                yield f"{path.name}:{i}", _bad(f"{path.name}:{i}", f"is longer than {MAX_LINE:,} bytes", "")
                continue
            line = line.removeprefix(b"\xef\xbb\xbf").strip()
            if line:
                yield f"{path.name}:{i}", _object(f"{path.name}:{i}", line)


def _object(place: str, line: bytes) -> Mapping[str, object] | Rejected:
    text = line.decode("utf-8", "replace")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as e:
        try:
            value = json.loads(line)  # NaN and the like, which Python's own writer lets through
        except (ValueError, RecursionError):
            return _bad(place, f"is not JSON: {e.msg} (column {e.colno})", text)
    if _LONG_NUMBER.search(line):  # beyond 64 bits whole numbers stay whole in Python's own reader alone
        with suppress(ValueError, RecursionError):
            value = json.loads(line)
    if not isinstance(value, dict):
        return _bad(place, f"is JSON, but a {type(value).__name__} and no object", text)
    return value


def _json(path: Path, writing: Writing) -> _Read:
    raw = read_whole(path)
    encoding = json.detect_encoding(raw) if writing == DEFAULT else writing.encoding
    content = raw.decode(encoding, "surrogatepass").removeprefix("\ufeff").strip()  # halves are refused row by row
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as e:
        if content.startswith("{") and "\n" in content:  # JSON Lines under another name
            yield from _lines(path, writing)
            return
        raise DataError(f"`{path}` is not JSON: {e}; mend that place, or give the file as JSON Lines") from e
    if isinstance(value, dict):
        inner = list(value.values())
        lists = [v for v in inner if isinstance(v, list)]
        if inner and all(isinstance(v, dict) for v in inner):  # numbered problems
            value = inner
        elif len(lists) == 1 and set(value) != {"Instances"} and all(isinstance(v, dict) for v in lists[0]):
            value = lists[0]
    for i, item in enumerate(value if isinstance(value, list) else [value], start=1):
        place = f"{path.name}:record {i}"
        yield place, item if isinstance(item, dict) else _bad(place, "is no JSON object", item)


def _csv(path: Path, writing: Writing) -> _Read:
    with open_file(path) as file:
        encoding = "utf-8-sig" if writing.encoding == "utf-8" else writing.encoding
        text = io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="")
        delimiter = writing.delimiter or ("\t" if form_of(path) == ".tsv" else ",")
        tabs = form_of(path) == ".tsv" and delimiter == "\t" and not writing.quotes
        csv.field_size_limit(MAX_CHARS)
        lines = _csv_lines(text, path)
        reader = csv.reader(
            lines, delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL
        )
        names = _column_names(reader, path, tabs=tabs)
        while True:
            place = f"{path.name}:{reader.line_num + 1}"  # where a record begins, however many lines it has
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as e:
                yield place, _bad(place, str(e), "")
                continue
            if values and len(values) != len(names):
                hint = "; where cells hold line breaks, say `options: {quotes: true}`" if tabs else ""
                yield place, _bad(place, f"has another number of columns than the {len(names)} named{hint}", "")
            elif values:
                yield place, dict(zip(names, map(_unquoted, values) if tabs else values, strict=True))


def _unquoted(cell: str) -> str:
    """Return a cell of TSV, which has no quoting: `"Hi" said Ann` stays, and one in quotes as a whole loses them."""
    return cell[1:-1].replace('""', '"') if _QUOTED.fullmatch(cell) else cell


def _csv_lines(text: TextIO, path: Path) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise DataError(f"`{path}` has a line longer than {MAX_LINE:,} characters; is it the file you meant?")
        yield line


def _column_names(reader: Iterator[list[str]], path: Path, *, tabs: bool) -> list[str]:
    """Return the first record, no blanks around names. Raises DataError on a name that stands twice: one would be lost."""
    try:
        names = [(_unquoted(name) if tabs else name).strip() for name in next(reader, [])]
    except csv.Error as e:
        raise DataError(f"`{path}`: its first line cannot be read as column names: {e}") from e
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise DataError(
            f"`{path.name}:1` names the column `{twice[0]}` twice, so one of the two would be lost; rename one"
        )
    return names


def _parquet(path: Path, _: Writing) -> _Read:
    open_file(path).close()
    try:
        file = pq.ParquetFile(pa.BufferReader(read_whole(path)) if path.suffix == ".gz" else path)
    except (pa.ArrowException, OSError) as e:
        raise DataError(f"`{path}` is no Parquet file: {e}; fetch it again") from e
    i = 0
    for batch in file.iter_batches(BATCH):
        for values in _plain(batch, f"{path.name}:row ", i):
            i += 1
            yield f"{path.name}:row {i}", values


def _plain(batch: pa.RecordBatch, place: str, before: int) -> Iterator[Mapping[str, object] | Rejected]:
    """Turn rows into plain values; one that Python has no value for, such as a date of the year 20000, is rejected alone."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        for j in range(batch.num_rows):
            try:
                yield batch.slice(j, 1).to_pylist()[0]
            except (ValueError, OverflowError, pa.ArrowException) as e:
                at = f"{place}{before + j + 1}"
                yield _bad(at, f"has a value that cannot be read: {e}", "")
