"""A few rows as they were written, so that a reader sees what the figures are of: lessons by origin, answers by verdict.

Pure: artifacts and students in, samples out. Always the first in stored order, which is an order by hash: nobody picked them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from orcamath.records import Attempt, Exercise, Lesson, Problem
from orcamath.report.rows import Student
from orcamath.stages.preferences import PreferFacts
from orcamath.store.artifacts import Artifact

__all__ = ["Sample", "doubted", "samples"]

MAX_LESSONS = 2
"""Of each origin."""
MAX_ANSWERS = 2
"""Of each verdict."""
MAX_DOUBTED = 5
"""Problems of an iteration whose teacher is probably wrong."""


class Sample(NamedTuple):
    """One row."""

    group: str
    question: str
    text: str
    note: str
    """What it was held against, or how far it is verified."""
    item: str
    """Id of the record; `orcamath show` and the viewer find it."""


def samples(base: Mapping[str, Artifact], students: Sequence[Student]) -> Iterator[Sample]:
    """Yield lessons of each origin, then answers of the last student on each benchmark, by verdict."""
    gated = base.get("gate")
    if gated is not None:
        yield from _lessons(gated)
    tests = base.get("unseen") or base.get("benchmarks")
    if tests is not None and students:
        yield from _answers(tests, _last(students))


def _lessons(gated: Artifact) -> Iterator[Sample]:
    shown: Counter[str] = Counter()
    for lesson in gated.read(Lesson):
        shown[lesson.origin] += 1
        if shown[lesson.origin] <= MAX_LESSONS:
            known = f", known answer {lesson.gold}" if lesson.gold is not None else ""
            yield Sample(
                f"lesson from {lesson.origin}", lesson.question, lesson.answer, f"{lesson.verified}{known}", lesson.id
            )


def _last(students: Sequence[Student]) -> Student:
    """Return the first arm's student of the last iteration."""
    first = next((s.arm for s in students if s.iteration > 1), students[0].arm)
    return max((s for s in students if s.arm == first), key=lambda s: s.iteration)


def _answers(tests: Artifact, student: Student) -> Iterator[Sample]:
    who = f"{student.name} of {student.arm}" if student.arm else student.name
    chosen: dict[str, Sample] = {}
    shown: Counter[tuple[str, str]] = Counter()
    for benchmark, answers in student.answers.items():
        for problem, answer in answers.items():
            shown[benchmark, answer.outcome] += 1
            if shown[benchmark, answer.outcome] <= MAX_ANSWERS:
                cut = ", cut off" if answer.finish_reason == "length" else ""
                note = f"gold {answer.gold}, read {answer.final_answer or 'no answer'}, {answer.outcome} by {answer.by}{cut}"
                chosen[problem] = Sample(f"{benchmark}: {who}, {answer.outcome}", "", answer.text, note, problem)
    asked = {p.id: p.question for p in tests.read(Problem) if p.id in chosen}
    found = [s._replace(question=asked.get(problem, "")) for problem, s in chosen.items()]
    yield from sorted(found, key=lambda s: s.group)


def doubted(arm: str, made: Mapping[str, Artifact]) -> Iterator[Sample]:
    """Yield problems whose samples all agree with each other, against the teacher; `made`: an arm's stages by label."""
    for label, preferred in made.items():
        kind, _, number = label.partition(" ")
        practised = made.get(f"reask {number}") or made.get(f"practice {number}")
        ids = preferred.said(PreferFacts).teacher_doubted_ids if kind == "preferences" else ()
        if practised is not None and ids:
            where = f"{arm}: {label}" if arm else label
            yield from _against_teacher(f"{where}, the teacher is doubted", practised, ids[:MAX_DOUBTED])


def _against_teacher(group: str, practised: Artifact, ids: Iterable[str]) -> Iterator[Sample]:
    wanted = set(ids)
    said: dict[str, str] = {}
    for attempt in practised.read(Attempt):
        if attempt.problem_id in wanted:
            said.setdefault(attempt.problem_id, attempt.text)
    exercises = (e for e in practised.read(Exercise) if e.problem_id in wanted)
    for e in islice(exercises, len(wanted)):
        note = f"the teacher’s answer: {e.reference}"
        yield Sample(group, e.question, said.get(e.problem_id, ""), note, e.problem_id)
