"""How a text file is written: its encoding, and what stands between the columns of a CSV file. In → a file; out → `Writing`.

For `look`, which examines a file before a recipe says how it is written; a run reads as its recipe says.
"""

import codecs
import csv
from itertools import islice
from pathlib import Path

from orcamath.errors import DataError
from orcamath.reading import open_file
from orcamath.sources.rows import Writing, form_of

__all__ = ["how_written"]

_BLOCK = 1 << 20
_DELIMITERS = ",;\t|"


def how_written(path: Path) -> Writing:
    """Find out a text file's encoding and, of CSV, its delimiter. Raises DataError where its bytes are none that we know.

    UTF-8 and UTF-16 can be told for sure; what is neither is taken for cp1252, which is what older spreadsheets write.
    """
    form = form_of(path)
    if form == ".parquet":
        return Writing()
    encoding = _encoding(path)
    return Writing(encoding, _delimiter(path, encoding) if form in (".csv", ".tsv") else None)


def _encoding(path: Path) -> str:
    with open_file(path) as opened:
        head = opened.read(4096)
    likely: tuple[str, ...] = ("utf-8", "cp1252")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        likely = ("utf-16",)
    elif b"\0" in head:  # Latin letters are below U+0100, so that one of their two bytes is zero
        likely = ("utf-16-le",) if head[1::2].count(0) > head[::2].count(0) else ("utf-16-be",)
    for encoding in likely:
        if _decodes(path, encoding):
            return encoding
    raise DataError(f"`{path}` is no text in UTF-8, UTF-16 or cp1252; save it as UTF-8, or is it the file you meant?")


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with open_file(path) as opened:
            while block := opened.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(path: Path, encoding: str) -> str | None:
    """Return the character that parts the first lines into the same number of columns, more than one; None for the usual one."""
    with open_file(path) as opened:
        text = codecs.getincrementaldecoder(encoding)().decode(opened.read(_BLOCK)).removeprefix("\ufeff")
    usual = "\t" if form_of(path) == ".tsv" else ","
    best = max((usual, *_DELIMITERS), key=lambda delimiter: _regular(text, delimiter))
    return best if best != usual else None


def _regular(text: str, delimiter: str) -> tuple[float, int]:
    """Return the share of the first records that have as many columns as the header, and how many these are."""
    records: list[list[str]] = []
    try:
        records += islice(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True), 100)
    except csv.Error:
        return 0.0, 0
    n = len(records[0]) if records else 0
    return (sum(len(r) == n for r in records) / len(records), n) if n > 1 else (0.0, n)
