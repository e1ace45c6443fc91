"""Stage `evaluate`: a model answers benchmark problems, and a judge holds each answer against gold.

In: benchmark problems, a model, the pose in which it was trained. Out: table `scored`, one row an answer, and facts a
benchmark: greedy pass@1 with its interval, strict and flexible string matches beside the judged score, share of
answers cut off, tokens and model calls an answer, how many show their working and how right these are, scores by level; with
more samples maj@k and pass@k. Paper, section 4: GSM8K, greedy.

Draw 0 is always the greedy answer and the one that pass@1 counts; sampled answers are draws 1 … k.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from itertools import groupby, tee
from typing import NamedTuple

from pydantic import Field, model_validator

from orcamath.answers import final_answer
from orcamath.errors import UsageError, nearest
from orcamath.ports import Comparison, Judge, Message, Pose, Reply, Request, Sampling
from orcamath.records import Lesson, Outcome, Problem, Scored, Settings, digest, later
from orcamath.scoring.facts import EvaluateFacts
from orcamath.scoring.scores import tokens_of
from orcamath.scoring.tally import BenchmarkTally
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage

__all__ = ["EvaluateFacts", "EvaluateSettings", "all_read", "evaluate", "turns_shown"]


class EvaluateSettings(Settings):
    """On what, and how, a model is measured."""

    benchmarks: tuple[str, ...] = ()
    """Names of the benchmarks to measure on; empty for all that were read."""
    max_new_tokens: int = Field(default=512, ge=1)
    samples: int = Field(default=1, ge=1)
    """1: the greedy answer only. k > 1: k sampled answers besides, for maj@k and pass@k; k + 1 calls a problem."""
    temperature: float = Field(default=0.0, ge=0)
    """Of the sampled answers; must be above 0 where there are any."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    limit: int | None = Field(default=None, ge=1)
    """Only the first so many problems of each benchmark."""
    sample_limit: int | None = later(None, ge=1)
    """Sampled answers to the first so many of these only; the greedy one is asked of all."""

    @model_validator(mode="after")
    def _sampled_answers_differ(self) -> "EvaluateSettings":
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"samples: {self.samples} needs a temperature above 0, or all answers are the same (try 0.7)"
            )
        return self


def turns_shown(lessons: Artifact, n: int) -> tuple[Message, ...]:
    """Return `n` lessons as turns of a conversation, chosen by a hash of their ids: examples for a base that saw none."""
    chosen = nsmallest(n, lessons.read(Lesson), key=lambda lesson: digest("shown", lesson.id))
    return tuple(m for x in chosen for m in (Message("user", x.asked), Message("assistant", x.answer)))


class _Asked(NamedTuple):
    problem: Problem
    request: Request


class _Chosen(NamedTuple):
    problem: Problem
    samples: int
    """Sampled answers beside the greedy one."""


class _Answered(NamedTuple):
    problem: Problem
    draw: int
    reply: Reply


@stage("evaluate", version=7, settings=EvaluateSettings, facts=EvaluateFacts)
def evaluate(
    out: Output,
    settings: EvaluateSettings,
    benchmarks: Artifact,
    model: Remembered,
    pose: Pose,
    judge: Judge,
) -> EvaluateFacts:
    """Write `scored` in the benchmarks' order, draws together. Raises what the model raises; wire failures are kept.

    A refused answer is wrong; one that the judge leaves open is counted as not right, and shown as `unjudged`.
    """
    chosen = _chosen(benchmarks, settings)

    def asked() -> Iterator[_Asked]:
        return (_Asked(c.problem, request) for c in chosen for request in _requests(c, settings, pose))

    n_answers = sum(1 + c.samples for c in chosen)
    out.progress.begin("evaluate", n_answers)
    model.fill((a.request for a in asked()), out.progress)
    n_asked = out.calls.n
    out.progress.begin("judge", n_answers)
    tallies: dict[str, BenchmarkTally] = {}

    def scored() -> Iterator[Scored]:
        answered, again = tee(_answered(asked(), model, out))
        findings = judge(_comparison(a) for a in answered)
        judged = (_scored(a, *finding[:2]) for a, finding in zip(again, findings, strict=True))
        by_id = iter(chosen)
        for problem_id, rows in groupby(judged, key=lambda row: row.problem_id):
            group = list(rows)
            out.progress.advance(len(group))
            problem, samples = next(c for c in by_id if c.problem.id == problem_id)
            if len(group) == 1 + samples:  # else a call failed on the wire, and nothing is sealed
                tallies.setdefault(problem.source, BenchmarkTally()).add(problem, group)
            yield from group

    out.write("scored", scored())
    out.progress.end()
    return EvaluateFacts(
        benchmarks={name: tally.facts(settings.samples) for name, tally in tallies.items()},
        samples=settings.samples,
        temperature=settings.temperature if settings.samples > 1 else 0.0,
        max_new_tokens=settings.max_new_tokens,
        judge_calls=out.calls.n - n_asked,
    )


def _chosen(benchmarks: Artifact, settings: EvaluateSettings) -> list[_Chosen]:
    """Return the problems to ask, each once. Raises UsageError: see `all_read`."""
    taken: Counter[str] = Counter()
    known: set[str] = set()
    chosen: dict[str, _Chosen] = {}
    for problem in benchmarks.read(Problem):
        known.add(problem.source)
        wanted = not settings.benchmarks or problem.source in settings.benchmarks
        if wanted and problem.answer is not None and (settings.limit is None or taken[problem.source] < settings.limit):
            sampled = settings.sample_limit is None or taken[problem.source] < settings.sample_limit
            taken[problem.source] += 1
            chosen.setdefault(problem.id, _Chosen(problem, settings.samples if sampled and settings.samples > 1 else 0))
    _refuse_unknown(settings, known)
    return list(chosen.values())


def _refuse_unknown(settings: EvaluateSettings, known: Iterable[str]) -> None:
    for name in settings.benchmarks:
        if name not in known:
            raise UsageError(f"`evaluate.benchmarks` names `{name}`, which was not read; {nearest(name, known)}")


def all_read(benchmarks: Artifact, wanted: Iterable[EvaluateSettings]) -> None:
    """Raise UsageError for a benchmark that is to be measured on and was not read: known before anything is paid for."""
    wanted = [settings for settings in wanted if settings.benchmarks]
    known = {problem.source for problem in benchmarks.read(Problem)} if wanted else set()
    for settings in wanted:
        _refuse_unknown(settings, known)


def _requests(chosen: _Chosen, settings: EvaluateSettings, pose: Pose) -> Iterator[Request]:
    asked = chosen.problem.asked
    yield pose(asked, Sampling(max_tokens=settings.max_new_tokens), 0)
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
    for draw in range(1, chosen.samples + 1):
        yield pose(asked, sampling, draw)


def _answered(asked: Iterator[_Asked], model: Remembered, out: Output) -> Iterator[_Answered]:
    for problem, request in asked:
        reply = model.reply(request)
        if reply is None:
            continue  # its failure is among the wire failures, so the stage will not be sealed
        out.parsed()
        out.keep()
        yield _Answered(problem, request.draw, reply)


def _comparison(answered: _Answered) -> Comparison:
    problem, _, reply = answered
    return Comparison(
        problem.question,
        problem.answer or "",
        reply.text,
        problem.answer_kind,
        problem.options,
        reply.finish_reason == "stop",
    )


def _scored(answered: _Answered, outcome: Outcome, by: str) -> Scored:
    problem, draw, reply = answered
    if reply.finish_reason == "refused":
        outcome, by = "disagrees", "refused"
    return Scored(
        problem_id=problem.id,
        benchmark=problem.source,
        draw=draw,
        text=reply.text,
        final_answer=final_answer(reply.text, problem.answer_kind, problem.question, problem.options),
        gold=problem.answer or "",
        outcome=outcome,
        by=by,
        finish_reason="length" if reply.finish_reason == "length" else "stop",
        n_tokens=tokens_of(reply),
        family=problem.family,
    )
