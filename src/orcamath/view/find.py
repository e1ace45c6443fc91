"""Search, filters, order and pages over the viewer's index. In: a question as typed. Out: the rows of one page, inert and small.

Words are joined by *and*; `"a phrase"` stays together; every word may be a beginning. The beginning of an id finds it; what may
be one (`decade`, `100000`) is looked for as a word too.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orcamath.view.kinds import ALL_KINDS, FACETS, IndexRow, number

__all__ = ["PAGE", "Page", "Query", "facets", "page", "pages", "record_totals"]

PAGE = 50
MAX_PAGE = 500
MAX_COUNTED = 100_000
"""Matches are counted up to here; more is "more than"."""
MAX_VALUES = 200
ORDERS = {"stored": "r.id", "newest": "r.id DESC", "longest": "r.size DESC, r.id", "shortest": "r.size, r.id"}
_ID = re.compile(r"[0-9a-f]{6,32}(\.\d+)?")
_PHRASE = re.compile(r'"([^"]*)"|(\S+)')


class Query(NamedTuple):
    """What a list is to show."""

    kind: str
    text: str = ""
    filters: Mapping[str, str] = {}
    """Facet → value."""
    order: str = "stored"
    offset: int = 0
    limit: int = PAGE
    problem: str = ""
    """Only what is about this problem."""


class Page(NamedTuple):
    """Rows, and how many there are in all."""

    rows: list[IndexRow]
    n: int
    more: bool
    """True where `n` is only where counting stopped."""


def page(db: sqlite3.Connection, query: Query) -> Page:
    """Return one page. Unknown kinds, filters and orders are ignored; nothing that a reader types becomes SQL."""
    if query.kind not in ALL_KINDS:
        return Page([], 0, more=False)
    source, values = _matching(query)
    order = ORDERS.get(query.order, ORDERS["stored"])
    limit, offset = max(1, min(query.limit, MAX_PAGE)), max(0, query.offset)
    ids = [
        row[0]
        for row in db.execute(f"SELECT r.id {source} ORDER BY {order} LIMIT ? OFFSET ?", (*values, limit, offset))
    ]
    counted = db.execute(f"SELECT count(*) FROM (SELECT 1 {source} LIMIT ?)", (*values, MAX_COUNTED)).fetchone()[0]
    return Page([_row(db, i) for i in ids], counted, more=counted == MAX_COUNTED)


def pages(db: sqlite3.Connection, query: Query) -> Iterator[IndexRow]:
    """Yield the rows of all pages."""
    offset = 0
    while rows := page(db, query._replace(offset=offset, limit=MAX_PAGE)).rows:
        yield from rows
        offset += len(rows)


def facets(db: sqlite3.Connection, query: Query) -> dict[str, list[tuple[str, int]]]:
    """Return for every filter its values with their counts under the other filters, the most frequent first.

    One pass counts all filters that are not set; each that is set has a pass of its own, without itself.
    """
    if query.kind not in ALL_KINDS:
        return {}
    counts: dict[str, Counter[int]] = {}
    free = [f for f in FACETS if f not in query.filters]
    for some, filters in [(free, dict(query.filters)), *(([f], _without(query.filters, f)) for f in query.filters)]:
        if not some:
            continue
        source, values = _matching(query._replace(filters=filters))
        columns = ", ".join(f'r."{f}"' for f in some)
        for *found, n in db.execute(f"SELECT {columns}, count(*) {source} GROUP BY {columns}", values):
            for facet, value in zip(some, found, strict=True):
                if value is not None:
                    counts.setdefault(facet, Counter())[value] += n
    words = dict(db.execute("SELECT id, text FROM words").fetchall())
    return {f: [(words[v], n) for v, n in counts[f].most_common(MAX_VALUES)] for f in FACETS if f in counts}


def _without(filters: Mapping[str, str], facet: str) -> dict[str, str]:
    return {k: v for k, v in filters.items() if k != facet}


def record_totals(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many records of every kind are indexed."""
    counts = dict(db.execute("SELECT kind, count(*) FROM records GROUP BY kind").fetchall())
    return {kind: counts.get(number(kind), 0) for kind in ALL_KINDS}


def _matching(query: Query) -> tuple[str, list[object]]:
    """Return `FROM … WHERE …` and its values."""
    joins, where, values = "records r", ["r.kind = ?"], [number(query.kind)]
    text = query.text.strip()
    more: list[object] = []
    if _ID.fullmatch(text):
        found = [f"SELECT id FROM shown WHERE {column} >= ? AND {column} < ?" for column in ("name", "problem")]
        found.append(f"SELECT rowid FROM text_{query.kind} WHERE text_{query.kind} MATCH ?")
        where = ["+r.kind = ?", f"r.id IN ({' UNION '.join(found)})"]
        more += [text, text + "g", text, text + "g", _expression(text)]
    elif text:
        joins = f"text_{query.kind} t CROSS JOIN records r ON r.id = t.rowid"  # the words first, whatever the planner thinks
        where.append(f"text_{query.kind} MATCH ?")
        more.append(_expression(text))
    if query.problem:
        where[0] = "+r.kind = ?"  # few records are about one problem, many are of a kind: no index on kinds here
        where.append("r.id IN (SELECT id FROM shown WHERE problem = ?)")
        more.append(query.problem)
    for facet, value in query.filters.items():
        if facet in FACETS:
            where.append(f'r."{facet}" = (SELECT id FROM words WHERE text = ?)')
            more.append(value)
    return f"FROM {joins} WHERE {' AND '.join(where)}", [*values, *more]


def _expression(text: str) -> str:
    """Write what was typed as an expression of FTS5's in which nothing of it is an operator.

    Signs alone are no words there, and `3 + 5` with one of them in it would find nothing: they are left out.
    """
    pieces = []
    for phrase, word in _PHRASE.findall(text):
        if any(map(str.isalnum, phrase or word)):
            quoted = '"' + (phrase or word).replace('"', " ").replace("\0", " ") + '"'
            pieces.append(quoted if phrase else quoted + "*")
    return " AND ".join(pieces) or '""'


_SHOWN = f"""SELECT s.name, s.problem, s.head, r.size, r.kind,
 (SELECT count(*) FROM shown b CROSS JOIN records c ON c.id = b.id WHERE b.name = s.name AND c.kind = r.kind AND b.id < r.id),
 {", ".join(f'(SELECT text FROM words WHERE id = r."{f}")' for f in FACETS)}
 FROM records r JOIN shown s ON s.id = r.id WHERE r.id = ?"""


def _row(db: sqlite3.Connection, record: int) -> IndexRow:
    """Return what a list shows of one record, with the beginning of its problem where that is another text."""
    name, problem, head, size, kind, nth, *values = db.execute(_SHOWN, (record,)).fetchone()
    row = {
        "id": record,
        "name": name,
        "nth": nth,
        "problem": problem,
        "head": head,
        "size": size,
        "kind": ALL_KINDS[kind],
    }
    row |= {f: v for f, v in zip(FACETS, values, strict=True) if v is not None}
    if problem and row["kind"] not in {"problems", "lessons", "pairs", "exercises"}:
        asked = db.execute(
            "SELECT s.head FROM shown s CROSS JOIN records r ON r.id = s.id WHERE s.name = ? AND r.kind = ? LIMIT 1",
            (problem, number("problems")),
        ).fetchone()
        row["question"] = asked[0] if asked else ""
    return row
