"""What a reader thinks of records: good or bad, with a note, one JSON line a mark, in `marks.jsonl` of the run folder.

`{"id": …, "mark": "good" | "bad", "note": …, "at": seconds since 1970}`. Lines are only ever added; of one id the last counts.
"""

import json
import time
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from orcamath.errors import UsageError
from orcamath.reading import bounded_lines, open_file
from orcamath.store.placing import add_line

__all__ = ["MARKS", "Mark", "Marks", "read_marks"]

MARKS = "marks.jsonl"
MAX_NOTE = 4_000


class Mark(NamedTuple):
    """One line."""

    id: str
    mark: Literal["good", "bad"]
    note: str
    at: float


class Marks:
    """The marks of one run: read again where the file has changed, added to one line at a time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / MARKS
        self._read: tuple[tuple[int, int] | None, dict[str, Mark]] = (None, {})

    @property
    def of(self) -> dict[str, Mark]:
        """The last mark of every id, whoever made it: a viewer and `orcamath review` may be at work at once."""
        found = self.path.stat() if self.path.exists() else None
        now = None if found is None else (found.st_mtime_ns, found.st_size)
        if now != self._read[0]:
            self._read = (now, read_marks(self.path))
        return self._read[1]

    def add(self, name: object, mark: object, note: object) -> Mark:
        """Add a mark, on disk before it is shown. Raises UsageError where it is none."""
        if not isinstance(name, str) or not 0 < len(name) <= 200:
            raise UsageError("a mark needs the id of a record")
        if mark not in ("good", "bad"):
            raise UsageError(f"a mark is `good` or `bad`, not `{str(mark)[:40]}`")
        if not isinstance(note, str) or len(note) > MAX_NOTE:
            raise UsageError(f"a note is text of at most {MAX_NOTE:,} characters")
        made = Mark(name, "good" if mark == "good" else "bad", note, round(time.time(), 3))
        add_line(self.path, json.dumps(made._asdict(), ensure_ascii=True), synced=True)
        return made


def read_marks(path: Path) -> dict[str, Mark]:
    """Return the last mark of every id; lines that are none (a crash tore them, another hand wrote them) are left out.

    Raises DataError where the file is no plain file.
    """
    if not path.exists():
        return {}
    with open_file(path) as file:
        marks = [mark for line in bounded_lines(file) if isinstance(line, bytes) and (mark := _mark(line)) is not None]
    return {mark.id: mark for mark in marks}


def _mark(line: bytes) -> Mark | None:
    try:
        raw = orjson.loads(line)
        if raw["mark"] not in ("good", "bad"):
            return None
        return Mark(str(raw["id"]), raw["mark"], str(raw.get("note", ""))[:MAX_NOTE], float(raw.get("at", 0)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
