"""The tables of the viewer's index, and whether a file has them."""

import sqlite3
from pathlib import Path

from orcamath.store.sqlite_errors import FAILED
from orcamath.view.kinds import ALL_KINDS, FACETS

__all__ = ["INDEX_VERSION", "JOINED", "READ", "SCHEMA", "current", "number_of_word"]

INDEX_VERSION = 5
_OWED, READ, JOINED = 0, 1, 2
"""How far a part is: not read to its end; read; and joined with what other parts say of its records."""
SCHEMA = f"""
CREATE TABLE parts (id INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, arm TEXT NOT NULL,
                    stage TEXT NOT NULL, path TEXT NOT NULL, whole INTEGER NOT NULL DEFAULT {_OWED},
                    upto INTEGER NOT NULL DEFAULT 0, upto_key TEXT NOT NULL DEFAULT '');
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


def current(path: Path) -> bool:
    """Tell whether a file is an index of this version."""
    if not path.exists():
        return False
    db = sqlite3.connect(path)
    try:
        return bool(db.execute("PRAGMA user_version").fetchone()[0] == INDEX_VERSION)
    except FAILED:
        return False
    finally:
        db.close()


def number_of_word(db: sqlite3.Connection, text: str) -> int:
    """Return the number of a filter's value, which it gets here where it has none."""
    db.execute("INSERT OR IGNORE INTO words(text) VALUES (?)", (text,))
    return int(db.execute("SELECT id FROM words WHERE text=?", (text,)).fetchone()[0])
