"""How long things are and how varied: students' answers by round, and the lessons by origin.

In: students with their greedy answers; lessons. Out: plain rows. Diversity is distinct-2, the share of word pairs that are
different ones, over the first `SAMPLED` lessons of an origin, since it falls with the size of a sample.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from orcamath.report.rows import Student

__all__ = ["AnswerLength", "LessonKind", "answer_lengths", "lesson_kinds"]

SAMPLED = 500


class AnswerLength(NamedTuple):
    """The answers of one student on one benchmark."""

    benchmark: str
    arm: str
    model: str
    tokens: float | None
    """Mean tokens an answer; None where they were not counted."""
    words: float
    cut_off: float
    """Share of answers that ran into the token limit."""


class LessonKind(NamedTuple):
    """The lessons of one origin."""

    origin: str
    n: int
    question_words: float
    """Median."""
    answer_words: float
    """Median."""
    longest_answer: int
    """Words."""
    distinct_2: float
    """Of the questions."""
    n_sampled: int
    """Questions that `distinct_2` is of."""


def answer_lengths(students: Sequence[Student]) -> list[AnswerLength]:
    """Return every student's answers, of the first seed each, in the order of the students."""
    found: dict[tuple[str, str, str], AnswerLength] = {}
    for s in students:
        for benchmark, answers in s.answers.items():
            rows = list(answers.values())
            tokens = [r.n_tokens for r in rows if r.n_tokens is not None]
            words = sum(len(r.text.split()) for r in rows) / len(rows)
            cut = sum(r.finish_reason == "length" for r in rows) / len(rows)
            mean = sum(tokens) / len(tokens) if tokens else None
            found.setdefault((benchmark, s.arm, s.name), AnswerLength(benchmark, s.arm, s.name, mean, words, cut))
    return list(found.values())


def lesson_kinds(lessons: Iterable[tuple[str, str, str]]) -> list[LessonKind]:
    """Count lessons, each (origin, question, answer), by origin; one pass, two numbers a lesson in memory."""
    asked: dict[str, list[int]] = defaultdict(list)
    answered: dict[str, list[int]] = defaultdict(list)
    pairs: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for origin, question, answer in lessons:
        words = question.split()
        if len(asked[origin]) < SAMPLED:
            pairs[origin].update(pairwise(question.lower().split()))
        asked[origin].append(len(words))
        answered[origin].append(len(answer.split()))
    return [
        LessonKind(
            origin,
            len(n),
            median(n),
            median(answered[origin]),
            max(answered[origin]),
            len(pairs[origin]) / max(1, pairs[origin].total()),
            min(len(n), SAMPLED),
        )
        for origin, n in asked.items()
    ]
