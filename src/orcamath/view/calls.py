"""The ledger as the viewer reads it: never written, never migrated, whole calls on demand.

In: the store's ledger and the fingerprints that a run's stages were made with. Out: entries for the index, and one whole call
with its prompt as text, also where a student was asked by token ids.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from orcamath.errors import DataError
from orcamath.ports import Reply, Request
from orcamath.store.ledger_format import LEDGER_VERSION, Unreadable, join, unpack_body, unpack_reply
from orcamath.store.sqlite_errors import FAILED
from orcamath.view.kinds import IndexEntry

__all__ = ["RememberedCall", "RememberedCalls", "key_at", "latest_calls", "models_of", "new_calls", "one_call"]

GROUP = 500
_SELECT = """SELECT c.id, m.fingerprint, c.key, c.draw, p.body, x.body, c.reply FROM calls c JOIN models m ON m.id = c.model
             JOIN prompts p ON p.id = c.prompt JOIN prefixes x ON x.id = p.prefix"""


class RememberedCalls(NamedTuple):
    """Which calls belong to a run: those of the models that its stages name."""

    folder: Path
    models: frozenset[str]
    """Names that the run's stages give as their inputs; a ledger's model is the run's where one of them holds its name."""

    def shards(self) -> list[Path]:
        """Return the files that can be read; those of another version are left out."""
        return [path for path in sorted(self.folder.glob("shard-*.sqlite")) if _version(path) == LEDGER_VERSION]

    def of_run(self, fingerprint: object) -> bool:
        """Tell whether a model is the run's; what a damaged ledger has in its name's place is none."""
        return isinstance(fingerprint, str) and any(fingerprint in name for name in self.models)


class RememberedCall(NamedTuple):
    """One remembered call."""

    number: int
    model: str
    request: Request
    reply: Reply


@contextmanager
def _reading(shard: Path) -> Iterator[sqlite3.Connection]:
    """Lend a connection that cannot write. Raises DataError in place of what SQLite says."""
    try:
        with closing(sqlite3.connect(f"{shard.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            yield db
    except FAILED as e:
        raise DataError(f"`{shard}` cannot be read ({e}); `orcamath fsck` says what to do") from e


def _version(shard: Path) -> int:
    try:
        with _reading(shard) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    except DataError:
        return -1


_Row = tuple[Any, ...]
"""Number, model, key, draw, body, prefix, reply: a damaged file has anything in a column."""


def _call(row: _Row) -> RememberedCall:
    """Put one call together; of one that is damaged only that is told, for `orcamath fsck` to mend."""
    number, model, key, draw, packed, text, reply = row
    try:
        body = unpack_body(text.encode(), packed)
        request = join(text, body, draw)
        return RememberedCall(
            number, model, request, unpack_reply(key, reply, b"" if request.token_ids is not None else body)
        )
    except (Unreadable, AttributeError, TypeError, ValueError) as e:
        called = key if isinstance(key, bytes) else b""
        return RememberedCall(number, str(model), Request(), Reply(called, f"(this call is damaged: {e})"))


def models_of(calls: RememberedCalls, shard: Path) -> tuple[list[str], int]:
    """Return the run's models of which a shard has calls, and the number of its last call, whosever that is."""
    with _reading(shard) as db:
        (last,) = db.execute("SELECT coalesce(max(id), 0) FROM calls").fetchone()
        names = [name for (name,) in db.execute("SELECT fingerprint FROM models ORDER BY id")]
    return [name for name in names if calls.of_run(name)], last


def new_calls(
    shard: Path, models: Collection[str], upto: int, after: int = 0
) -> Iterator[list[tuple[int, str, IndexEntry]]]:
    """Yield these models' calls of one shard up to a number, and after another, in groups."""
    with _reading(shard) as db:
        numbers = [i for i, name in db.execute("SELECT id, fingerprint FROM models") if name in models]
        wanted = ",".join(str(int(i)) for i in numbers)
        query = f"{_SELECT} WHERE c.id > ? AND c.id <= ? AND c.model IN ({wanted}) ORDER BY c.id LIMIT {GROUP}"
        while rows := db.execute(query, (after, upto)).fetchall():
            yield [(row[0], row[1], _entry(_call(row))) for row in rows]
            after = rows[-1][0]


def key_at(shard: Path, number: int) -> str:
    """Return the key of the call that has a number, empty where none has: a number is given again once its call is dropped."""
    with _reading(shard) as db:
        row = db.execute("SELECT key FROM calls WHERE id = ?", (number,)).fetchone()
    return row[0].hex() if row is not None and isinstance(row[0], bytes) else ""


def latest_calls(calls: RememberedCalls, n: int) -> list[RememberedCall]:
    """Return the `n` newest calls, the newest first, of whatever model: a run's first stage names none yet.

    Calls bear no time: those of the shard that was written last come before those of any other.
    """
    found = list[RememberedCall]()
    for shard in sorted(calls.shards(), key=_written_at, reverse=True):
        with _reading(shard) as db:
            query = f"{_SELECT} ORDER BY c.id DESC LIMIT ?"
            found += [_call(row) for row in db.execute(query, (n - len(found),))]
    return found


def _written_at(shard: Path) -> int:
    """Return when a shard was written last; its log is empty where it was only opened, and goes when its writer ends."""
    times = [0]
    for file in (shard, shard.with_name(f"{shard.name}-wal")):
        with suppress(FileNotFoundError):
            if (found := file.stat()).st_size:
                times.append(found.st_mtime_ns)
    return max(times)


def one_call(shard: Path, number: int) -> RememberedCall | None:
    """Return one call whole; None where it is gone."""
    with _reading(shard) as db:
        row = db.execute(f"{_SELECT} WHERE c.id = ?", (number,)).fetchone()
    return None if row is None else _call(row)


def _entry(call: RememberedCall) -> IndexEntry:
    said = call.reply.text
    asked = call.request.messages[-1].content if call.request.messages else ""
    facets = {"model": call.model, "finish": call.reply.finish_reason}
    return IndexEntry(call.reply.key.hex(), "", said or "(an empty reply)", f"{asked}\n{said}", facets)
