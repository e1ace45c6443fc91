"""Stage `practice`: the student answers each problem several times (paper, section 3).

In: the problems that passed the contamination gate. Out: `exercises` (what was asked, and the yardstick) and `attempts`
(what the student said, with the ids it sampled and why it stopped). Nothing is judged here. The paper takes four samples at
temperature 0.7, top_p 0.95.

Deviation: the paper practises on the lessons against the teacher's answer. `problems: fresh` practises on problems the
teacher never solved, `label: known_answer` holds attempts against an answer known without a teacher (gold, or a hidden number).
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from orcamath.ports import Pose, Progress, Request, Sampling
from orcamath.records import Attempt, Exercise, Lesson, Problem, Rejected, Settings, digest, outside_digest
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.ledger import Remembered

__all__ = ["VERSION", "PracticeSettings", "ServerSettings", "practise"]

VERSION = 1


class ServerSettings(Settings):
    """A server that samples the student, one checkpoint at a time (vLLM, SGLang, …): started before, stopped after."""

    command: str
    """How to start the server; `{model}`, `{name}` and `{port}` are put in. No shell reads it."""
    start_timeout_s: float = Field(default=900.0, gt=0)
    timeout_s: float = Field(default=300.0, gt=0)
    concurrency: int = Field(default=256, ge=1)


class PracticeSettings(Settings):
    """How the student practises."""

    problems: Literal["lessons", "fresh", "all"] = "lessons"
    """Problems the teacher solved (paper), problems it never solved, or both."""
    label: Literal["teacher", "known_answer"] = "teacher"
    """Whose answer an attempt is held against."""
    samples: int = Field(4, ge=1)
    temperature: float = Field(0.7, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    max_new_tokens: int = Field(512, ge=1)
    max_problems: int | None = Field(None, ge=1)
    """Practise on this many at most, chosen by hash: a larger number keeps the smaller one's choice."""
    server: ServerSettings | None = outside_digest(None)
    """Sample from a server instead of in this process."""
    seed: int = 0
    """Chooses another subset."""


def practise(
    out: Output, settings: PracticeSettings, gated: Artifact, student: Remembered, pose: Pose, progress: Progress
) -> None:
    """Sample the student on every chosen problem; writes `exercises` and `attempts`, in input order."""
    exercises = _chosen(list(_exercises(out, settings, gated)), settings)
    draws = range(settings.samples if settings.temperature > 0 else 1)  # greedy answers are all the same
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)

    def requests() -> Iterator[tuple[Exercise, Request]]:
        for exercise in exercises:
            for draw in draws:
                yield exercise, pose(exercise.question, sampling, draw)

    progress.begin("practise", len(exercises) * len(draws))
    student.fill((request for _, request in requests()), progress)
    progress.end()
    out.write("exercises", exercises)
    out.write("attempts", _attempts(out, requests(), student))
    out.facts |= {
        "n_exercises": len(exercises), "n_samples": len(draws), "problems": settings.problems, "label": settings.label,
    }  # fmt: skip


def _attempts(out: Output, asked: Iterator[tuple[Exercise, Request]], student: Remembered) -> Iterator[Attempt]:
    cut = tokens = 0
    for exercise, request in asked:
        reply = student.reply(request)
        if reply is None:
            continue  # its failure is already in the books, so the stage will not be sealed
        out.balance.asked += 1
        if reply.finish_reason == "refused":
            out.reject(Rejected(item=exercise.problem_id, reason="refused", text=reply.text), of_call=True)
            continue
        out.balance.parsed += 1
        out.balance.results += 1
        out.balance.kept += 1
        cut += reply.finish_reason == "length"
        tokens += reply.usage.completion_tokens
        yield Attempt.make(
            exercise.problem_id, request.draw, reply.text, student.fingerprint, token_ids=reply.token_ids,
            finish_reason=reply.finish_reason,
        )  # fmt: skip
    out.facts |= {"n_cut_off": cut, "n_sampled_tokens": tokens}


def _exercises(out: Output, settings: PracticeSettings, gated: Artifact) -> Iterator[Exercise]:
    """Build the exercises that have a yardstick; those without one are rejected by name."""
    seen: set[str] = set()
    if settings.problems != "fresh":
        for lesson in gated.read(Lesson):
            if lesson.problem_id not in seen:  # a problem may have several lessons: it is practised once
                seen.add(lesson.problem_id)
                yield from _of_lesson(out, settings, lesson)
    if settings.problems != "lessons":
        for problem in gated.read(Problem):
            if problem.id not in seen:
                seen.add(problem.id)
                yield from _of_problem(out, settings, problem)


def _of_lesson(out: Output, settings: PracticeSettings, lesson: Lesson) -> Iterator[Exercise]:
    teacher = settings.label == "teacher"
    reference = lesson.final_answer if teacher else lesson.gold
    if reference is None:
        _reject(out, lesson.problem_id, "no_final_answer" if teacher else "no_known_answer")
        return
    # held against a known answer, the teacher's text is an example only where it was checked against that answer
    right = teacher or lesson.verified in ("gold", "hidden_number")
    yield Exercise(
        problem_id=lesson.problem_id, question=lesson.question, reference=reference,
        solution=lesson.answer if right else None, answer_kind=lesson.answer_kind, options=lesson.options,
        label=settings.label,
    )  # fmt: skip


def _of_problem(out: Output, settings: PracticeSettings, problem: Problem) -> Iterator[Exercise]:
    if settings.label == "teacher":
        _reject(out, problem.id, "no_teacher_answer")
    elif problem.answer is None:
        _reject(out, problem.id, "no_known_answer")
    else:
        yield Exercise(
            problem_id=problem.id, question=problem.question, reference=problem.answer,
            answer_kind=problem.answer_kind, options=problem.options, label=settings.label,
        )  # fmt: skip


def _reject(out: Output, item: str, reason: str) -> None:
    out.balance.results += 1
    out.reject(Rejected(item=item, reason=reason))


def _chosen(exercises: list[Exercise], settings: PracticeSettings) -> list[Exercise]:
    if settings.max_problems is None or len(exercises) <= settings.max_problems:
        return exercises
    order = sorted(exercises, key=lambda e: digest("practice", settings.seed, e.problem_id))
    keep = {e.problem_id for e in order[: settings.max_problems]}
    return [e for e in exercises if e.problem_id in keep]
