"""What the viewer's lists hold: for every kind of record the columns it is read from, and what is searched and filtered by.

In: a row of a sealed table as plain values. Out: an `IndexEntry`: the text that search looks through, the line that a list shows,
and the values of the filters. Text is whole here; making it inert is the business of `find` and `whole`, on the way out.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from orcamath.scoring.scores import flexible

__all__ = ["ALL_KINDS", "FACETS", "RECORD_KINDS", "STRINGS_DIFFER", "IndexEntry", "IndexRow", "RecordKind", "number"]

FACETS = (
    "origin",
    "source",
    "verified",
    "agreement",
    "outcome",
    "reason",
    "round",
    "stage",
    "model",
    "finish",
    "known",
    "mistake",
)
"""Filters, in the order in which they are shown; a kind has some of them. `mistake` is of wrong answers, and filled in later."""
STRINGS_DIFFER = "judge against strings"
"""Of a benchmark answer: the judge and the match of its last number with gold say different things."""
IndexRow = dict[str, Any]
"""A record as the JSON values of its table or of a call; which these are, its kind says."""


class IndexEntry(NamedTuple):
    """One record as a list needs it."""

    name: str
    """Its id."""
    problem: str
    """Id of the problem it is about; empty where there is none."""
    head: str
    """What the list shows of it."""
    text: str
    """What search looks through."""
    facets: Mapping[str, str]
    parents: tuple[str, ...] = ()


class RecordKind(NamedTuple):
    """One list of the viewer."""

    name: str
    table: str
    """The table of `store.tables.SCHEMAS` it is read from."""
    columns: tuple[str, ...]
    entry: Callable[[IndexRow], IndexEntry]
    once: bool = True
    """False where stages may hold records of one name that differ: all are listed then."""


def _problem(row: IndexRow) -> IndexEntry:
    text = "\n".join([row["question"], *(row["options"] or ()), row["answer"] or ""])
    facets = {
        "origin": row["origin"],
        "source": row["source"],
        "round": str(row["round"]),
        "known": row["answer_from"] or "no",
    }
    return IndexEntry(row["id"], row["id"], row["question"], text, facets, tuple(row["parents"] or ()))


def _lesson(row: IndexRow) -> IndexEntry:
    facets = {
        "origin": row["origin"],
        "source": row["source"],
        "verified": row["verified"],
        "round": str(row["round"]),
        "model": row["teacher"],
        "known": "no" if row["gold"] is None else "yes",
    }
    return IndexEntry(row["id"], row["problem_id"], row["question"], row["question"] + "\n" + row["answer"], facets)


def _attempt(row: IndexRow) -> IndexEntry:
    facets = {"model": row["student"], "finish": row["finish_reason"]}
    return IndexEntry(row["id"], row["problem_id"], row["text"], row["text"], facets)


def _rollout(row: IndexRow) -> IndexEntry:
    facets = {
        "outcome": row["outcome"],
        "reason": row["reason"] or "none given",
        "model": row["by"],
        "finish": row["finish_reason"],
        "round": f"{row['round'] + 1} (online)",
    }
    return IndexEntry(row["id"], row["problem_id"], row["text"], row["text"], facets)


def _exercise(row: IndexRow) -> IndexEntry:
    text = "\n".join([row["question"], row["reference"], row["solution"] or ""])
    return IndexEntry(row["problem_id"], row["problem_id"], row["question"], text, {"known": row["label"]})


def _verdict(row: IndexRow) -> IndexEntry:
    head = f"{row['outcome']} by {row['by']}" + (f": {row['reason']}" if row["reason"] else "")
    facets = {"outcome": row["outcome"], "reason": row["reason"] or "none given", "model": row["by"]}
    return IndexEntry(row["attempt_id"], row["problem_id"], head, head, facets)


def _preference(row: IndexRow) -> IndexEntry:
    # the teacher's own is one; what it counts beyond that are samples in the teacher's words
    right = sum(r["multiplicity"] - (r["origin"] == "teacher") for r in row["positives"])
    wrong = sum(r["multiplicity"] for r in row["negatives"] if r["origin"] == "sample")
    lent = sum(r["origin"] == "off_topic" for r in row["negatives"])
    said = [r["text"] for r in [*row["positives"], *row["negatives"]]]
    agreement = "all" if right and not wrong else "some" if right else "none"
    facets = {"agreement": agreement, "reason": "lent negatives" if lent else "own negatives"}
    head = f"{len(row['positives'])} × {len(row['negatives'])}: {row['question']}"
    return IndexEntry(row["problem_id"], row["problem_id"], head, "\n".join([row["question"], *said]), facets)


def _rejected(row: IndexRow) -> IndexEntry:
    text = "\n".join(filter(None, (row["detail"], row["text"])))
    repeats = {"known": "repeats another"} if row["repeats"] else {}
    return IndexEntry(
        row["item"], row["item"], text or "(no text was kept)", text, {"reason": row["reason"], **repeats}
    )


def _scored(row: IndexRow) -> IndexEntry:
    strings = flexible(row["text"], row["gold"])
    facets = {
        "outcome": row["outcome"],
        "source": row["benchmark"],
        "finish": row["finish_reason"],
        "model": row["by"],
        "known": "greedy" if row["draw"] == 0 else "sampled",
        "agreement": "judge and strings" if strings == (row["outcome"] == "agrees") else STRINGS_DIFFER,
    }
    return IndexEntry(f"{row['problem_id']}.{row['draw']}", row["problem_id"], row["text"], row["text"], facets)


RECORD_KINDS: dict[str, RecordKind] = {
    kind.name: kind
    for kind in (
        RecordKind(
            "problems",
            "problems",
            ("id", "question", "origin", "source", "round", "answer", "answer_from", "options", "parents"),
            _problem,
        ),
        RecordKind(
            "lessons",
            "lessons",
            ("id", "problem_id", "question", "answer", "origin", "source", "verified", "round", "teacher", "gold"),
            _lesson,
        ),
        RecordKind(
            "exercises",
            "exercises",
            ("problem_id", "question", "reference", "solution", "label"),
            _exercise,
            once=False,
        ),
        RecordKind("attempts", "attempts", ("id", "problem_id", "text", "finish_reason", "student"), _attempt),
        RecordKind(
            "rollouts",
            "rollouts",
            ("id", "problem_id", "text", "finish_reason", "outcome", "by", "reason", "round"),
            _rollout,
        ),
        RecordKind(
            "verdicts", "verdicts", ("attempt_id", "problem_id", "outcome", "by", "reason"), _verdict, once=False
        ),
        RecordKind(
            "pairs", "preferences", ("problem_id", "question", "positives", "negatives"), _preference, once=False
        ),
        RecordKind("rejected", "rejected", ("item", "reason", "detail", "text", "repeats"), _rejected, once=False),
        RecordKind(
            "answers",
            "scored",
            ("problem_id", "benchmark", "draw", "text", "outcome", "by", "finish_reason", "gold"),
            _scored,
            once=False,
        ),
    )
}
"""Sealed records, in the order of the story. Model calls are `calls`: they lie in the ledger, not in tables."""
ALL_KINDS = (*RECORD_KINDS, "calls")


def number(kind: str) -> int:
    """Return the number that stands for a kind in the index."""
    return ALL_KINDS.index(kind)
