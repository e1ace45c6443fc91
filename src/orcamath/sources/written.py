"""How a text file is written: its encoding, and what stands between the columns of a CSV file. In → a file; out → `Writing`.

For `look`, which examines a file before a recipe says how it is written; a run reads as its recipe says.
"""

import codecs
import csv
import re
from itertools import islice
from pathlib import Path

from orcamath.errors import DataError
from orcamath.reading import open_file
from orcamath.sources.rows import Writing, form_of

__all__ = ["how_written"]

_BLOCK = 1 << 20
_DELIMITERS = ",;\t|"
_WORD = re.compile(r"[^\W\d_]{3,}")
_BEYOND_ASCII = re.compile(r"[^\x00-\xbf]+")


def how_written(path: Path) -> Writing:
    """Find out a text file's encoding and, of CSV, its delimiter. Raises DataError where its bytes are none that we know.

    UTF-8 and UTF-16 can be told for sure; what is neither is taken for cp1252, which is what older spreadsheets write, unless its
    words would be of no language in Latin letters then: among the encodings of the others nothing is sure.
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
        if not _decodes(path, encoding):
            continue
        if encoding == "cp1252" and (word := _word_of_others(path)) is not None:
            raise DataError(
                f"`{path}` is no UTF-8, nor is it in Latin letters (if it is cp1251, its first word is `{word}`); save it as "
                f"UTF-8, or name its encoding on a source, `options: {{encoding: cp1251}}`"
            )
        return encoding
    raise DataError(f"`{path}` is no text in UTF-8, UTF-16 or cp1252; save it as UTF-8, or is it the file you meant?")


def _word_of_others(path: Path) -> str | None:
    """Return the first word of letters beyond ASCII alone, as cp1251 has it, where a fifth are such; else None.

    Cyrillic is that throughout when it is read as cp1252, and so is much of Greek, Hebrew or Chinese; no Latin word is.
    """
    with open_file(path) as opened:
        words = _WORD.findall(opened.read(_BLOCK).decode("cp1252", "ignore"))
    others = [word for word in words if _BEYOND_ASCII.fullmatch(word)]
    return others[0].encode("cp1252").decode("cp1251", "replace") if 5 * len(others) > len(words) else None


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
    best = max((usual, *_DELIMITERS), key=lambda d: _regular(text, d, tabs=usual == d == "\t"))
    return best if best != usual else None


def _regular(text: str, delimiter: str, *, tabs: bool) -> tuple[float, int]:
    """Return the share of the first records that have as many columns as the header, and how many these are."""
    records: list[list[str]] = []
    try:
        lines = text.splitlines(keepends=True)
        records += islice(
            csv.reader(lines, delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL),
            100,
        )
    except csv.Error:
        return 0.0, 0
    n = len(records[0]) if records else 0
    return (sum(len(r) == n for r in records) / len(records), n) if n > 1 else (0.0, n)
