"""One optimizer step over preference groups: cut into micro-batches, score each response once, add up gradients.

Every sum is divided by the step's own counts, so the step's loss and gradient do not depend on how it was cut, in which
order, or how rows were padded.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from orcamath.student.groups import Group
from orcamath.student.logprobs import Posed, score
from orcamath.student.loop import StepReport
from orcamath.student.losses import Batch, Loss, Totals, needs_of
from orcamath.student.losses.nll import nll
from orcamath.student.settings import LossSettings

__all__ = ["Objective", "Referenced", "cut", "gradients", "score_all", "totals", "z0"]


class Referenced(NamedTuple):
    """A group with the reference's log-prob of each response."""

    group: Group
    reference: tuple[float, ...]


class Objective(NamedTuple):
    """What is minimised: a loss, its settings, and an NLL term on right answers."""

    loss: Callable[[Batch, Any], Loss]
    settings: LossSettings
    nll_weight: float = 0.0


def totals(groups: Sequence[Group]) -> Totals:
    """Count a step."""
    return Totals(
        sum(sum(g.weights) for g in groups),
        sum(x for g in groups for _, _, x in g.pairs),
        sum(w * len(r) for g in groups for r, d, w in zip(g.responses, g.desirable, g.weights, strict=True) if d),
    )


def cut(sizes: Sequence[tuple[int, int]], budget: int) -> list[list[int]]:
    """Cut items into micro-batches of at most `budget` padded tokens; an item that is larger stands alone.

    `sizes`: (rows, longest row) of each item. Items of like length come together, so little is padding.
    """
    batches: list[list[int]] = []
    rows = longest = 0
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i][1], i)):
        rows, longest = rows + sizes[i][0], max(longest, sizes[i][1])
        if not batches or rows * longest > budget:
            batches.append([])
            rows, longest = sizes[i]
        batches[-1].append(i)
    return batches


def _size(posed: Posed) -> tuple[int, int]:
    return len(posed.answers), len(posed.prompt) + max(map(len, posed.answers))


@torch.no_grad()
def score_all(model: Any, problems: Sequence[Posed], budget: int) -> list[tuple[float, ...]]:
    """Return the log-probs of every problem's answers, without gradient, in order."""
    out: list[tuple[float, ...]] = [()] * len(problems)
    asked = [i for i, p in enumerate(problems) if p.answers]
    for batch in cut([_size(problems[i]) for i in asked], budget):
        chosen = [asked[k] for k in batch]
        values = score(model, [problems[i] for i in chosen]).tolist()
        for i in chosen:
            n = len(problems[i].answers)
            out[i], values = tuple(values[:n]), values[n:]
    return out


def z0(policy: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> float:
    """Return KTO's baseline, max(0, mean of log π/π_ref over mismatched answers); 0 where there are none."""
    ratios = [p - r for ps, rs in zip(policy, reference, strict=True) for p, r in zip(ps, rs, strict=True)]
    return max(0.0, sum(ratios) / len(ratios)) if ratios else 0.0


def gradients(
    model: Any, groups: Sequence[Referenced], objective: Objective, baseline: float, budget: int, autocast: bool = False
) -> StepReport:
    """Add the gradient of the step's loss to the parameters and report what was seen."""
    whole = totals([g.group for g in groups])
    loss = 0.0
    seen: list[tuple[Referenced, list[float]]] = []
    posed = [Posed(g.group.prompt, g.group.responses) for g in groups]
    for micro in cut([_size(p) for p in posed], budget):
        part = [groups[i] for i in micro]
        with torch.autocast(model.device.type, torch.bfloat16) if autocast else nullcontext():
            logp = score(model, [posed[i] for i in micro])
        value = _value(logp, part, objective, baseline, whole)
        value.backward()
        loss += float(value.detach())
        values = logp.detach().tolist()
        for g in part:
            n = len(g.reference)
            seen.append((g, values[:n]))
            values = values[n:]
    return StepReport(loss, sum(g.group.n_tokens for g in groups), _numbers(seen, baseline, objective))


def _value(logp: Tensor, part: Sequence[Referenced], objective: Objective, baseline: float, whole: Totals) -> Tensor:
    """Return a micro-batch's share of the step's loss."""
    batch = _batch(logp, part, baseline, whole)
    value = objective.loss(batch, objective.settings).total
    if objective.nll_weight:
        value = value + objective.nll_weight * nll(logp, batch.weight * batch.desirable, whole.positive_tokens)
    return value


def _batch(logp: Tensor, part: Sequence[Referenced], baseline: float, whole: Totals) -> Batch:
    pairs, start = [], 0
    for g in part:
        pairs += [(start + w, start + loser, x) for w, loser, x in g.group.pairs]
        start += len(g.reference)

    def row(values: list[Any], dtype: torch.dtype | None = None) -> Tensor:
        return torch.tensor(values, dtype=dtype or logp.dtype, device=logp.device)

    return Batch(
        logp,
        row([r for g in part for r in g.reference]),
        row([len(r) for g in part for r in g.group.responses]),
        row([d for g in part for d in g.group.desirable], torch.bool),
        row([w for g in part for w in g.group.weights]),
        row([p[:2] for p in pairs], torch.long).view(-1, 2),
        row([p[2] for p in pairs]),
        row([baseline]).squeeze(0),
        whole,
    )


def _numbers(seen: Sequence[tuple[Referenced, list[float]]], baseline: float, objective: Objective) -> dict[str, float]:
    """Return what a person watches: log-probs of right and wrong answers, margins, z0, share of off-topic answers."""
    good: list[float] = []
    bad: list[float] = []
    good_ratio: list[float] = []
    bad_ratio: list[float] = []
    off = 0
    for g, values in seen:
        for v, r, d, o in zip(values, g.reference, g.group.desirable, g.group.off_topic, strict=True):
            (good if d else bad).append(v)
            (good_ratio if d else bad_ratio).append(v - r)
            off += o
    beta = objective.settings.beta
    need = needs_of(objective.loss)
    numbers = {"z0": baseline} if "z0" in need else {}
    if good:
        numbers["logp_chosen"] = _mean(good)
    if bad:
        numbers |= {"logp_rejected": _mean(bad), "off_topic_share": off / (len(good) + len(bad))}
    if "reference" not in need:
        return numbers
    if good:
        numbers["reward_chosen"] = beta * _mean(good_ratio)
    if bad:
        numbers["reward_rejected"] = beta * _mean(bad_ratio)
    if good and bad:
        numbers["margin"] = numbers["reward_chosen"] - numbers["reward_rejected"]
    return numbers


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
