"""What stands in a run's book: leases, each held against its checksum. Read here, by whoever asks; written by `budget` alone.

In: an open book, or the path of one that is not to be written to. Out: US dollars and counts, by stage.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import DataError
from orcamath.store.sqlite_errors import connect, explained

__all__ = ["LEASE", "NANO", "Account", "account_of", "checksum", "committed", "doubts_in", "is_lost", "spoilt_leases"]

NANO = 1_000_000_000
LEASE = "id, stage, granted, spent, replaced, above"
"""The columns of a lease that its checksum is of."""


class Account(NamedTuple):
    """What a run's book says."""

    usd: Mapping[str, float]
    """Spent for certain, or leased to somebody, by stage."""
    doubts: Mapping[str, tuple[int, int]]
    """By stage, where there were any: bills replaced by our own count, and bills above what was reserved."""
    held_usd: float = 0.0
    """Of `usd`, what processes leased and have not accounted for: of one that was killed nobody will."""


def is_lost(book: Path) -> bool:
    """Tell whether a book is not there, or empty, log and all."""
    files = (book, book.with_name(book.name + "-wal"))
    return not any(file.exists() and (file.is_dir() or file.stat().st_size) for file in files)


def account_of(book: Path | None) -> Account:
    """Read a run's book without writing to it; nothing is booked where there is none. Raises DataError on a damaged one."""
    if book is None or is_lost(book):
        return Account({}, {})
    with explained(book, "the budget"), closing(connect(book, read_only=True)) as db:
        if int(db.execute("PRAGMA user_version").fetchone()[0]) < 2:  # no checksums yet
            rows = db.execute("SELECT stage, sum(max(granted, spent)) FROM leases GROUP BY stage").fetchall()
            return Account({stage: n / NANO for stage, n in rows if n}, {})
        booked = committed(db, book)
        return Account({stage: n / NANO for stage, n in booked.items() if n}, doubts_in(db), _held(db) / NANO)


def _held(db: sqlite3.Connection) -> int:
    query = "SELECT coalesce(sum(granted - spent), 0) FROM leases WHERE open = 1 AND granted > spent"
    return int(db.execute(query).fetchone()[0])


def committed(db: sqlite3.Connection, book: Path) -> Counter[str]:
    """Return what is spent or leased by stage, in nano-dollars. Raises DataError where a lease is not what was written."""
    found: Counter[str] = Counter()
    with explained(book, "the budget"):
        for row, whole in _leases(db):
            if not whole:
                raise DataError(
                    f"the budget `{book}` is damaged: lease {row[0]!r} is not what was written, so nobody knows what is "
                    f"left. Move the file away (keep it), look up at the provider what was spent, and run with `--new-book`"
                )
            found[row[1]] += max(row[2], row[3])
    return found


def doubts_in(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Return for each stage how many bills were replaced by our own count, and how many were above what was reserved."""
    query = "SELECT stage, sum(replaced), sum(above) FROM leases GROUP BY stage HAVING sum(replaced) + sum(above) > 0"
    return {stage: (replaced, above) for stage, replaced, above in db.execute(query)}


def spoilt_leases(db: sqlite3.Connection) -> tuple[int, int]:
    """Return how many leases a budget's file holds, and how many of them are not what was written."""
    whole = [whole for _, whole in _leases(db)]
    return len(whole), whole.count(False)


def checksum(row: Sequence[object]) -> bytes:
    """Return what is kept with the columns `LEASE`."""
    return blake2b(repr(list(row)).encode(), digest_size=8).digest()


def _leases(db: sqlite3.Connection) -> Iterator[tuple[tuple[int, str, int, int, int, int], bool]]:
    """Yield every lease, and whether it is what was written."""
    for *row, kept in db.execute(f"SELECT {LEASE}, sum FROM leases"):  # noqa: S608
        number, stage, *amounts = row
        yield (number, stage, *amounts), kept == checksum(row)
