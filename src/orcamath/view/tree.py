"""One problem's story as a tree: seed, suggestions, edits, solution, samples of each round with verdicts, preferences.

In: the index and the id of a problem, lesson or attempt. Out: the line of its ancestors from the seed down, with what was made of
each, differences from parent to child marked word by word; and, of the problem itself, all that came of it.
"""

import re
import sqlite3
from difflib import SequenceMatcher

from orcamath.agents.replies import tagged
from orcamath.errors import UsageError
from orcamath.student.spelling import Spelled
from orcamath.view.find import Query, page, pages
from orcamath.view.kinds import IndexRow
from orcamath.view.whole import inert, named, stored, whole

__all__ = ["differences", "problem_behind", "story"]

MAX_CHILDREN = 40
MAX_UP = 12
"""Generations above the problem that are followed."""
MAX_CALLS = 12
MAX_WORDS = 3_000
"""A longer text is shown without differences."""
WORDS_OF_PHRASE = 10
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def differences(before: str, after: str) -> list[tuple[str, str]]:
    """Return the later text in pieces: `same`, `new`, and `gone` for what only the earlier one has, word by word."""
    one, two = _WORD.findall(before), _WORD.findall(after)
    if len(one) + len(two) > MAX_WORDS:
        return [("same", after)]
    pieces: list[tuple[str, str]] = []
    for what, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if what == "equal":
            pieces.append(("same", "".join(two[c:d])))
        else:
            pieces += [p for p in (("gone", "".join(one[a:b])), ("new", "".join(two[c:d]))) if p[1]]
    return pieces


def problem_behind(db: sqlite3.Connection, name: str) -> str:
    """Return the id of the problem that an id (or the beginning of one) of any record belongs to. Raises UsageError."""
    rows = db.execute(
        "SELECT DISTINCT problem FROM shown WHERE name >= ? AND name < ? AND problem <> '' LIMIT 9",
        (name, name + "\U0010ffff"),
    ).fetchall()
    if not rows:
        raise UsageError(f"nothing in this run has an id that begins with `{name[:80]}`")
    if len(rows) > 1:
        raise UsageError(f"`{name[:80]}` begins the id of {len(rows)} problems or more; give more of it")
    return str(rows[0][0])


def story(db: sqlite3.Connection, name: str, spelling: Spelled) -> IndexRow:
    """Return the tree around one problem and what came of it. Raises UsageError where nothing has such an id."""
    focus = problem_behind(db, name)
    problem = _problem(db, focus, spelling)
    line = [problem]
    while line[0]["parents"] and len(line) < MAX_UP:
        parent = _problem(db, line[0]["parents"][0], spelling)
        if parent["id"] in {p["id"] for p in line}:
            break
        line.insert(0, parent)
    tree = _branch(db, line, 0, spelling)
    return {"focus": inert(focus), "tree": inert(tree), **_fate(db, focus, spelling)}


def _problem(db: sqlite3.Connection, name: str, spelling: Spelled) -> IndexRow:
    for record in named(db, "problems", name):
        if (found := stored(db, record, spelling)) is not None:
            return found
    for kind, field in (("lessons", "question"), ("exercises", "question"), ("pairs", "question")):
        for row in page(db, Query(kind, problem=name, limit=1)).rows:  # a run that began with lessons has no problems
            if (found := stored(db, row["id"], spelling)) is not None:
                known = {
                    "origin": found.get("origin", kind),
                    "source": found.get("source", ""),
                    "round": found.get("round", 0),
                }
                return {"id": name, "question": found[field], "parents": found.get("parents") or [], **known}
    return {
        "id": name,
        "question": "(this run does not hold its text)",
        "origin": "?",
        "source": "",
        "round": 0,
        "parents": [],
    }


def _branch(db: sqlite3.Connection, line: list[IndexRow], at: int, spelling: Spelled) -> IndexRow:
    """Return the node of one ancestor; the next of the line is whole below it, its other children are leaves."""
    here, parent = line[at], line[at - 1] if at else None
    node = _node(here, parent, focus=at == len(line) - 1)
    node["calls"] = _calls(db, here["question"])
    node["suggestions"] = list(dict.fromkeys(s for c in node["calls"] for s in c.pop("suggestions")))
    children = [
        row[0] for row in db.execute("SELECT child FROM kin WHERE parent = ? LIMIT ?", (here["id"], MAX_CHILDREN))
    ]
    (node["n_children"],) = db.execute("SELECT count(*) FROM kin WHERE parent = ?", (here["id"],)).fetchone()
    following = line[at + 1] if at + 1 < len(line) else None
    branches = [_branch(db, line, at + 1, spelling)] if following is not None else []
    others = (_problem(db, child, spelling) for child in children if following is None or child != following["id"])
    node["children"] = branches + [_node(other, here, focus=False) for other in others]
    return node


def _node(problem: IndexRow, parent: IndexRow | None, *, focus: bool) -> IndexRow:
    kept = (
        "id",
        "origin",
        "source",
        "round",
        "target",
        "answer",
        "answer_from",
        "cluster",
        "licence",
        "options",
        "held_by",
    )
    node = {key: problem[key] for key in kept if problem.get(key) not in (None, "", [])}
    pieces = differences(parent["question"], problem["question"]) if parent else [("same", problem["question"])]
    return {**node, "question": problem["question"], "pieces": pieces, "is_focus": focus, "children": []}


def _calls(db: sqlite3.Connection, question: str) -> list[IndexRow]:
    """Return the remembered calls whose prompt holds the question, with the suggestions that a reply made."""
    words = re.findall(r"\w+", question)[:WORDS_OF_PHRASE]
    if len(words) < 3:
        return []
    rows = page(db, Query("calls", '"' + " ".join(words) + '"', limit=4 * MAX_CALLS)).rows
    found = []
    for row in rows:
        call = stored(db, row["id"], Spelled([]))
        if call is not None and call["prompt"] and question in call["prompt"][-1]["content"]:
            suggestions = [p.text for p in tagged(call["reply"], "suggestion")]
            found.append(
                {
                    "id": row["id"],
                    "name": row["name"],
                    "model": call["model"],
                    "head": row["head"],
                    "suggestions": suggestions,
                }
            )
    return found[:MAX_CALLS]


def _fate(db: sqlite3.Connection, name: str, spelling: Spelled) -> IndexRow:
    """Gather what came of a problem, kind by kind, in stored order."""
    found = {
        kind: _about(db, kind, name, spelling) for kind in ("lessons", "pairs", "answers", "rejected", "exercises")
    }
    lessons = [record["id"] for record in found["lessons"]]
    found["rejected"] += [r for lesson in lessons for r in _about(db, "rejected", lesson, spelling)]
    verdicts: dict[str, list[IndexRow]] = {}
    for verdict in _about(db, "verdicts", name, spelling):
        verdicts.setdefault(verdict["attempt_id"], []).append(verdict)
    rounds: dict[str, list[IndexRow]] = {}
    for attempt in _about(db, "attempts", name, spelling):
        attempt["verdicts"] = verdicts.get(attempt["id"], [])
        rounds.setdefault(attempt["stage"], []).append(attempt)
    return {**found, "rounds": [{"stage": stage, "attempts": given} for stage, given in rounds.items()]}


def _about(db: sqlite3.Connection, kind: str, name: str, spelling: Spelled) -> list[IndexRow]:
    found = ((row["id"], whole(db, row["id"], spelling)) for row in pages(db, Query(kind, problem=name)))
    return [{**record, "record": i} for i, record in found if record is not None]
