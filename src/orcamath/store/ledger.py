"""Every model call is remembered once, in SQLite, by the 16-byte key of what was asked and of whom.

`Ledger` keeps replies; `Remembered` puts it in front of a model: `fill` asks only what is not known yet, in any order;
`reply` reads back one call. A stage fills first and then folds in its own input order, so what it writes does not depend on
how the replies came in. Only well-formed completions are kept; a failure of the wire never is.

Files: `ledger/shard-N.sqlite`, one writer a shard (by lock), any number of readers. Commits are grouped: at most
`COMMIT_S` seconds or `COMMIT_N` replies are lost in a crash.
"""

import fcntl
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import orjson

from orcamath.errors import DiskFull, RunBusy, SchemaTooNew
from orcamath.ports import Chat, Progress, Reply, Request, Usage

__all__ = ["COMMIT_N", "COMMIT_S", "LEDGER_VERSION", "Ledger", "Remembered"]

LEDGER_VERSION = 1
COMMIT_S = 0.025
COMMIT_N = 64
MAX_SHARDS = 64

_SCHEMA = """
CREATE TABLE models (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE);
CREATE TABLE calls (key BLOB PRIMARY KEY, model INTEGER NOT NULL, draw INTEGER NOT NULL, prompt BLOB NOT NULL,
                    reply BLOB NOT NULL) WITHOUT ROWID;
"""


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > LEDGER_VERSION:
        raise SchemaTooNew(f"the ledger `{path}` is version {version}, this software knows {LEDGER_VERSION}: upgrade")
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={LEDGER_VERSION}; COMMIT;")
    return db


def _pack(reply: Reply) -> bytes:
    body = [
        reply.text, reply.finish_reason, reply.usage.prompt_tokens, reply.usage.completion_tokens,
        reply.token_ids, reply.reasoning,
    ]  # fmt: skip
    return zlib.compress(orjson.dumps(body), 6)


def _unpack(key: bytes, packed: bytes) -> Reply:
    text, finish, n_in, n_out, ids, reasoning = orjson.loads(zlib.decompress(packed))
    return Reply(key, text, finish, Usage(n_in, n_out), None if ids is None else tuple(ids), None, reasoning)


class Ledger:
    """All shards for reading, one of its own for writing (taken when the first reply is put)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._readers: dict[Path, sqlite3.Connection] = {}
        self._writer: sqlite3.Connection | None = None
        self._lock: IO[str] | None = None
        self._pending = 0
        self._since = 0.0
        self._models: dict[str, int] = {}

    def get(self, key: bytes) -> Reply | None:
        """Return what is remembered under a key, or None."""
        for db in self._shards():
            if row := db.execute("SELECT reply FROM calls WHERE key=?", (key,)).fetchone():
                return _unpack(key, row[0])
        return None

    def has(self, key: bytes) -> bool:
        """Tell whether a key is remembered."""
        return any(db.execute("SELECT 1 FROM calls WHERE key=?", (key,)).fetchone() for db in self._shards())

    def put(self, request: Request, fingerprint: str, reply: Reply) -> None:
        """Remember one reply; durable after at most COMMIT_S seconds or COMMIT_N replies. Raises DiskFull."""
        assert reply.error is None, "a failure of the wire is never remembered"
        db = self._own()
        try:
            if not self._pending:
                db.execute("BEGIN IMMEDIATE")
                self._since = time.monotonic()
            db.execute(
                "INSERT OR IGNORE INTO calls VALUES (?,?,?,?,?)",
                (reply.key, self._model(db, fingerprint), request.draw, zlib.compress(request.content()), _pack(reply)),
            )
            self._pending += 1
            if self._pending >= COMMIT_N or time.monotonic() - self._since > COMMIT_S:
                self.commit()
        except sqlite3.OperationalError as e:
            raise self._full(e) from e

    def commit(self) -> None:
        """Make everything put so far durable."""
        if self._pending and self._writer is not None:
            try:
                self._writer.execute("COMMIT")
            except sqlite3.OperationalError as e:
                raise self._full(e) from e
            self._pending = 0

    def close(self) -> None:
        """Commit and let go of all files."""
        self.commit()
        for db in {*self._readers.values()} | ({self._writer} if self._writer else set()):
            db.close()
        self._readers, self._writer = {}, None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _full(self, e: sqlite3.OperationalError) -> DiskFull:
        return DiskFull(
            f"the ledger in `{self.folder}` cannot be written ({e}). Nothing more was sent; make room and run again"
        )

    def _shards(self) -> Iterable[sqlite3.Connection]:
        for path in sorted(self.folder.glob("shard-*.sqlite")):
            if path not in self._readers:
                self._readers[path] = _open(path)
        return self._readers.values()

    def _own(self) -> sqlite3.Connection:
        if self._writer is not None:
            return self._writer
        for i in range(MAX_SHARDS):
            lock = (self.folder / f"shard-{i}.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            path = self.folder / f"shard-{i}.sqlite"
            self._lock, self._writer = lock, _open(path)
            self._readers[path] = self._writer  # it sees its own uncommitted replies
            return self._writer
        raise RunBusy(f"all {MAX_SHARDS} shards of the ledger `{self.folder}` are being written; end a run first")

    def _model(self, db: sqlite3.Connection, fingerprint: str) -> int:
        if fingerprint not in self._models:
            db.execute("INSERT OR IGNORE INTO models(fingerprint) VALUES (?)", (fingerprint,))
            row = db.execute("SELECT id FROM models WHERE fingerprint=?", (fingerprint,)).fetchone()
            self._models[fingerprint] = row[0]
        return self._models[fingerprint]


class Remembered:
    """A model with the ledger in front of it. What every stage holds instead of a bare model."""

    def __init__(self, chat: Chat, ledger: Ledger) -> None:
        self.chat = chat
        self.ledger = ledger

    @property
    def fingerprint(self) -> str:
        """The model's."""
        return self.chat.fingerprint

    def fill(self, requests: Iterable[Request], progress: Progress | None = None) -> list[str]:
        """Bring every request into the ledger; returns the errors of those that failed on the wire.

        Known calls are not sent, equal ones in flight are sent once. A model with fixed chunks gets a chunk whole or
        not at all, so that its numbers do not depend on what an earlier run already had.
        """
        asked: dict[bytes, Request] = {}
        failures: list[str] = []

        def missing() -> Iterator[Request]:
            for chunk in _chunks(requests, self.chat.chunk or 1):
                keys = [r.key(self.fingerprint) for r in chunk]
                known = [k in asked or self.ledger.has(k) for k in keys]
                if all(known):
                    if progress:
                        progress.advance(len(chunk))
                    continue
                whole = self.chat.chunk is not None
                for request, key, have in zip(chunk, keys, known, strict=True):
                    if have and not whole:
                        continue
                    asked[key] = request
                    yield request

        replies = self.chat(missing())
        try:
            for reply in replies:
                request = asked[reply.key]
                if reply.error is not None:
                    failures.append(reply.error)
                    asked.pop(reply.key)
                else:
                    self.ledger.put(request, self.fingerprint, reply)
                if progress:
                    progress.advance()
        finally:
            close = getattr(replies, "close", None)
            if close is not None:
                close()
            self.ledger.commit()
        return failures

    def reply(self, request: Request) -> Reply | None:
        """Return the remembered reply to a request; None where it never came through."""
        return self.ledger.get(request.key(self.fingerprint))


def _chunks(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    source = iter(requests)
    while chunk := list(islice(source, size)):
        yield chunk
