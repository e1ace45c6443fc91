"""One optimizer step on sampled answers: token by token against the policy that sampled them.

Every loss is a sum over answers divided by the step's own count, and an answer needs of its problem only three numbers (mean and
deviation of the rewards, and how many there are), so a step may be cut into any parts that fit.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from orcamath.records import Exercise, Rollout
from orcamath.student.encode import Encoder
from orcamath.student.logprobs import Posed, score_tokens
from orcamath.student.losses import Batch, LossFunction, Samples, Totals
from orcamath.student.room import Room, at_once
from orcamath.student.settings import OnlineSettings
from orcamath.student.steps import cut

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Tried", "step_on", "told_before", "tried_of"]

REWARD = {"agrees": 1.0, "disagrees": 0.0}


class Tried(NamedTuple):
    """A problem with its judged answers."""

    problem_id: str
    posed: Posed
    sampled: tuple[tuple[float, ...], ...] | None
    """log π of every token when it was sampled; None where the sampler does not tell: the policy as it is says it then, which is
    the one that sampled in a round's first step only (`told_before`)."""
    rewards: tuple[float, ...]

    @property
    def informative(self) -> bool:
        """Whether one answer is better than another: else every advantage is 0."""
        return len(set(self.rewards)) > 1

    @property
    def n_tokens(self) -> int:
        """Tokens of all answers, each with its prompt."""
        return self.posed.n_tokens


def tried_of(exercises: Sequence[Exercise], rollouts: Sequence[Rollout], encoder: Encoder) -> list[Tried]:
    """Gather a round's answers by problem; what nobody could judge, or is empty, is no answer here."""
    by_id: dict[str, list[Rollout]] = {e.problem_id: [] for e in exercises}
    for rollout in rollouts:
        if rollout.outcome in REWARD and rollout.token_ids:
            by_id[rollout.problem_id].append(rollout)
    found = []
    for exercise in exercises:
        own = by_id[exercise.problem_id]
        known = tuple(r.logp for r in own if r.logp is not None)
        posed = Posed(encoder.prompt(exercise.asked), tuple(r.token_ids for r in own))
        rewards = tuple(REWARD[r.outcome] for r in own)
        found.append(Tried(exercise.problem_id, posed, known if len(known) == len(own) else None, rewards))
    return found


@torch.no_grad()
def told_before(
    model: "PreTrainedModel", tried: Sequence[Tried], settings: OnlineSettings, room: Room | None = None
) -> list[Tried]:
    """Return the problems with log π of every token as it is before any step, where the sampler did not tell it.

    `room`: see `step_on`.
    """
    silent = [t for t in tried if t.sampled is None]
    rows = [Posed(t.posed.prompt, (answer,)) for t in silent for answer in t.posed.answers]
    found: list[tuple[float, ...]] = [()] * len(rows)

    def score(tokens: int) -> None:
        for part in cut(rows, tokens):
            logp, owner = score_tokens(model, _together([rows[i] for i in part]), share=settings.share_prompt)
            for i, own in zip(part, logp.split(owner.bincount().tolist()), strict=True):
                found[i] = tuple(own.tolist())

    (room or Room(at_once(model, settings))).within(score)
    said = iter(found)
    return [t._replace(sampled=tuple(next(said) for _ in t.posed.answers)) if t.sampled is None else t for t in tried]


class _Row(NamedTuple):
    """One answer, which is what cutting deals out."""

    posed: Posed
    sampled: tuple[float, ...] | None
    reward: float
    mean: float
    deviation: float
    n: int


def step_on(
    model: "PreTrainedModel",
    tried: Sequence[Tried],
    loss: LossFunction,
    settings: OnlineSettings,
    n_answers: float,
    room: Room | None = None,
) -> dict[str, float]:
    """Add the gradient of a step's loss to the parameters; returns `loss`, `clip_share`, `kl` and `share_right`.

    `clip_share`: of the tokens, those whose ratio is held at the clip's edge. `kl`: mean over tokens of ρ − 1 − log ρ, an
    estimate of KL(sampler‖policy) that is never negative (Schulman's k3); 0 in a round's first step, up to rounding. `room`: how
    much is forwarded at once, in all steps; where memory runs out the step is scored again in smaller parts.
    """
    rows = [row for t in tried for row in _rows(t)]
    totals = Totals(n_answers, 0.0, 0.0)

    def score(tokens: int) -> _Seen:
        parts = cut([row.posed for row in rows], tokens)
        return _Seen.sum(_seen(model, [rows[i] for i in part], loss, settings, totals) for part in parts)

    room = room or Room(at_once(model, settings))
    seen = room.within(score, lambda: model.zero_grad(set_to_none=True))
    rewards = [r for t in tried for r in t.rewards]
    return {
        "loss": seen.loss,
        "clip_share": seen.n_clipped / seen.n_tokens,
        "kl": seen.kl / seen.n_tokens,
        "share_right": sum(rewards) / len(rewards),
    }


class _Seen(NamedTuple):
    """Sums over the tokens of a step, or of a part of it."""

    loss: float
    n_tokens: int
    n_clipped: int
    kl: float

    @classmethod
    def sum(cls, parts: Iterable["_Seen"]) -> "_Seen":
        """Add up field by field."""
        return cls(*map(sum, zip(*parts, strict=True)))


def _seen(
    model: "PreTrainedModel", rows: Sequence[_Row], loss: LossFunction, settings: OnlineSettings, totals: Totals
) -> _Seen:
    """Add a part's gradient to the parameters."""
    batch = _batch(model, rows, settings, totals)
    value = loss(batch, settings).total
    value.backward()
    s = batch.online
    log_ratio = (s.logp - s.sampled).detach()
    gain = (s.reward - s.mean)[s.owner]
    ratio = log_ratio.exp()
    clipped = ((ratio > 1 + settings.clip) & (gain > 0)) | ((ratio < 1 - settings.clip) & (gain < 0))
    kl = float((torch.expm1(log_ratio) - log_ratio).sum())
    return _Seen(float(value.detach()), len(log_ratio), int(clipped.sum()), kl)


def _rows(tried: Tried) -> list[_Row]:
    mean, deviation, n = (
        fmean(tried.rewards),
        stdev(tried.rewards) if len(tried.rewards) > 1 else 0.0,
        len(tried.rewards),
    )
    told: Sequence[tuple[float, ...] | None] = tried.sampled if tried.sampled is not None else [None] * n
    return [
        _Row(Posed(tried.posed.prompt, (answer,)), sampled, reward, mean, deviation, n)
        for answer, sampled, reward in zip(tried.posed.answers, told, tried.rewards, strict=True)
    ]


def _batch(model: "PreTrainedModel", rows: Sequence[_Row], settings: OnlineSettings, totals: Totals) -> Batch:
    """Score the rows, [B] answers of T tokens."""
    posed = _together([r.posed for r in rows])
    logp, owner = score_tokens(model, posed, share=settings.share_prompt)

    def row(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=logp.dtype, device=logp.device)

    known = [x for r in rows for x in (r.sampled or ())]
    sampled = row(known) if len(known) == len(logp) else logp.detach()
    online = Samples(
        logp=logp,
        sampled=sampled,
        owner=owner,
        reward=row([r.reward for r in rows]),
        mean=row([r.mean for r in rows]),
        deviation=row([r.deviation for r in rows]),
        n=row([r.n for r in rows]),
        longest=settings.max_new_tokens,
    )
    summed = torch.zeros(len(rows), dtype=logp.dtype, device=logp.device).index_add(0, owner, logp)
    none = row([])
    right = torch.tensor([r.reward > 0 for r in rows], device=logp.device)
    return Batch(
        logp=summed,
        reference=torch.zeros_like(summed),
        length=row([len(r.posed.answers[0]) for r in rows]),
        desirable=right,
        weight=torch.ones_like(summed),
        pairs=none.long().view(-1, 2),
        pair_weight=none,
        z0=none.sum(),
        totals=totals,
        samples=online,
    )


def _together(rows: Sequence[Posed]) -> list[Posed]:
    """Put neighbours with one prompt together, so that it is computed once; the answers keep their order."""
    posed: list[Posed] = []
    for prompt, answers in rows:
        if posed and posed[-1].prompt == prompt:
            posed[-1] = Posed(prompt, posed[-1].answers + answers)
        else:
            posed.append(Posed(prompt, answers))
    return posed
