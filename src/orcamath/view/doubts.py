"""What in a run deserves a second look: teachers probably wrong, judges that disagree, near-duplicates, contamination.

In: the index, and what the gate and the preferences said of themselves. Out: lists of items a reader marks good or bad.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from orcamath.answers import same
from orcamath.report.arms import Made, key_of
from orcamath.stages.facts import facts_of
from orcamath.stages.gate import GateFacts
from orcamath.stages.preferences import PreferFacts
from orcamath.store.stage import StageLabel
from orcamath.student.spelling import Spelled
from orcamath.view.find import Query, page, pages
from orcamath.view.kinds import STRINGS_DIFFER, IndexRow, number
from orcamath.view.tree import differences
from orcamath.view.whole import inert, marked_as, named, question_behind, stored

__all__ = ["LISTS", "Sources", "doubts"]

MAX_ITEMS = 400


class Sources(NamedTuple):
    """Where the lists look."""

    db: sqlite3.Connection
    made: Sequence[Made]
    spelling: Spelled


def doubts(name: str, sources: Sources) -> list[IndexRow]:
    """Return the items of one list; an unknown list has none."""
    if name not in LISTS:
        return []
    items = []
    for item in LISTS[name].find(sources):
        items.append(inert(item, 4_000))
        if len(items) == MAX_ITEMS:
            break
    return items


def _doubted(sources: Sources) -> Iterator[IndexRow]:
    """Problems whose samples all agree with each other, against the teacher."""
    for made in sources.made:
        facts = facts_of(made.artifact)
        for problem in facts.teacher_doubted_ids if isinstance(facts, PreferFacts) else ():
            lesson = next(iter(page(sources.db, Query("lessons", problem=problem, limit=1)).rows), None)
            said = stored(sources.db, lesson["id"], sources.spelling) if lesson else None
            sample = _contradicting(sources.db, problem, made)
            answer = stored(sources.db, sample["id"], sources.spelling) if sample else None
            texts = [("the teacher", said["answer"])] if said else []
            texts += [("every sample", answer["text"])] if answer else []
            yield {
                "id": said["id"] if said else problem,
                "problem": problem,
                "what": f"in {key_of(made.arm, made.label)}",
                "question": question_behind(sources.db, problem, sources.spelling),
                "texts": texts,
            }


def _contradicting(db: sqlite3.Connection, problem: str, made: Made) -> IndexRow | None:
    """Return a sample of a problem that is against its teacher: of the round and the arm of a stage, where it has one."""
    number = StageLabel.read(made.label).which
    practice = key_of(made.arm, f"practice {number}")

    def nearness(row: IndexRow) -> tuple[bool, bool]:
        return str(row.get("stage")).startswith(practice), row.get("round") == number

    return max(pages(db, Query("attempts", "", {"outcome": "disagrees"}, problem=problem)), key=nearness, default=None)


def _known(lesson: IndexRow) -> bool:
    """Tell whether a lesson's answer is the known one after all: nobody may have held it against that."""
    answers = lesson["final_answer"] or "", lesson["gold"]
    return bool(same(lesson["answer_kind"], *answers, lesson["question"], tuple(lesson["options"] or ())))


def _contradicted(sources: Sources) -> Iterator[IndexRow]:
    """Lessons whose answer is not the one known without the teacher."""
    for row in pages(sources.db, Query("lessons", filters={"verified": "unverified", "known": "yes"})):
        lesson = stored(sources.db, row["id"], sources.spelling)
        if lesson is not None and not _known(lesson):
            note = f"known answer {lesson['gold']}, the teacher's {lesson['final_answer'] or 'could not be read'}"
            yield {
                "id": lesson["id"],
                "problem": lesson["problem_id"],
                "what": note,
                "question": lesson["question"],
                "texts": [("the teacher", lesson["answer"])],
            }


def _disagreeing(sources: Sources) -> Iterator[IndexRow]:
    """Answers of which two judges, or the judge and the match of strings, say different things."""
    split = sources.db.execute(
        """SELECT s.name FROM records r JOIN shown s ON s.id = r.id WHERE r.kind = ?
           GROUP BY s.name HAVING count(DISTINCT r.outcome) > 1 LIMIT ?""",
        (number("verdicts"), MAX_ITEMS),
    ).fetchall()
    for (name,) in split:
        said = (stored(sources.db, i, sources.spelling) for i in named(sources.db, "verdicts", name))
        verdicts = list({v["outcome"]: v for v in said if v is not None}.values())  # the last of each outcome
        attempt = next(
            (a for i in named(sources.db, "attempts", name) if (a := stored(sources.db, i, sources.spelling))), None
        )
        texts = [("the answer", attempt["text"])] if attempt else []
        texts += [(v["stage"], f"{v['outcome']} by {v['by']} {v['reason']}") for v in verdicts]
        yield {
            "id": name,
            "problem": verdicts[0]["problem_id"],
            "what": "two judges",
            "texts": texts,
            "question": question_behind(sources.db, verdicts[0]["problem_id"], sources.spelling),
        }
    for row in pages(sources.db, Query("answers", filters={"agreement": STRINGS_DIFFER, "known": "greedy"})):
        answer = stored(sources.db, row["id"], sources.spelling)
        if answer is not None:
            note = (
                f"the judge: {answer['outcome']} ({answer['by']}); gold {answer['gold']}, read {answer['final_answer']}"
            )
            asked = question_behind(sources.db, answer["problem_id"], sources.spelling)
            yield {
                "id": marked_as("answers", row["name"], answer["stage"]),
                "problem": answer["problem_id"],
                "what": note,
                "question": asked,
                "texts": [(answer["stage"], answer["text"])],
            }


def _duplicates(sources: Sources) -> Iterator[IndexRow]:
    """Problems that repeat another one, beside the one that stayed."""
    for row in pages(sources.db, Query("rejected", filters={"known": "repeats another"})):
        rejected = stored(sources.db, row["id"], sources.spelling)
        if rejected is not None:
            kept = question_behind(sources.db, rejected["repeats"], sources.spelling)
            text = rejected["text"] or question_behind(sources.db, rejected["item"], sources.spelling)
            yield {
                "id": rejected["item"],
                "problem": rejected["repeats"],
                "what": f"{rejected['reason']} in {rejected['stage']}",
                "question": kept,
                "pieces": differences(kept, text),
                "texts": [],
            }


def _contaminated(sources: Sources) -> Iterator[dict[str, object]]:
    """Training questions most alike to benchmark questions, and what the gates dropped: a later round's sees all lessons anew."""
    gates = (made.artifact for made in sources.made if StageLabel.read(made.label).name == "gate")
    seen = set[tuple[str, str, str]]()
    for pair in (pair for gate in gates for pair in gate.said(GateFacts).pairs):
        test = pair.text("test")
        if (pair.id, pair.benchmark, test) not in seen:
            seen.add((pair.id, pair.benchmark, test))
            scores = ", ".join(f"{look.replace('_', ' ')} {score}" for look, score in pair.scores.items())
            yield {
                "id": pair.id,
                "problem": pair.id,
                "what": f"{pair.benchmark}: {scores}",
                "question": test,
                "texts": [],
                "pieces": differences(test, pair.text("training")),
            }


class _List(NamedTuple):
    title: str
    about: str
    find: Callable[[Sources], Iterator[IndexRow]]


LISTS: dict[str, _List] = {
    "teacher": _List(
        "Teacher doubted", "All samples of a problem agree with each other, against the teacher.", _doubted
    ),
    "known": _List("Against a known answer", "The teacher's answer is not the known one.", _contradicted),
    "judges": _List("Judges disagree", "Two judges, or a judge and the match of strings, differ.", _disagreeing),
    "duplicates": _List("Near-duplicates", "What was left out beside what stayed; differences marked.", _duplicates),
    "contamination": _List(
        "Contamination", "Training questions nearest to benchmark ones; differences marked.", _contaminated
    ),
}
