"""What a ledger file no longer keeps: replies that are not what was written, and samples of students nobody names.

In: one shard. Out: what is spoilt in it, or how many calls were dropped.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple

from orcamath.errors import RunBusy
from orcamath.ports import Reply
from orcamath.store.ledger_format import Unreadable, open_shard, unpack_body, unpack_reply
from orcamath.store.locks import holder_of, take
from orcamath.store.sqlite_errors import explained, transaction

__all__ = ["STORED", "Spoilt", "forget_models", "spoilt", "stored_reply"]

# outer joins: a call whose prompt is lost is damaged, not unknown
STORED = """c.reply, p.body, CAST(x.body AS BLOB) FROM calls c LEFT JOIN prompts p ON p.id = c.prompt
            LEFT JOIN prefixes x ON x.id = p.prefix"""
"""Columns and tables of what `stored_reply` reads."""


class Spoilt(NamedTuple):
    """A call whose reply is not what was written."""

    path: Path
    row: int
    key: bytes


def stored_reply(key: bytes, packed: object, body: object, prefix: bytes | None) -> Reply:
    """Return a stored reply. Raises Unreadable where it, or the prompt it was deflated with, is not what was written."""
    if not isinstance(packed, bytes) or not isinstance(body, bytes) or prefix is None:
        raise Unreadable("its prompt is lost, or not what was written")
    return unpack_reply(key, packed, unpack_body(prefix, body) if prefix.startswith(b'["messages"') else b"")


def spoilt(path: Path, db: sqlite3.Connection) -> Iterator[Spoilt]:
    """Yield every call of a shard whose reply is not what was written. Raises DataError where the file cannot be read."""
    with explained(path, "the ledger"):
        for row, key, *rest in db.execute(f"SELECT c.id, c.key, {STORED} ORDER BY c.id"):
            try:
                stored_reply(key, *rest)
            except Unreadable:
                yield Spoilt(path, row, key)


def forget_models(path: Path, fingerprints: Collection[str]) -> int:
    """Drop every call of these models from a shard and give the space back; returns how many. Raises RunBusy."""
    n = 0
    with _alone(path), explained(path, "the ledger"), closing(open_shard(path)) as db:
        with transaction(db):
            for name in fingerprints:
                n += db.execute(
                    "DELETE FROM calls WHERE model=(SELECT id FROM models WHERE fingerprint=?)", (name,)
                ).rowcount
                db.execute("DELETE FROM models WHERE fingerprint=?", (name,))
            db.execute("DELETE FROM prompts WHERE id NOT IN (SELECT prompt FROM calls)")
            db.execute("DELETE FROM prefixes WHERE id NOT IN (SELECT prefix FROM prompts)")
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return n


def _alone(path: Path) -> IO[str]:
    lock = path.with_suffix(".lock")
    if (held := take(lock)) is None:
        raise RunBusy(f"the ledger `{path}` is being written by {holder_of(lock)}; try when it is done")
    return held
