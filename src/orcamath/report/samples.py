"""A few rows as they were written, so that a reader sees what the figures are of: lessons by origin, answers by verdict.

Pure: artifacts and students in, samples out. Always the first in stored order, which is an order by hash: nobody picked them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from orcamath.records import Attempt, Exercise, Lesson, Problem
from orcamath.report.arms import key_of
from orcamath.report.rows import Student
from orcamath.stages.preferences import PreferFacts
from orcamath.stages.review import before_training, to_read
from orcamath.store.artifacts import Artifact
from orcamath.store.stage import StageLabel

__all__ = ["Excerpt", "doubted", "samples"]

MAX_ANSWERS = 2
"""Of each verdict."""
MAX_DOUBTED = 5
"""Problems of an iteration whose teacher is probably wrong."""


class Excerpt(NamedTuple):
    """One row."""

    group: str
    question: str
    text: str
    note: str
    """What it was held against, or how far it is verified."""
    item: str
    """Id of the record; `orcamath show` and the viewer find it."""


def samples(base: Mapping[str, Artifact], students: Sequence[Student]) -> Iterator[Excerpt]:
    """Yield what there is to read before training, then answers of the last student on each benchmark, by verdict."""
    yield from _read_before(base)
    tests = base.get("unseen") or base.get("benchmarks")
    if tests is not None and students:
        yield from _answers(tests, _last(students))


def _read_before(base: Mapping[str, Artifact]) -> Iterator[Excerpt]:
    found = to_read(before_training(base))
    for lesson in sorted(found.lessons, key=lambda x: x.origin):
        yield _lesson(f"lesson from {lesson.origin}", lesson)
    for lesson in found.doubts:
        yield _lesson("lesson against a known answer", lesson)
    for label, rejected in sorted(found.rejects, key=lambda s: s.label):
        note = f"{rejected.reason} {rejected.detail}".strip()
        yield Excerpt(f"rejected by {label}", "", rejected.text, note, rejected.item)


def _lesson(group: str, lesson: Lesson) -> Excerpt:
    known = f", known answer {lesson.gold}" if lesson.gold is not None else ""
    return Excerpt(group, lesson.question, lesson.answer, f"{lesson.verified}{known}", lesson.id)


def _last(students: Sequence[Student]) -> Student:
    """Return the first arm's student of the last iteration."""
    first = next((s.arm for s in students if s.iteration > 1), students[0].arm)
    return max((s for s in students if s.arm == first), key=lambda s: s.iteration)


def _answers(tests: Artifact, student: Student) -> Iterator[Excerpt]:
    who = f"{student.name} of {student.arm}" if student.arm else student.name
    chosen: dict[str, Excerpt] = {}
    shown: Counter[tuple[str, str]] = Counter()
    for benchmark, answers in student.answers.items():
        for problem, answer in answers.items():
            shown[benchmark, answer.outcome] += 1
            if shown[benchmark, answer.outcome] <= MAX_ANSWERS:
                cut = ", cut off" if answer.finish_reason == "length" else ""
                note = f"gold {answer.gold}, read {answer.final_answer or 'no answer'}, {answer.outcome} by {answer.by}{cut}"
                chosen[problem] = Excerpt(f"{benchmark}: {who}, {answer.outcome}", "", answer.text, note, problem)
    asked = {p.id: p.question for p in tests.read(Problem) if p.id in chosen}
    found = [s._replace(question=asked.get(problem, "")) for problem, s in chosen.items()]
    yield from sorted(found, key=lambda s: s.group)


def doubted(arm: str, made: Mapping[str, Artifact]) -> Iterator[Excerpt]:
    """Yield problems whose samples all agree with each other, against the teacher; `made`: an arm's stages by label."""
    for label, preferred in made.items():
        of = StageLabel.read(label)
        practised = made.get(f"reask {of.which}") or made.get(f"practice {of.which}")
        ids = preferred.said(PreferFacts).teacher_doubted_ids if of.name == "preferences" else ()
        if practised is not None and ids:
            yield from _against_teacher(f"{key_of(arm, label)}, the teacher is doubted", practised, ids[:MAX_DOUBTED])


def _against_teacher(group: str, practised: Artifact, ids: Iterable[str]) -> Iterator[Excerpt]:
    wanted = set(ids)
    said: dict[str, str] = {}
    for attempt in practised.read(Attempt):
        if attempt.problem_id in wanted:
            said.setdefault(attempt.problem_id, attempt.text)
    exercises = (e for e in practised.read(Exercise) if e.problem_id in wanted)
    for e in islice(exercises, len(wanted)):
        note = f"the teacher’s answer: {e.reference}"
        yield Excerpt(group, e.question, said.get(e.problem_id, ""), note, e.problem_id)
