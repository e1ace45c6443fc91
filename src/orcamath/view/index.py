"""The viewer's index: one SQLite file in the run folder, made from the sealed tables and the ledger, safe to delete.

Sealed tables never change, so each is read once, by the run's first viewer; what is sealed later is added. A row here is small:
ids, a line to show, numbers for the filters, and where the whole record lies. Search is FTS5 without a copy of the text.
"""

import fcntl
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from orcamath.errors import DataError
from orcamath.report.arms import Made, key_of
from orcamath.store.sqlite_errors import FAILED
from orcamath.view.calls import RememberedCalls, new_calls
from orcamath.view.kinds import ALL_KINDS, FACETS, RECORD_KINDS, IndexEntry, RecordKind, number
from orcamath.view.sorting import sort_mistakes
from orcamath.visible import visible

__all__ = ["Index", "Indexed"]

log = logging.getLogger(__name__)
VERSION = 3
HEAD_CHARS = 240
BATCH = 500
"""Rows read and written at once."""
_PASSING = [
    getattr(sqlite3, f"SQLITE_{name}") for name in "BUSY LOCKED FULL IOERR READONLY PERM CANTOPEN NOMEM".split()
]
"""What SQLite says of others, of the disk and of rights: no damage."""

_SCHEMA = f"""
CREATE TABLE parts (id INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, stage TEXT NOT NULL,
                    path TEXT NOT NULL, whole INTEGER NOT NULL DEFAULT 0, upto INTEGER NOT NULL DEFAULT 0);
CREATE TABLE records (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, part INTEGER NOT NULL, row INTEGER NOT NULL,
                      size INTEGER NOT NULL, {", ".join(f'"{f}" INTEGER' for f in FACETS)});
CREATE TABLE shown (id INTEGER PRIMARY KEY, name TEXT NOT NULL, problem TEXT NOT NULL, head TEXT NOT NULL);
CREATE INDEX shown_name ON shown(name);
CREATE INDEX shown_problem ON shown(problem);
CREATE INDEX records_kind ON records(kind, size);
CREATE TABLE held (record INTEGER NOT NULL, part INTEGER NOT NULL, PRIMARY KEY (record, part)) WITHOUT ROWID;
CREATE TABLE kin (parent TEXT NOT NULL, child TEXT NOT NULL, PRIMARY KEY (parent, child)) WITHOUT ROWID;
CREATE TABLE words (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
{"".join(f"CREATE VIRTUAL TABLE text_{kind} USING fts5(body, content='', tokenize='unicode61');" for kind in ALL_KINDS)}
"""


class Indexed(NamedTuple):
    """How far the index is."""

    rows: int
    parts: int
    parts_left: int


class Index:
    """Opens (or makes) the index of a run. One process writes it, by lock; any number read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_name(path.name + ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.writes = True
        except OSError:
            self.writes = False  # another viewer of this run keeps it up to date
        self._words: dict[str, int] = {}
        self._unreadable: set[str] = set()
        self._left = 0
        self._damaged = False
        if self.writes and not _current(path):
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
            self._damaged = True
            raise DataError(
                f"the viewer's index `{self.path}` is damaged ({e}). It is made anew: load the page again in a moment. It can "
                f"be deleted at any time"
            ) from e

    def update(self, made: Sequence[Made], calls: RememberedCalls) -> None:
        """Add what is not there yet: sealed tables first, the newest model calls last. Nothing where another process writes."""
        if not self.writes:
            return
        if self._damaged:
            self._begin()
        with self.sound():
            self._add_new(made, calls)

    def _add_new(self, made: Sequence[Made], calls: RememberedCalls) -> None:
        wanted = {f"{m.artifact.path.name}/{kind.name}": (m, kind) for m, kind in _tables(made)}
        db = self._open()
        try:
            have = dict(db.execute("SELECT source, whole FROM parts WHERE kind <> 'calls'").fetchall())
            if set(have) - set(wanted):  # a changed recipe points elsewhere now
                db.close()
                self._begin()
                db, have = self._open(), {}
            new = [source for source in wanted if not have.get(source) and source not in self._unreadable]
            for done, source in enumerate(new):
                self._left = len(new) - done
                try:
                    self._add_table(db, source, *wanted[source])
                except (OSError, pa.ArrowInvalid) as e:
                    log.warning(
                        "`%s` cannot be read (%s): its records are not listed; `orcamath fsck` mends it", source, e
                    )
                    self._unreadable.add(source)
            self._left = 0
            if new:
                _join_verdicts(db)
                sort_mistakes(db, made)
            self._add_calls(db, calls)
        finally:
            db.close()

    def close(self) -> None:
        """Let another process write."""
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
        self._damaged = False
        db = self._open()
        db.executescript(_SCHEMA)
        db.execute(f"PRAGMA user_version={VERSION}")
        db.close()

    def _add_table(self, db: sqlite3.Connection, source: str, made: Made, kind: RecordKind) -> None:
        path = made.artifact.path / f"{kind.table}.parquet"
        part = self._part(db, source, kind.name, key_of(made.arm, made.label), str(path))
        stage = {"stage": key_of(made.arm, made.label)}
        if (number_of_round := _round_of(made.label)) is not None:
            stage["round"] = number_of_round
        row = 0
        for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=list(kind.columns)):
            entries = [kind.entry(values) for values in batch.to_pylist()]
            self._add(db, kind.name, part, ((row + i, e) for i, e in enumerate(entries)), stage, once=kind.once)
            row += len(entries)
        db.execute("UPDATE parts SET whole=1, upto=? WHERE id=?", (row, part))

    def _add_calls(self, db: sqlite3.Connection, calls: RememberedCalls) -> None:
        for shard in calls.shards():
            part = self._part(db, shard.name, "calls", "", str(shard))
            (upto,) = db.execute("SELECT upto FROM parts WHERE id=?", (part,)).fetchone()
            for group in new_calls(calls, shard, upto):
                self._add(db, "calls", part, group, {}, once=False)
                db.execute("UPDATE parts SET upto=?, whole=1 WHERE id=?", (group[-1][0], part))

    def _part(self, db: sqlite3.Connection, source: str, kind: str, stage: str, path: str) -> int:
        db.execute(
            "INSERT OR IGNORE INTO parts(source, kind, stage, path) VALUES (?,?,?,?)", (source, kind, stage, path)
        )
        found: int = db.execute("SELECT id FROM parts WHERE source=?", (source,)).fetchone()[0]
        return found

    def _add(
        self,
        db: sqlite3.Connection,
        kind: str,
        part: int,
        rows: Iterable[tuple[int, IndexEntry]],
        more: dict[str, str],
        *,
        once: bool,
    ) -> None:
        """Write some rows in one transaction; of a record that an earlier stage holds only that it is here too."""
        db.execute("BEGIN IMMEDIATE")
        for row, entry in rows:
            known = _known(db, kind, entry.name) if once else None
            if known is None:
                known = self._insert(db, kind, part, row, entry, more)
            db.execute("INSERT OR IGNORE INTO held VALUES (?,?)", (known, part))
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
            db.execute("INSERT OR IGNORE INTO words(text) VALUES (?)", (text,))
            self._words[text] = db.execute("SELECT id FROM words WHERE text=?", (text,)).fetchone()[0]
        return self._words[text]


def _current(path: Path) -> bool:
    if not path.exists():
        return False
    db = sqlite3.connect(path)
    try:
        return bool(db.execute("PRAGMA user_version").fetchone()[0] == VERSION)
    except FAILED:
        return False
    finally:
        db.close()


def _tables(made: Iterable[Made]) -> Iterator[tuple[Made, RecordKind]]:
    for m in made:
        for kind in RECORD_KINDS.values():
            if m.artifact.has(kind.table):
                yield m, kind


def _known(db: sqlite3.Connection, kind: str, name: str) -> int | None:
    query = "SELECT s.id FROM shown s CROSS JOIN records r ON r.id = s.id WHERE s.name=? AND r.kind=?"
    found = db.execute(query, (visible(name), number(kind))).fetchone()
    return None if found is None else int(found[0])


def _round_of(label: str) -> str | None:
    """Return the iteration that a label such as `practice 3` belongs to."""
    _, _, rest = label.partition(" ")
    number, _, _ = rest.partition(".")  # `practice 3.1` is a spell of round 3
    return number if number.isdigit() else None


def _searchable(text: str) -> str:
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _join_verdicts(db: sqlite3.Connection) -> None:
    """Give every attempt its verdict, and every attempt of a problem how many of that problem's samples agree."""
    attempts, verdicts = number("attempts"), number("verdicts")
    db.execute("BEGIN IMMEDIATE")
    db.execute(
        """UPDATE records SET outcome = (SELECT v.outcome FROM shown a CROSS JOIN shown s ON s.name = a.name
           CROSS JOIN records v ON v.id = s.id AND v.kind = ? WHERE a.id = records.id LIMIT 1)
           WHERE kind = ? AND outcome IS NULL""",
        (verdicts, attempts),
    )
    words: dict[str, int] = {}
    for text in ("all", "some", "none", "agrees"):
        db.execute("INSERT OR IGNORE INTO words(text) VALUES (?)", (text,))
        words[text] = db.execute("SELECT id FROM words WHERE text=?", (text,)).fetchone()[0]
    db.execute(
        """CREATE TEMP TABLE agreed AS SELECT r.part AS part, s.problem AS problem,
           CASE WHEN avg(r.outcome = :agrees) = 1 THEN :all WHEN max(r.outcome = :agrees) THEN :some ELSE :none END AS said
           FROM records r JOIN shown s ON s.id = r.id WHERE r.kind = :kind AND r.outcome IS NOT NULL GROUP BY 1, 2""",
        {"kind": attempts, **words},
    )
    db.execute("CREATE UNIQUE INDEX temp.agreed_of ON agreed(part, problem)")
    db.execute(
        """UPDATE records SET agreement = (SELECT a.said FROM shown s CROSS JOIN agreed a ON a.problem = s.problem
           AND a.part = records.part WHERE s.id = records.id) WHERE kind = ? AND agreement IS NULL""",
        (attempts,),
    )
    db.execute("DROP TABLE agreed")
    db.execute("COMMIT")
