"""Every model call is remembered once, in SQLite, by the 16-byte key of what was asked and of whom.

`Ledger` keeps replies; `Remembered` puts it in front of a model: `fill` asks only what is not known yet, in any order;
`reply` reads back one call. A stage fills first and then folds in its own input order, so what it writes does not depend on
how the replies came in. Only well-formed completions are kept; a failure of the wire never is.

Files: `ledger/shard-N.sqlite`, one writer a shard (by lock), any number of readers. Commits are grouped: a crash loses at
most the last `COMMIT_S` seconds or `COMMIT_N` replies. When room runs short, sending stops before writing fails.
"""

import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, NamedTuple

from orcamath.errors import DiskFull, OrcamathError, RepliesDamaged, RunBusy
from orcamath.ports import Reply, Request
from orcamath.store.ledger_care import STORED, Spoilt, forget_models, spoilt, stored_reply
from orcamath.store.ledger_format import (
    LEDGER_VERSION,
    Parts,
    Unreadable,
    join,
    open_shard,
    pack_body,
    pack_reply,
    prefix_id,
    split_prompt,
    unpack_body,
)
from orcamath.store.locks import take
from orcamath.store.remembered import Remembered
from orcamath.store.room import room_bytes
from orcamath.store.sqlite_errors import FAILED, explained, of_sqlite

__all__ = ["COMMIT_N", "COMMIT_S", "LEDGER_VERSION", "MAX_SHARDS", "Entry", "Ledger", "Remembered"]

COMMIT_S = 0.025
COMMIT_N = 64
MAX_SHARDS = 64
RECENT_PROMPTS = 16_384
LOOK_EVERY_S = 1.0
"""How often the folder is searched for shards that other processes began."""

_GET = f"SELECT {STORED} WHERE c.key = ?"


class Entry(NamedTuple):
    """One remembered call, whole."""

    fingerprint: str
    request: Request
    reply: Reply


class Ledger:
    """All shards for reading, one of its own for writing (taken when the first reply is put).

    `headroom_bytes`: `roomy` is False once less than this can be written.
    """

    def __init__(self, folder: Path, *, headroom_bytes: int = 32_000_000) -> None:
        self.folder = folder
        self.headroom_bytes = headroom_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._readers: dict[Path, sqlite3.Connection] = {}
        self._looked = -LOOK_EVERY_S
        self._writer: sqlite3.Connection | None = None
        self._path = folder / "shard-0.sqlite"
        self._lock: IO[str] | None = None
        self._guard = threading.RLock()
        self._pending = 0
        self._since = 0.0
        self._held = 0
        self._late: threading.Thread | None = None
        self._begun = threading.Event()
        self._failed: OrcamathError | None = None
        self._models: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        self._prompts: OrderedDict[bytes, int] = OrderedDict()

    def get(self, key: bytes) -> Reply | None:
        """Return what is remembered under a key, or None.

        Raises RepliesDamaged where it is not what was written: every such reply is forgotten then, to be asked again.
        """
        with self._guard:
            for path, db in self._shards().items():
                try:
                    if row := db.execute(_GET, (key,)).fetchone():
                        return stored_reply(key, *row)
                except FAILED as e:
                    raise of_sqlite(path, "the ledger", e) from e
                except Unreadable:
                    n = self.forget_damaged()
                    raise RepliesDamaged(
                        f"{n} remembered replies in `{self.folder}` are not what was written: they are forgotten, and those "
                        f"that are needed are asked again"
                    ) from None
        return None

    def has(self, key: bytes) -> bool:
        """Tell whether a key is remembered."""
        with self._guard:
            for path, db in self._shards().items():
                try:
                    if db.execute("SELECT 1 FROM calls WHERE key=?", (key,)).fetchone():
                        return True
                except FAILED as e:
                    raise of_sqlite(path, "the ledger", e) from e
        return False

    def damaged(self) -> Iterator[Spoilt]:
        """Yield every reply that is not what was written."""
        with self._guard:
            shards = dict(self._shards())
        for path, db in shards.items():
            yield from spoilt(path, db)

    def forget_damaged(self) -> int:
        """Drop every reply that is not what was written; returns how many. Raises DiskFull where they cannot be dropped."""
        n = 0
        for found in list(self.damaged()):
            with self._guard, explained(found.path, "the ledger"):
                n += self._shards()[found.path].execute("DELETE FROM calls WHERE id=?", (found.row,)).rowcount
        return n

    def put(self, request: Request, fingerprint: str, reply: Reply) -> None:
        """Remember one reply; durable after at most COMMIT_S seconds or COMMIT_N replies.

        Raises DiskFull where it cannot be written, DataError where the file is damaged.
        """
        assert reply.error is None, "a failure of the wire is never remembered"
        parts = split_prompt(request)
        packed = pack_reply(reply, parts)
        with self._guard:
            db = self._own()
            try:
                if not db.in_transaction:
                    db.execute("BEGIN IMMEDIATE")
                    self._pending, self._since = 0, time.monotonic()
                    self._begun.set()
                self._pending += 1
                model = self._model(db, fingerprint)
                draw = 0 if request.sampling.temperature == 0 else request.draw
                db.execute(
                    "INSERT OR IGNORE INTO calls(key, model, prompt, draw, reply) VALUES (?,?,?,?,?)",
                    (reply.key, model, self._prompt(db, parts), draw, packed),
                )
                if not self._held and (self._pending >= COMMIT_N or time.monotonic() - self._since > COMMIT_S):
                    self.commit()
            except FAILED as e:
                raise self._broken(e) from e

    def commit(self) -> None:
        """Make everything put so far durable. Raises as `put`."""
        with self._guard:
            if self._failed is not None:
                raise self._failed
            if self._writer is not None and self._writer.in_transaction:
                try:
                    self._writer.execute("COMMIT")
                except FAILED as e:
                    raise self._broken(e) from e

    def put_together(self, fingerprint: str, replies: Iterable[tuple[Request, Reply]]) -> None:
        """Remember replies, durable at once: all or none. Raises as `put`."""
        with self._guard:
            self.commit()
            self._held += 1
            try:
                for request, reply in replies:
                    self.put(request, fingerprint, reply)
            except BaseException:
                self._forget_uncommitted()
                raise
            finally:
                self._held -= 1
            self.commit()

    def _forget_uncommitted(self) -> None:
        if self._writer is not None and self._writer.in_transaction:
            with suppress(*FAILED):  # the first failure is the one that is told
                self._writer.execute("ROLLBACK")
        self._clear_caches()

    def roomy(self) -> bool:
        """Tell whether there is still room to remember what is being paid for."""
        with self._guard:
            return room_bytes(self._path, self._writer) >= self.headroom_bytes

    def full(self) -> DiskFull:
        """Return the error that says there is no room."""
        return DiskFull(
            f"the ledger in `{self.folder}` has less than {self.headroom_bytes // 1_000_000} MB left to grow. Nothing more "
            "is sent, and every reply that came is kept: make room and run again"
        )

    def counts(self) -> dict[str, int]:
        """Return how many calls of every model are remembered."""
        found: dict[str, int] = {}
        with self._guard:
            query = "SELECT fingerprint, count(*) FROM calls JOIN models m ON m.id = model GROUP BY model"
            for path, db in self._shards().items():
                with explained(path, "the ledger"):
                    for fingerprint, n in db.execute(query):
                        if isinstance(fingerprint, str):  # a damaged file may have anything there
                            found[fingerprint] = found.get(fingerprint, 0) + n
        return found

    def entries(self, fingerprint: str | None = None) -> Iterator[Entry]:
        """Yield every remembered call, of one model or of all, oldest first within a shard."""
        query = """SELECT m.fingerprint, c.key, c.draw, p.body, x.body, c.reply FROM calls c JOIN models m ON m.id = c.model
                   JOIN prompts p ON p.id = c.prompt JOIN prefixes x ON x.id = p.prefix ORDER BY c.id"""
        with self._guard:
            shards = dict(self._shards())
        for path, db in shards.items():
            with explained(path, "the ledger"):
                for name, key, draw, packed, prefix, reply in db.execute(query):
                    if fingerprint in (None, name):
                        request = join(prefix, unpack_body(prefix.encode(), packed), draw)
                        yield Entry(name, request, stored_reply(key, reply, packed, prefix.encode()))

    def forget(self, fingerprints: Collection[str]) -> int:
        """Drop every call of these models and give the space back; returns how many. Raises RunBusy while anyone writes."""
        self.close()
        return sum(forget_models(path, fingerprints) for path in sorted(self.folder.glob("shard-*.sqlite")))

    def close(self) -> None:
        """Commit and let go of all files."""
        with self._guard:
            try:
                if self._failed is None:
                    self.commit()
                elif self._writer is not None and self._writer.in_transaction:
                    with suppress(*FAILED):  # what fits is kept
                        self._writer.execute("COMMIT")
            finally:
                late, self._late = self._late, None
                for db in {*self._readers.values()} | ({self._writer} if self._writer else set()):
                    db.close()
                self._readers, self._writer, self._failed = {}, None, None
                self._looked = -LOOK_EVERY_S
                self._clear_caches()
                if self._lock is not None:
                    self._lock.close()
                    self._lock = None
        if late is not None:
            self._begun.set()
            late.join()

    def _commit_late(self) -> None:
        """Commit what nobody else commits in time: the last replies before a long wait."""
        while self._late is threading.current_thread():
            self._begun.wait()
            self._begun.clear()
            time.sleep(COMMIT_S)
            with self._guard:
                if self._late is threading.current_thread() and not self._held:
                    with suppress(OrcamathError):  # the next put says so
                        self.commit()

    def _broken(self, e: sqlite3.Error | UnicodeDecodeError) -> OrcamathError:
        self._failed = of_sqlite(self._path, "the ledger", e)
        return self._failed

    def _clear_caches(self) -> None:
        for cache in (self._models, self._prefixes, self._prompts):
            cache.clear()

    def _shards(self) -> dict[Path, sqlite3.Connection]:
        if time.monotonic() - self._looked > LOOK_EVERY_S:
            self._looked = time.monotonic()
            for path in sorted(self.folder.glob("shard-*.sqlite")):
                if path not in self._readers:
                    self._readers[path] = open_shard(path)
        return self._readers

    def _own(self) -> sqlite3.Connection:
        if self._failed is not None:
            raise self._failed
        if self._writer is not None:
            return self._writer
        for i in range(MAX_SHARDS):
            if (lock := take(self.folder / f"shard-{i}.lock")) is None:
                continue
            path = self.folder / f"shard-{i}.sqlite"
            self._path, self._lock = path, lock
            self._writer = self._readers[path] = self._readers.get(path) or open_shard(path)
            self._late = threading.Thread(target=self._commit_late, daemon=True, name="ledger commits")
            self._late.start()
            return self._writer  # as a reader, too: it sees its own uncommitted replies
        raise RunBusy(f"all {MAX_SHARDS} shards of the ledger `{self.folder}` are being written; end a run first")

    def _model(self, db: sqlite3.Connection, fingerprint: str) -> int:
        if fingerprint not in self._models:
            db.execute("INSERT OR IGNORE INTO models(fingerprint) VALUES (?)", (fingerprint,))
            row = db.execute("SELECT id FROM models WHERE fingerprint=?", (fingerprint,)).fetchone()
            self._models[fingerprint] = row[0]
        return self._models[fingerprint]

    def _prompt(self, db: sqlite3.Connection, parts: Parts) -> int:
        """Return the id of a prompt: that of a recent equal one, or a new one."""
        name = blake2b(parts.body, key=blake2b(parts.prefix.encode(), digest_size=16).digest(), digest_size=16).digest()
        if (known := self._prompts.get(name)) is not None:
            return known
        if parts.prefix not in self._prefixes:
            self._prefixes[parts.prefix] = prefix_id(db, parts.prefix)
        values = (self._prefixes[parts.prefix], pack_body(parts))
        row = db.execute("INSERT INTO prompts(prefix, body) VALUES (?,?)", values).lastrowid
        assert row is not None
        self._prompts[name] = row
        if len(self._prompts) > RECENT_PROMPTS:
            self._prompts.popitem(last=False)
        return row
