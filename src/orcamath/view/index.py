"""The viewer's index: one SQLite file in the run folder, made from the sealed tables and the ledger, safe to delete.

Sealed tables never change, so each is read once, by the run's first viewer; what is sealed later is added. How far a table or
a model's calls were read is written with the rows themselves, so that a viewer goes on where one was broken off. A row here is
small: ids, a line to show, numbers for the filters, and where the whole record lies. Search is FTS5 without a copy of the text.
"""

import fcntl
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from orcamath.errors import DataError
from orcamath.report.arms import Made, key_of
from orcamath.store.sqlite_errors import FAILED
from orcamath.store.stage import StageLabel
from orcamath.view.calls import RememberedCalls, key_at, models_of, new_calls
from orcamath.view.index_schema import INDEX_VERSION, JOINED, READ, SCHEMA, current, number_of_word
from orcamath.view.joining import join_verdicts
from orcamath.view.kinds import FACETS, RECORD_KINDS, IndexEntry, RecordKind, number
from orcamath.view.sorting import sort_mistakes
from orcamath.visible import sendable, visible

__all__ = ["Index", "Indexed"]

log = logging.getLogger(__name__)
HEAD_CHARS = 240
BATCH = 500
"""Rows read and written at once."""
_PASSING = [
    getattr(sqlite3, f"SQLITE_{name}") for name in "BUSY LOCKED FULL IOERR READONLY PERM CANTOPEN NOMEM".split()
]
"""What SQLite says of others, of the disk and of rights: no damage."""


class Indexed(NamedTuple):
    """How far the index is."""

    rows: int
    parts: int
    parts_left: int


class _Part(NamedTuple):
    id: int
    upto: int
    """The rows of it that are in the index, or the number of the last call that was looked at."""
    whole: int


_Rows = Iterable[tuple[int, int, IndexEntry]]
"""Part, place in it, and what is listed."""


class Index:
    """Opens (or makes) the index of a run. One process writes it, by lock; any number read, and write when that one has ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_name(path.name + ".lock").open("w")
        self.writes = False
        self._ending, self._working = threading.Event(), threading.Lock()
        self._words: dict[str, int] = {}
        self._unreadable: set[str] = set()
        self._left = 0
        self._anew = False
        """Whether the next update begins it again: it is damaged, or says what is no longer so."""
        self._take()

    def _take(self) -> None:
        """Become the one that writes, unless another viewer of this run keeps the index up to date."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        self.writes = True
        if not current(self.path):
            self._begin()

    def reader(self) -> sqlite3.Connection:
        """Open a connection that cannot write."""
        db = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=30, check_same_thread=False)
        db.execute("PRAGMA cache_size=-32000")
        return db

    def indexed(self) -> Indexed:
        """Tell how far it is."""
        with self.sound(), closing(self.reader()) as db:
            rows = db.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0]
            parts = db.execute("SELECT count(*) FROM parts WHERE whole").fetchone()[0]
        return Indexed(rows, parts, self._left)

    @contextmanager
    def sound(self) -> Iterator[None]:
        """Raise DataError in place of what SQLite says of an index that is damaged or gone; the next update makes it anew."""
        try:
            yield
        except (*FAILED, FileNotFoundError) as e:
            if isinstance(e, sqlite3.Error) and (getattr(e, "sqlite_errorcode", None) or 0) & 0xFF in _PASSING:
                raise DataError(f"the viewer's index `{self.path}` cannot be used now: {e}. Load the page again") from e
            self._anew = True
            raise DataError(
                f"the viewer's index `{self.path}` is damaged ({e}). It is made anew: load the page again in a moment. It can "
                f"be deleted at any time"
            ) from e

    def update(self, made: Sequence[Made], calls: RememberedCalls) -> None:
        """Add what is not there yet: sealed tables first, the newest model calls last. Nothing where another process writes."""
        with self._working:
            if self._ending.is_set():
                return
            if not self.writes:
                self._take()
            if not self.writes:
                return
            if self._anew:
                self._begin()
            with self.sound():
                self._add_new(made, calls)

    def _add_new(self, made: Sequence[Made], calls: RememberedCalls) -> None:
        self._words.clear()  # those of a transaction that failed are not there
        wanted = {f"{m.artifact.path.name}/{kind.name}": (m, kind) for m, kind in _tables(made)}
        db = self._open()
        try:
            have = {source for (source,) in db.execute("SELECT source FROM parts WHERE kind <> 'calls'")}
            if have - set(wanted):  # a changed recipe points elsewhere now
                db.close()
                self._begin()
                db = self._open()
            parts = {s: self._part(db, s, kind.name, m, _place(m, kind)) for s, (m, kind) in wanted.items()}
            new = [s for s, part in parts.items() if not part.whole and s not in self._unreadable]
            for done, source in enumerate(new):
                self._left = len(new) - done
                try:
                    self._add_table(db, parts[source], *wanted[source])
                except (OSError, pa.ArrowInvalid) as e:
                    log.warning(
                        "`%s` cannot be read (%s): its records are not listed; `orcamath fsck` mends it", source, e
                    )
                    self._unreadable.add(source)
                if self._ending.is_set():
                    return
            self._left = 0
            if new or any(part.whole == READ for part in parts.values()):
                join_verdicts(db)
                sort_mistakes(db, made)
                db.execute("UPDATE parts SET whole=? WHERE whole=? AND kind <> 'calls'", (JOINED, READ))
            self._add_calls(db, calls)
        finally:
            db.close()

    def close(self) -> None:
        """End at the next batch, and let another process write."""
        self._ending.set()
        with self._working:
            self._lock.close()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")  # it can always be made again
        db.execute("PRAGMA cache_size=-64000")
        return db

    def _begin(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self._words.clear()
        self._anew = False
        db = self._open()
        db.executescript(SCHEMA)
        db.execute(f"PRAGMA user_version={INDEX_VERSION}")
        db.close()

    def _add_table(self, db: sqlite3.Connection, part: _Part, made: Made, kind: RecordKind) -> None:
        stage = {"stage": key_of(made.arm, made.label)}
        if (of_round := StageLabel.read(made.label).round) is not None:
            stage["round"] = str(of_round)
        row = 0
        for batch in pq.ParquetFile(_place(made, kind)).iter_batches(BATCH, columns=list(kind.columns)):
            if self._ending.is_set():
                return
            first, row = max(row, part.upto), row + batch.num_rows
            if first < row:  # else an earlier viewer read it, and was broken off behind it
                entries = [kind.entry(values) for values in batch.slice(batch.num_rows - (row - first)).to_pylist()]
                listed = ((part.id, first + i, entry) for i, entry in enumerate(entries))
                self._add(db, kind.name, listed, stage, {part.id: (row, "")}, once=kind.once)
        db.execute("UPDATE parts SET whole=? WHERE id=?", (READ, part.id))

    def _add_calls(self, db: sqlite3.Connection, calls: RememberedCalls) -> None:
        """Add the run's calls; how far they were read is known of each model, since a stage may name one whose calls are old."""
        if _are_renumbered(db, calls):
            self._anew = True
            return
        for shard in calls.shards():
            models, last = models_of(calls, shard)
            last_key = key_at(shard, last)
            waiting: dict[int, dict[str, int]] = {}
            for model in models:
                part = self._part(db, f"{shard.name}/{model}", "calls", None, shard.absolute())
                if part.upto < last:
                    waiting.setdefault(part.upto, {})[model] = part.id
            for upto, parts in waiting.items():
                for group in new_calls(shard, parts, last, upto):
                    if self._ending.is_set():
                        return
                    listed = ((parts[model], n, entry) for n, model, entry in group)
                    read = group[-1][0], group[-1][2].name
                    self._add(db, "calls", listed, {}, dict.fromkeys(parts.values(), read), once=False)
                ended = [(last, last_key, READ, part) for part in parts.values()]
                db.executemany("UPDATE parts SET upto=?, upto_key=?, whole=? WHERE id=?", ended)

    def _part(self, db: sqlite3.Connection, source: str, kind: str, made: Made | None, path: Path) -> _Part:
        """Return a part, begun where it is new, that lies at `path` now, wherever it lay before."""
        query = "SELECT id, upto, whole, path FROM parts WHERE source=?"
        found = db.execute(query, (source,)).fetchone()
        if found is None:
            of = ("", "") if made is None else (made.arm, key_of(made.arm, made.label))
            db.execute(
                "INSERT INTO parts(source, kind, arm, stage, path) VALUES (?,?,?,?,?)", (source, kind, *of, str(path))
            )
            found = db.execute(query, (source,)).fetchone()
        elif found[3] != str(path):
            db.execute("UPDATE parts SET path=? WHERE id=?", (str(path), found[0]))
        return _Part(found[0], found[1] if isinstance(found[1], int) else 0, found[2])

    def _add(
        self,
        db: sqlite3.Connection,
        kind: str,
        rows: _Rows,
        more: dict[str, str],
        upto: Mapping[int, tuple[int, str]],
        *,
        once: bool,
    ) -> None:
        """Write some rows, and how far their parts are with them (of calls with the key of the last), in one transaction; of a
        record that an earlier stage holds only that it is here too."""
        db.execute("BEGIN IMMEDIATE")
        for part, row, entry in rows:
            known = _known(db, kind, entry.name) if once else None
            if known is None:
                known = self._insert(db, kind, part, row, entry, more)
            db.execute("INSERT OR IGNORE INTO held VALUES (?,?)", (known, part))
        ended = [(*read, part) for part, read in upto.items()]
        db.executemany("UPDATE parts SET upto=?, upto_key=? WHERE id=?", ended)
        db.execute("COMMIT")

    def _insert(
        self, db: sqlite3.Connection, kind: str, part: int, row: int, entry: IndexEntry, more: dict[str, str]
    ) -> int:
        facets = {**more, **entry.facets}
        values = [self._word(db, facets[f]) if f in facets else None for f in FACETS]
        marks = ",".join("?" * (5 + len(FACETS)))
        made = db.execute(
            f"INSERT INTO records VALUES ({marks})",
            (None, number(kind), part, row, len(entry.text), *values),
        ).lastrowid
        assert made is not None
        head = visible(" ".join(entry.head[: 2 * HEAD_CHARS].split()))[:HEAD_CHARS]
        db.execute("INSERT INTO shown VALUES (?,?,?,?)", (made, visible(entry.name), visible(entry.problem), head))
        db.execute(f"INSERT INTO text_{kind}(rowid, body) VALUES (?,?)", (made, _searchable(entry.text)))
        db.executemany("INSERT OR IGNORE INTO kin VALUES (?,?)", ((p, entry.name) for p in entry.parents))
        return made

    def _word(self, db: sqlite3.Connection, text: str) -> int:
        """Number a filter's value; there are few of them."""
        text = visible(text)[:HEAD_CHARS]
        if text not in self._words:
            self._words[text] = number_of_word(db, text)
        return self._words[text]


def _tables(made: Iterable[Made]) -> Iterator[tuple[Made, RecordKind]]:
    for m in made:
        for kind in RECORD_KINDS.values():
            if m.artifact.has(kind.table):
                yield m, kind


def _are_renumbered(db: sqlite3.Connection, calls: RememberedCalls) -> bool:
    """Tell whether the last call that was read of a shard is no longer there: only then may a number below it be given again."""
    query = "SELECT DISTINCT upto, upto_key FROM parts WHERE kind='calls' AND source GLOB ?"
    read = [(shard, row) for shard in calls.shards() for row in db.execute(query, (f"{shard.name}/*",))]
    return any(key_at(shard, number) != key for shard, (number, key) in read)


def _place(made: Made, kind: RecordKind) -> Path:
    return made.artifact.path.absolute() / f"{kind.table}.parquet"


def _known(db: sqlite3.Connection, kind: str, name: str) -> int | None:
    query = "SELECT s.id FROM shown s CROSS JOIN records r ON r.id = s.id WHERE s.name=? AND r.kind=?"
    found = db.execute(query, (visible(name), number(kind))).fetchone()
    return None if found is None else int(found[0])


def _searchable(text: str) -> str:
    return sendable(text.replace("\0", " "))
