"""Two students on the same held-out problems: who gained what, who lost what, with both answers and how sure the difference is.

In: the sealed evaluations of two students, of one run or of two. Out: plain values, benchmark by benchmark. The interval is
Newcombe's for paired shares, the p McNemar's, both by families where problems share them (`intervals`). Only greedy answers
to problems that both answered count.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import OrcamathError, UsageError
from orcamath.intervals import paired
from orcamath.records import Problem, Scored
from orcamath.report.arms import arms_of, load_artifact, own
from orcamath.store.artifacts import Store

__all__ = ["MAX_SHOWN", "MeasuredStudent", "compare", "students_in"]

MAX_SHOWN = 300
"""Problems shown of each side and benchmark; the counts are whole."""


class MeasuredStudent(NamedTuple):
    """One measured student of a run."""

    key: str
    """RUN/ARM/NAME, the arm empty for the base."""
    run: str
    arm: str
    name: str
    scored: str
    """Pointer to its evaluation."""


def students_in(folders: list[Path]) -> list[MeasuredStudent]:
    """Return the measured students of these runs, each evaluation once a run; runs that cannot be read are left out."""
    found: dict[tuple[str, str, str], MeasuredStudent] = {}
    for folder in folders:
        try:
            for arm in arms_of(folder):
                for s in arm.pointers["students"]:
                    student = MeasuredStudent(
                        f"{folder.name}/{arm.name}/{s['name']}", folder.name, arm.name, s["name"], s["scored"]
                    )
                    found.setdefault((folder.name, s["name"], s["scored"]), student)
        except (OrcamathError, OSError, ValueError, KeyError):
            continue
    return list(found.values())


def compare(one: MeasuredStudent, two: MeasuredStudent, folders: dict[str, Path], store: Store) -> dict[str, object]:
    """Hold the second student against the first. Raises UsageError where they share no problem."""
    first, second = _answers(one, store), _answers(two, store)
    questions = dict(_questions([folders[one.run], folders[two.run]], store))
    boards = []
    for benchmark in [b for b in first if b in second]:
        before, after = first[benchmark], second[benchmark]
        shared = [p for p in before if p in after]
        if shared:
            boards.append(_board(benchmark, shared, before, after, questions))
    if not boards:
        raise UsageError(f"`{one.key}` and `{two.key}` answered no problem in common")
    return {"first": one._asdict(), "second": two._asdict(), "benchmarks": boards}


def _board(
    benchmark: str, shared: list[str], before: dict[str, Scored], after: dict[str, Scored], questions: dict[str, str]
) -> dict[str, object]:
    was, now = ([side[p].outcome == "agrees" for p in shared] for side in (before, after))
    result = paired(was, now, families=[before[p].family for p in shared])
    moved = [(p, b) for p, a, b in zip(shared, was, now, strict=True) if a != b]
    flips = {
        side: [_flip(p, before[p], after[p], questions) for p, up in moved if up is gained][:MAX_SHOWN]
        for side, gained in (("gained", True), ("lost", False))
    }
    return {
        "benchmark": benchmark,
        "n": result.n,
        "families": result.families,
        "first_right": sum(was),
        "second_right": sum(now),
        "both": sum(a and b for a, b in zip(was, now, strict=True)),
        "n_gained": result.second_only,
        "n_lost": result.first_only,
        "difference": result.difference._asdict(),
        "p": result.p,
        "better": result.difference.excludes_zero and result.difference.point > 0,
        "worse": result.difference.excludes_zero and result.difference.point < 0,
        **flips,
    }


def _flip(problem: str, before: Scored, after: Scored, questions: dict[str, str]) -> dict[str, object]:
    sides = {
        side: {"text": x.text, "final_answer": x.final_answer, "outcome": x.outcome, "finish_reason": x.finish_reason}
        for side, x in (("first", before), ("second", after))
    }
    return {"problem": problem, "question": questions.get(problem, ""), "gold": before.gold, **sides}


def _answers(student: MeasuredStudent, store: Store) -> dict[str, dict[str, Scored]]:
    found: dict[str, dict[str, Scored]] = {}
    for row in load_artifact(store, student.scored).read(Scored):
        if row.draw == 0:
            found.setdefault(row.benchmark, {})[row.problem_id] = row
    return found


def _questions(folders: list[Path], store: Store) -> Iterator[tuple[str, str]]:
    for folder in dict.fromkeys(folders):
        base = dict(own(next(iter(arms_of(folder))), store))
        tests = base.get("unseen") or base.get("benchmarks")
        if tests is not None:
            yield from ((p.id, p.question) for p in tests.read(Problem))
