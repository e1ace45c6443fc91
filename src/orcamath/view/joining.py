"""Gives every attempt in the viewer's index its verdict, and tells how many of a problem's samples of one round agree.

In: the index, with attempts and verdicts that came since the last time. Out: the filters `outcome` and `agreement` of attempts.
"""

import sqlite3

from orcamath.view.index_schema import READ, number_of_word
from orcamath.view.kinds import number

__all__ = ["join_verdicts"]

_TOUCHED = """CREATE TEMP TABLE touched AS SELECT DISTINCT t.id AS id, a.problem AS problem FROM records r
 JOIN parts p ON p.id = r.part AND p.whole = :read CROSS JOIN shown s ON s.id = r.id CROSS JOIN shown a ON a.name = s.name
 CROSS JOIN records t ON t.id = a.id AND t.kind = :attempts WHERE r.kind IN (:attempts, :verdicts)"""
_OUTCOME = """UPDATE records SET outcome = (SELECT v.outcome FROM shown a CROSS JOIN shown s ON s.name = a.name
 CROSS JOIN records v ON v.id = s.id AND v.kind = :verdicts JOIN parts p ON p.id = v.part
 JOIN parts own ON own.id = records.part WHERE a.id = records.id ORDER BY p.arm = own.arm DESC, v.id DESC LIMIT 1)
 WHERE id IN (SELECT id FROM touched)"""
"""The last word of the arm that drew the sample is what was trained on: a stage `reask` settles what `judge` said before."""
_AGREED = """CREATE TEMP TABLE agreed AS SELECT p.arm AS arm, r.round AS round, s.problem AS problem,
 CASE WHEN avg(r.outcome = :agrees) = 1 THEN :all WHEN max(r.outcome = :agrees) THEN :some ELSE :none END AS said
 FROM records r JOIN parts p ON p.id = r.part JOIN shown s ON s.id = r.id WHERE r.kind = :attempts
 AND r.outcome IS NOT NULL AND s.problem IN (SELECT problem FROM touched) GROUP BY 1, 2, 3"""
_AGREEMENT = """UPDATE records SET agreement = (SELECT a.said FROM shown s CROSS JOIN parts p ON p.id = records.part
 CROSS JOIN agreed a ON a.problem = s.problem AND a.arm = p.arm AND a.round IS records.round WHERE s.id = records.id)
 WHERE kind = :attempts AND id IN (SELECT s.id FROM shown s WHERE s.problem IN (SELECT problem FROM agreed))"""


def join_verdicts(db: sqlite3.Connection) -> None:
    """Fill in both, of the attempts that are new or were judged since."""
    kinds = {"attempts": number("attempts"), "verdicts": number("verdicts")}
    db.execute("BEGIN IMMEDIATE")
    words = {text: number_of_word(db, text) for text in ("all", "some", "none", "agrees", "disagrees")}
    db.execute(_TOUCHED, kinds | {"read": READ})
    db.execute(_OUTCOME, kinds)
    db.execute(
        "UPDATE records SET mistake = NULL WHERE outcome IS NOT :disagrees AND id IN (SELECT id FROM touched)", words
    )
    db.execute(_AGREED, kinds | words)
    db.execute("CREATE UNIQUE INDEX temp.agreed_of ON agreed(problem, arm, round)")
    db.execute(_AGREEMENT, kinds)
    db.execute("DROP TABLE agreed")
    db.execute("DROP TABLE touched")
    db.execute("COMMIT")
