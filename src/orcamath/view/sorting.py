"""Gives the wrong answers in the viewer's index the mistake that they are by rule: the filter `mistake`.

In: the index with verdicts joined, and the sealed stages. Out: attempts and benchmark answers that disagree have their type.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from orcamath.mistakes import Sorted, of_answers, of_attempts, right_ways
from orcamath.preferences import Judged
from orcamath.records import Attempt, Exercise, Outcome, Problem, Scored
from orcamath.report.arms import Made
from orcamath.store.artifacts import Artifact
from orcamath.view.kinds import number

__all__ = ["sort_mistakes"]

_WRONG = """SELECT s.name, w.text, r.id FROM records r JOIN shown s ON s.id = r.id JOIN words w ON w.id = r.outcome
 JOIN parts p ON p.id = r.part WHERE p.source = ? AND r.kind = ?"""


def sort_mistakes(db: sqlite3.Connection, made: Sequence[Made]) -> None:
    """Fill in `mistake` of what disagrees and has none yet, stage by stage."""
    problems = {p.id: p for m in made if m.label in ("benchmarks", "unseen") for p in m.artifact.read(Problem)}
    for m in made:
        for kind, table in (("attempts", "attempts"), ("answers", "scored")):
            if m.artifact.has(table) and (rows := _unsorted(db, f"{m.artifact.path.name}/{kind}", kind)):
                outcomes = {name: outcome for name, (outcome, _) in rows.items()}
                found = _attempts(m.artifact, outcomes) if kind == "attempts" else _answers(m.artifact, problems)
                _write(db, rows, found)


def _unsorted(db: sqlite3.Connection, source: str, kind: str) -> dict[str, tuple[Outcome, int]]:
    """Return the answers of a part by name, with outcome and row; none where they were sorted before, or none is wrong."""
    query = "SELECT 1 FROM records r JOIN parts p ON p.id = r.part WHERE p.source = ? AND r.mistake IS NOT NULL LIMIT 1"
    if db.execute(query, (source,)).fetchone():
        return {}
    rows = {name: (outcome, i) for name, outcome, i in db.execute(_WRONG, (source, number(kind)))}
    return rows if any(outcome == "disagrees" for outcome, _ in rows.values()) else {}


def _attempts(practised: Artifact, outcomes: Mapping[str, Outcome]) -> Iterator[Sorted]:
    """Sort the attempts of a stage that holds their exercises too."""
    attempts = practised.read(Attempt)
    attempt = next(attempts, None)
    for exercise in practised.read(Exercise):
        judged = []
        while attempt is not None and attempt.problem_id == exercise.problem_id:
            judged.append(Judged(attempt, outcomes.get(attempt.id, "unjudged")))
            attempt = next(attempts, None)
        yield from of_attempts([(exercise, judged)])


def _answers(evaluated: Artifact, problems: Mapping[str, Problem]) -> Iterator[Sorted]:
    return of_answers(evaluated.read(Scored), problems, right_ways(evaluated.read(Scored)))


def _write(db: sqlite3.Connection, rows: Mapping[str, tuple[Outcome, int]], found: Iterable[Sorted]) -> None:
    words: dict[str, int] = {}
    db.execute("BEGIN IMMEDIATE")
    for name, _, mistake in found:
        if name in rows:
            if mistake not in words:
                db.execute("INSERT OR IGNORE INTO words(text) VALUES (?)", (mistake,))
                words[mistake] = db.execute("SELECT id FROM words WHERE text=?", (mistake,)).fetchone()[0]
            db.execute("UPDATE records SET mistake=? WHERE id=?", (words[mistake], rows[name][1]))
    db.execute("COMMIT")
