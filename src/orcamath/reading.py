"""The only way to open files that users name: plain files only, and never more of one in memory than a bound.

A FIFO or a device would be waited for without end, a gzip file can unfold to anything. So a file is looked at before it is
opened, lines are read up to `MAX_LINE` bytes, and what has to be read whole is read up to what its size on disk allows.
"""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol, cast

from orcamath.errors import DataError

__all__ = ["LineSource", "Overlong", "bounded_lines", "open_file", "read_text", "read_whole"]

MAX_LINE = 8_000_000
MAX_WHOLE = 1 << 30
MAX_UNFOLDED, MAX_RATIO = 64_000_000, 100
"""A gzip file that has to be read whole may be that large, or that many times what it takes on disk; texts come to about ten."""
MAX_TEXT = 10_000_000
_PIECE = 1 << 20


class Overlong:
    """Stands where a line longer than `MAX_LINE` stood."""


def open_file(path: Path) -> IO[bytes]:
    """Open a plain file for reading, through gzip where its name ends so. Raises DataError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"`{path}` is no plain file (a folder, a pipe or a device); copy what it holds into one")
        return cast(IO[bytes], gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb"))
    except (OSError, ValueError) as e:  # a ValueError where the name holds NUL
        why = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise DataError(f"cannot open `{path}`: {why}; mend the path or its permissions") from e


class LineSource(Protocol):
    """What lines are read from."""

    def readline(self, limit: int, /) -> bytes:
        """Return the next line with its end, or the first `limit` bytes of it; nothing at the end of the file."""
        ...


def bounded_lines(file: LineSource) -> Iterator[bytes | Overlong]:
    """Yield a file's lines with their ends; one that is too long is read over."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_PIECE)
        yield Overlong()


def read_whole(path: Path, limit: int | None = None) -> bytes:
    """Read a file that has no other way, such as JSON. Raises DataError, also where it unfolds to more than its bound."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        most = MAX_WHOLE if path.suffix.lower() != ".gz" else min(MAX_WHOLE, max(MAX_UNFOLDED, MAX_RATIO * size))
        most = most if limit is None else min(most, limit)
        content = bytearray()
        try:
            while piece := file.read(_PIECE):
                content += piece
                if len(content) > most:
                    raise DataError(
                        f"`{path}` holds more than {most:,} bytes, too much to be read in one piece; is it the file you meant? "
                        f"Rows can come as JSON Lines, which have no such bound"
                    )
        except (OSError, EOFError, zlib.error) as e:  # gzip says so only while reading
            raise DataError(f"`{path}` cannot be read to its end: {e}; fetch it again") from e
    return bytes(content)


def read_text(path: Path, what: str) -> str:
    """Read a text file; `what` is how a message calls it. Raises DataError where it is too large or no UTF-8."""
    try:
        return read_whole(path, MAX_TEXT).decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise DataError(f"{what} `{path}` is not UTF-8 text (byte {e.start}); save it as UTF-8") from e
