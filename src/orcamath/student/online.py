"""Online rounds: sample, judge, a few steps, and again, the weights in memory throughout. What `stages.online` does with torch.

A round takes at most 64 problems in an order that follows from the seed, samples each a few times (temperature 1, no nucleus),
has the answers judged, and takes up to four clipped steps on them (`losses.grpo`, `dr_grpo`, `rloo`, or one of your own). After
each round weights, moments and samples are checkpointed; a broken-off run goes on from the last round that ended.
"""

import random
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.optim import AdamW

from orcamath.errors import TrainingDiverged
from orcamath.ports import Comparison, Judge
from orcamath.records import Exercise, Rollout, canonical
from orcamath.store.artifacts import Output
from orcamath.store.tables import read_table, write_table
from orcamath.student import checkpoint
from orcamath.student.adapters import save_trained, training_dtype
from orcamath.student.encode import Encoder
from orcamath.student.facts import OnlineFacts, RoundFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.loop import learning_rate
from orcamath.student.losses import LossFunction
from orcamath.student.model import Loaded, contents, load_model
from orcamath.student.prepare import optimizer_of, prepared, quietly
from orcamath.student.room import Room, at_once
from orcamath.student.sampling import Asked, sample_chunk
from orcamath.student.settings import OnlineSettings
from orcamath.student.tried import Tried, step_on, told_before, tried_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["rounds_of", "train_online"]


class _Run(NamedTuple):
    """What stays the same from round to round."""

    out: Output
    settings: OnlineSettings
    loaded: Loaded
    encoder: Encoder
    model: "PreTrainedModel"
    optimizer: AdamW
    judge: Judge
    loss: LossFunction
    room: Room

    @property
    def n_steps(self) -> int:
        """Of all rounds."""
        return self.settings.rounds * self.settings.steps


def rounds_of(n: int, settings: OnlineSettings) -> list[list[int]]:
    """Return each round's problems, by number: one shuffle of all after the other, each taken up where the last round ended.

    No problem comes twice in a round: those of a round that a shuffle's end began come last in the next one.
    """
    order: list[int] = []
    size = min(settings.problems, n)
    for epoch in range(-(-settings.rounds * settings.problems // max(n, 1))):
        again = list(range(n))
        random.Random(f"{settings.seed}/online/{epoch}").shuffle(again)
        begun = order[len(order) // max(size, 1) * size :]
        order += sorted(again, key=begun.__contains__)
    return [order[i * size : (i + 1) * size] for i in range(settings.rounds)]


def train_online(
    out: Output,
    settings: OnlineSettings,
    exercises: Sequence[Exercise],
    student: ModelFolder,
    judge: Judge,
    loss: LossFunction,
) -> OnlineFacts:
    """Do the work of the stage `online`; writes `rollouts` and the folder `model`. Raises ModelError, TrainingDiverged."""
    loaded = load_model(student, dtype=training_dtype(settings), to_train=True)
    model = prepared(loaded, settings)
    optimizer = optimizer_of(model, settings)
    encoder = Encoder(loaded.tokenizer, settings.max_tokens, ends=loaded.ends)
    run = _Run(out, settings, loaded, encoder, model, optimizer, judge, loss, Room(at_once(model, settings)))
    torch.manual_seed(settings.seed)
    begun = checkpoint.resume(out.scratch / "rounds", model, optimizer)
    done: list[RoundFacts] = [RoundFacts.of(r) for r in begun.state["rounds"]] if begun else []
    plan = rounds_of(len(exercises), settings)
    out.progress.begin("online rounds", len(plan))
    out.progress.advance(len(done))
    for number in range(len(done), len(plan)):
        done.append(_round(run, number, [exercises[i] for i in plan[number]]))
        if number + 1 < len(plan):
            state = {"rounds": [r.plain() for r in done]}
            checkpoint.save_checkpoint(out.scratch / "rounds", number + 1, model, optimizer, state)
        out.progress.advance()
    out.progress.end()
    n = out.write("rollouts", (x for i in range(len(plan)) for x in read_table(_table(out, i), Rollout)))
    out.keep(n)
    save_trained(model, loaded.tokenizer, student, out.folder / "model", settings)
    tail = done[-max(1, len(done) // 10) :]
    return OnlineFacts(
        loss=settings.loss,
        n_problems=len(exercises),
        n_samples=n,
        rounds=tuple(done),
        n_steps=sum(r.steps for r in done),
        n_tokens=sum(r.n_tokens for r in done),
        n_answer_tokens=sum(r.n_answer_tokens for r in done),
        n_sampled_tokens=sum(r.n_sampled_tokens for r in done),
        final_loss=sum(r.loss for r in tail) / len(tail),
        contents=contents(out.folder / "model"),
        student=student.fingerprint,
    )


def _table(out: Output, number: int) -> Path:
    return out.scratch / f"rollouts-{number}.parquet"


def _round(run: _Run, number: int, exercises: Sequence[Exercise]) -> RoundFacts:
    """Sample, judge and learn once; leaves the round's samples in the scratch."""
    rollouts = list(_judged(run, number, exercises))
    write_table(_table(run.out, number), "rollouts", rollouts)
    tried = tried_of(exercises, rollouts, run.encoder)
    live = [t for t in tried if t.informative]
    if run.settings.steps > 1:
        with quietly(run.model, run.settings):
            live = told_before(run.model, live, run.settings, run.room)
    steps = [live[i :: run.settings.steps] for i in range(run.settings.steps) if live[i :: run.settings.steps]]
    n_answers = sum(len(t.rewards) for t in tried)
    taken = [_step(run, number, i, part, n_answers / max(len(steps), 1)) for i, part in enumerate(steps)]
    judged = [r.outcome for r in rollouts if r.outcome != "unjudged"]
    n = max(len(taken), 1)
    return RoundFacts(
        right=sum(o == "agrees" for o in judged),
        judged=len(judged),
        informative=len(live),
        steps=len(taken),
        loss=sum(t["loss"] for t in taken) / n,
        clip_share=sum(t["clip_share"] for t in taken) / n,
        kl=sum(t["kl"] for t in taken) / n,
        n_tokens=sum(t.n_tokens for t in live),
        n_answer_tokens=sum(len(a) for t in live for a in t.posed.answers),
        n_sampled_tokens=sum(len(r.token_ids) for r in rollouts),
    )


def _step(run: _Run, number: int, i: int, part: Sequence[Tried], n_answers: float) -> dict[str, float]:
    """Take one optimizer step on a part of a round's problems. Raises TrainingDiverged.

    `n_answers`: what the step's sums are divided by; problems whose answers all had one reward pull nowhere, but count.
    """
    began, settings = time.monotonic(), run.settings
    at = number * settings.steps + i
    rate = learning_rate(at, run.n_steps, settings)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    with quietly(run.model, settings):
        numbers = step_on(run.model, part, run.loss, settings, n_answers, run.room)
    parameters = [p for p in run.model.parameters() if p.requires_grad]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm))
    if not all(x == x and abs(x) != float("inf") for x in (numbers["loss"], norm)):
        ids = ", ".join(t.problem_id for t in part[:8])
        raise TrainingDiverged(
            f"round {number}, step {i}: loss {numbers['loss']}, gradient norm {norm}. Problems of the step: {ids}. Try a "
            f"smaller learning_rate (now {settings.learning_rate:g}) or a smaller clip (now {settings.clip:g})"
        )
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    seconds = time.monotonic() - began
    run.out.metric(
        step=at, grad_norm=norm, learning_rate=rate, tokens_per_s=sum(t.n_tokens for t in part) / seconds, **numbers
    )
    return numbers


def _judged(run: _Run, number: int, exercises: Sequence[Exercise]) -> Iterator[Rollout]:
    """Sample a round's problems and have the answers judged, in order."""
    settings, encoder = run.settings, run.encoder
    context = getattr(run.loaded.model.config, "max_position_embeddings", None) or 1 << 20
    asked, whose = [], []
    for exercise in exercises:
        prompt = encoder.prompt(exercise.asked)
        room = max(0, min(settings.max_new_tokens, context - len(prompt), settings.max_tokens - len(prompt)))
        for draw in range(settings.samples):
            asked.append(Asked(prompt, room, 1.0, 1.0, _seed(settings.seed, number, exercise.problem_id, draw)))
            whose.append((exercise, draw))
    run.model.eval()
    sampled = sample_chunk(run.model, asked, encoder.stop_ids, encoder.decode, logp=True)
    run.model.train()
    texts = [encoder.decode(s.ids) for s in sampled]
    findings = run.judge(
        Comparison(e.question, e.reference, text, e.answer_kind, e.options, s.finish == "stop")
        for (e, _), text, s in zip(whose, texts, sampled, strict=True)
    )
    for (exercise, draw), text, s, finding in zip(whose, texts, sampled, findings, strict=True):
        yield Rollout.make(
            number,
            exercise.problem_id,
            draw,
            text,
            token_ids=s.ids,
            logp=s.logp,
            finish_reason=s.finish,
            outcome=finding.outcome,
            by=finding.by,
            reason=finding.reason,
        )


def _seed(*parts: object) -> int:
    return int.from_bytes(blake2b(canonical(parts), digest_size=8).digest(), "big") >> 1
