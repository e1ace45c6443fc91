"""How a SQLite file is opened and written, and what a failure means: damage is told apart from a disk, a right or a limit.

In: the path, what the file is for, SQLite's error. Out: a connection, a transaction, or the error to raise.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from orcamath.errors import DataError, DiskFull, OrcamathError

__all__ = ["FAILED", "connect", "explained", "of_sqlite", "transaction"]

FAILED = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises; the second where its message repeats a damaged name."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_SCHEMA}
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG}
_NOT_OURS = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


_ANEW = "Move this one file away (keep it: what it held was paid for) and run again; what it held is then asked or computed anew"
_INSTEAD = {
    "the budget": "Move this one file away (keep it), look up at the provider what was spent, and run with `--new-book`",
}
"""What to do about damage, where it is not asked or computed anew."""


def connect(path: Path, *, timeout: float = 30.0, read_only: bool = False) -> sqlite3.Connection:
    """Open a file. Text that is no UTF-8 is read all the same, so that damage is found by checksums and not by a traceback.

    `read_only` reads in a folder that nothing can be written to, too, and on a full disk. Raises DataError where it is no file.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"`{path}` is no plain file, and a database of that name is kept there: move away what it is")
    where = f"file:{quote(str(path))}" + "?mode=ro" * read_only
    db = _connected(where, timeout)
    if read_only:
        try:
            db.execute("PRAGMA schema_version")
        except sqlite3.OperationalError:
            log = path.with_name(path.name + "-wal")
            if log.exists() and log.stat().st_size:  # what it holds would be missed
                raise
            db.close()
            db = _connected(f"{where}&immutable=1", timeout)  # no room for the notes that readers leave for writers
    return db


def _connected(where: str, timeout: float) -> sqlite3.Connection:
    db = sqlite3.connect(where, isolation_level=None, timeout=timeout, check_same_thread=False, uri=True)
    db.text_factory = lambda text: text.decode("utf-8", "replace")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Write all that the block says, or nothing where it ends otherwise; whoever else writes waits meanwhile."""
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk may have ended it; an interrupt may come before the block begins
            with suppress(*FAILED):  # the first failure is the one that is told
                db.execute("ROLLBACK")
        raise


def of_sqlite(path: Path, what: str, e: sqlite3.Error | UnicodeDecodeError) -> OrcamathError:
    """Return what to raise where SQLite failed on `what` (such as "the ledger")."""
    code = getattr(e, "sqlite_errorcode", None)
    kind = None if code is None else code & 0xFF
    if isinstance(e, UnicodeDecodeError) or kind in _DAMAGED or (kind == sqlite3.SQLITE_ERROR and "no such" in str(e)):
        return DataError(
            f"{what} `{path}` is damaged ({e}): `orcamath fsck` says what it still holds. {_INSTEAD.get(what, _ANEW)}"
        )
    if kind in _NO_ROOM:
        return DiskFull(f"{what} `{path}` cannot be written ({e}). Nothing more is sent; make room and run again")
    if kind in _NOT_OURS:
        return DiskFull(
            f"{what} `{path}` cannot be opened ({e}), and nothing says that it is damaged: is the disk mounted read-only, do "
            f"you have the rights, are too many files open (`ulimit -n`)? Mend that and run again"
        )
    return DiskFull(f"{what} `{path}` cannot be used now ({e}). Nothing more is sent; run again")


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Turn SQLite's errors inside the block into ours."""
    try:
        yield
    except FAILED as e:
        raise of_sqlite(path, what, e) from e
