"""Preferred and rejected answers: q+ and q− of one problem, and which of its pairs are taken (paper, section 3.1).

Pure functions over attempts and verdicts; the stage `preferences` applies them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import lcm
from typing import Literal, NamedTuple

from orcamath.answers import final_answer, same, worked
from orcamath.errors import DataError
from orcamath.records import Attempt, Exercise, Outcome, Response, Verdict, digest

__all__ = [
    "DecidedBy",
    "Judged",
    "Positives",
    "Sides",
    "TeacherSolution",
    "allotted",
    "answer_against_teacher",
    "capped_pairs",
    "decided",
    "joined",
    "sides",
    "with_exercises",
]

Positives = Literal["all", "teacher", "worked"]
TeacherSolution = Literal["always", "when_none_right"]
DecidedBy = Literal["verdict", "worked", "shuffled"]


class Judged(NamedTuple):
    """One sample and what was said of it."""

    attempt: Attempt
    outcome: Outcome


class Sides(NamedTuple):
    """q+ and q− as distinct responses, teacher first, then samples by text."""

    positives: tuple[Response, ...]
    negatives: tuple[Response, ...]


def joined(
    exercises: Iterable[Exercise], attempts: Iterable[Attempt], verdicts: Iterable[Verdict]
) -> Iterator[tuple[Exercise, list[Judged]]]:
    """Join three tables that are in the order of the first, holding one problem in memory.

    An attempt without a verdict is `unjudged`. Raises DataError where a row belongs to nothing.
    """
    attempts, verdicts = iter(attempts), iter(verdicts)
    attempt, verdict = next(attempts, None), next(verdicts, None)
    for exercise in exercises:
        judged: list[Judged] = []
        while attempt is not None and attempt.problem_id == exercise.problem_id:
            outcome: Outcome = "unjudged"
            if verdict is not None and verdict.attempt_id == attempt.id:
                outcome, verdict = verdict.outcome, next(verdicts, None)
            judged.append(Judged(attempt, outcome))
            attempt = next(attempts, None)
        yield exercise, judged
    if attempt is not None:
        raise DataError(
            f"attempt `{attempt.id}` is of problem `{attempt.problem_id}`, which has no exercise in its place: attempts "
            f"have to come in the order of their exercises; sort both by problem"
        )
    if verdict is not None:
        raise DataError(f"verdict of attempt `{verdict.attempt_id}` comes where no such attempt is; judge these again")


def with_exercises(exercises: Iterable[Exercise], attempts: Iterable[Attempt]) -> Iterator[tuple[Exercise, Attempt]]:
    """Yield every attempt with its exercise. As `joined`, of which nobody has judged."""
    return ((exercise, one.attempt) for exercise, some in joined(exercises, attempts, ()) for one in some)


def decided(exercise: Exercise, judged: Sequence[Judged], by: DecidedBy) -> list[Judged]:
    """Return the samples with the outcome that a rule gives them; what nobody could judge stays `unjudged`."""
    if by == "verdict":
        return list(judged)
    known = [j for j in judged if j.outcome != "unjudged"]
    dealt = sorted(range(len(known)), key=lambda i: digest("shuffled", exercise.problem_id, i))
    outcomes: Iterator[Outcome] = iter(
        [known[i].outcome for i in dealt]
        if by == "shuffled"
        else ["agrees" if worked(j.attempt.text) else "disagrees" for j in known]
    )
    return [j if j.outcome == "unjudged" else j._replace(outcome=next(outcomes)) for j in judged]


def sides(
    exercise: Exercise,
    judged: Iterable[Judged],
    positives: Positives = "all",
    teacher_solution: TeacherSolution = "always",
    inclusion: float = 1.0,
) -> Sides:
    """Sort the answers of one problem. The order of the samples changes nothing. `inclusion`: what each sample is weighed by."""
    samples = {"agrees": Counter[tuple[str, bool]](), "disagrees": Counter[tuple[str, bool]]()}
    ids: dict[tuple[str, bool], list[tuple[int, ...] | None]] = {}
    for attempt, outcome in judged:
        if outcome != "unjudged":
            same = (attempt.text, attempt.finish_reason == "stop")
            samples[outcome][same] += 1
            ids.setdefault(same, []).append(attempt.token_ids)
    right, wrong = samples["agrees"], samples["disagrees"]
    if positives == "worked":
        right = Counter({same: n for same, n in right.items() if worked(same[0])})
    teacher: tuple[Response, ...] = ()
    if exercise.solution is not None and (teacher_solution == "always" or positives == "teacher" or not right):
        # a sample in the teacher's own words adds to the teacher's response instead of repeating it
        same = (exercise.solution, True)
        teacher = (Response(text=exercise.solution, origin="teacher", multiplicity=1 + right.pop(same, 0)),)
    if positives == "teacher":
        right.clear()

    def responses(counts: Counter[tuple[str, bool]]) -> tuple[Response, ...]:
        return tuple(
            Response(
                text=text,
                token_ids=min((i for i in ids[text, done] if i is not None), default=None),
                finished=done,
                origin="sample",
                multiplicity=n,
                inclusion=inclusion,
            )
            for (text, done), n in sorted(counts.items())
        )

    return Sides(teacher + responses(right), responses(wrong))


def capped_pairs(n_positives: int, n_negatives: int, max_pairs: int | None) -> tuple[tuple[int, int], ...] | None:
    """Choose at most `max_pairs` of the product, each response as often as any other (to within one round).

    Walks the diagonals of the n+ × n− table, so a cap of max(n+, n−) or more leaves no response out. None for all pairs.
    """
    if max_pairs is None or n_positives * n_negatives <= max_pairs:
        return None
    lap = lcm(n_positives, n_negatives)
    return tuple((k % n_positives, (k + k // lap) % n_negatives) for k in range(max_pairs))


def allotted(wanted: Sequence[int], total: int) -> Iterator[int]:
    """Share out `total` as evenly as can be among those who want so many each, none more than it wants; in order."""
    low, high = 0, max(wanted, default=0)
    while low < high:  # the highest level that all can have
        level = (low + high + 1) // 2
        low, high = (level, high) if sum(min(n, level) for n in wanted) <= total else (low, level - 1)
    over = sum(n > low for n in wanted)
    rest, place = total - sum(min(n, low) for n in wanted), 0
    for n in wanted:
        if n <= low:
            yield n
            continue
        # one more for `rest` of those above the level, spread over the whole list
        yield low + ((place + 1) * rest // over > place * rest // over)
        place += 1


def answer_against_teacher(exercise: Exercise, judged: Sequence[Judged]) -> str | None:
    """Return the one answer that all samples (two at least) give against the teacher; None where they do not."""
    if exercise.label != "teacher" or len(judged) < 2 or any(j.outcome != "disagrees" for j in judged):
        return None
    kind, question, options = exercise.answer_kind, exercise.question, exercise.options
    first, *others = [final_answer(j.attempt.text, kind, question, options) for j in judged]
    if first is None:
        return None
    agree = all(other is not None and same(kind, first, other, question, options) is True for other in others)
    return first if agree else None
