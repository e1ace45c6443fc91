"""One optimizer step over preference groups: cut into micro-batches, score each response once, add up gradients.

Every sum is divided by the step's own counts, so the step's loss and gradient do not depend on how it was cut, in which
order, or how rows were padded.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import torch
from torch import Tensor

from orcamath.student.groups import Group, only
from orcamath.student.logprobs import Posed, score
from orcamath.student.losses import Batch, LossFunction, Totals, needs_of
from orcamath.student.losses.nll import nll
from orcamath.student.packing import can_pack, on_device
from orcamath.student.processes import ALONE, World
from orcamath.student.settings import LossSettings
from orcamath.student.watch import Sums, looked_at, watched

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = [
    "IDLE",
    "Compared",
    "Objective",
    "Referenced",
    "StepReport",
    "cut",
    "gradients",
    "score_all",
    "step_slices",
    "totals",
    "z0",
]


IDLE = Posed((0,), ((0,),))
"""The least that can be scored: one token after one."""


class Referenced(NamedTuple):
    """A group with the reference's log-prob of each response."""

    group: Group
    reference: tuple[float, ...]


class Compared(NamedTuple):
    """Answers that KTO's baseline is measured on, and the reference's log-probs of them."""

    posed: Posed
    reference: tuple[float, ...]


class Objective(NamedTuple):
    """What is minimised: a loss, its settings, and an NLL term on right answers."""

    loss: LossFunction
    settings: LossSettings
    nll_weight: float = 0.0

    def numbers(self, sums: Sums, baseline: float) -> dict[str, float]:
        """Return a step's numbers for people out of its sums."""
        need = needs_of(self.loss)
        return watched(sums, self.settings.beta, baseline if "z0" in need else None, reference="reference" in need)


class StepReport(NamedTuple):
    """What one step says of itself, before the optimizer moves."""

    loss: float
    n_tokens: int
    """Forwarded with gradient, every answer counted with its prompt."""
    numbers: dict[str, float]
    sums: Sums = Sums()
    """What the numbers were made of."""


def totals(groups: Sequence[Group]) -> Totals:
    """Count a step."""
    return Totals(
        sum(sum(g.weights) for g in groups),
        sum(x for g in groups for _, _, x in g.pairs),
        sum(w * len(r) for g in groups for r, d, w in zip(g.responses, g.desirable, g.weights, strict=True) if d),
    )


def cut(problems: Sequence[Posed], budget: int, *, share: bool = True) -> list[list[int]]:
    """Cut problems into micro-batches of at most `budget` forwarded tokens; `share`: a prompt is one of them once.

    A larger problem stands alone. Problems of like length come together, so that little is padding.
    """
    longest = [len(p.prompt) + max(map(len, p.answers)) for p in problems]
    batches: list[list[int]] = []
    tokens = 0
    for i in sorted(range(len(problems)), key=lambda i: (-longest[i], i)):
        size = problems[i].n_forwarded(share=share)
        tokens += size
        if not batches or tokens > budget:
            batches.append([])
            tokens = size
        batches[-1].append(i)
    return batches


def step_slices(problem: Posed, budget: int, *, share: bool = True) -> list[Posed]:
    """Cut one problem's answers into runs of at most `budget` forwarded tokens, each with the prompt; one answer at least."""
    out = [Posed(problem.prompt, ())]
    for answer in problem.answers:
        longer = Posed(problem.prompt, (*out[-1].answers, answer))
        if out[-1].answers and longer.n_forwarded(share=share) > budget:
            longer = Posed(problem.prompt, (answer,))
            out.append(longer)
        out[-1] = longer
    return out


def _packs(model: "PreTrainedModel", problems: Sequence[Posed]) -> bool:
    """Tell whether these may share their prompts: a model that takes padded rows forwards each prompt with every answer."""
    return can_pack(model, max((len(p.prompt) + len(a) for p in problems for a in p.answers), default=0))


@torch.no_grad()
def score_all(
    model: "PreTrainedModel",
    problems: Sequence[Posed],
    budget: int,
    *,
    share: bool = True,
    even: Callable[[int], int] = int,
) -> list[tuple[float, ...]]:
    """Return the log-probs of every problem's answers, without gradient, in order. `even`: see `gradients`."""
    share = share and _packs(model, problems)
    out: list[tuple[float, ...]] = [()] * len(problems)
    pieces = [(i, s) for i, p in enumerate(problems) if p.answers for s in step_slices(p, budget, share=share)]
    found: list[list[float]] = [[] for _ in pieces]
    batches = cut([s for _, s in pieces], budget, share=share)
    for batch in batches:
        values = score(model, [pieces[k][1] for k in batch], share=share).tolist()
        for k in batch:
            n = len(pieces[k][1].answers)
            found[k], values = values[:n], values[n:]
    for _ in range(even(len(batches)) - len(batches)):
        score(model, [IDLE], share=share)
    for (i, _), values in zip(pieces, found, strict=True):
        out[i] += tuple(values)
    return out


def z0(policy: Sequence[Sequence[float]], reference: Sequence[Sequence[float]], world: World = ALONE) -> float:
    """Return KTO's baseline, max(0, mean of log π/π_ref over mismatched answers); 0 where there are none.

    Each process of a `world` brings its own answers; the mean is over those of all.
    """
    ratios = [p - r for ps, rs in zip(policy, reference, strict=True) for p, r in zip(ps, rs, strict=True)]
    total, n = world.total(sum(ratios), len(ratios))
    return max(0.0, total / n) if n else 0.0


def gradients(
    model: "PreTrainedModel",
    groups: Sequence[Referenced],
    objective: Objective,
    baseline: float,
    budget: int,
    *,
    share: bool = True,
    whole: Totals | None = None,
    even: Callable[[int], int] = int,
) -> StepReport:
    """Add the gradient of the step's loss to the parameters and report what was seen.

    A problem larger than `budget` is scored in slices, which a loss that reads no pairs takes as they come. For one that does,
    they are scored without gradient first: what the loss then says of each log-prob is all that the slices need, one after the
    other, to add up to the same gradient; dropout draws the same both times. `whole`: the step's counts, where `groups` are only
    one process's part of it. `even`: how many forwards are to be run where n are needed (a sharded model's processes all run the
    same number).
    """
    whole = whole or totals([g.group for g in groups])
    posed = [Posed(g.group.prompt, g.group.responses) for g in groups]
    share = share and _packs(model, posed)
    micros = cut(posed, budget, share=share)
    large = {
        m[0]: pieces for m in micros if len(m) == 1 and len(pieces := step_slices(posed[m[0]], budget, share=share)) > 1
    }
    paired = "pairs" in needs_of(objective.loss)
    known, drawn = _without_gradient(model, large if paired else {}, share, even)
    n = 0
    seen: list[_Seen] = []
    for micro in micros:
        part, pieces = [groups[i] for i in micro], large.get(micro[0], [])
        n += len(pieces) or 1
        if pieces and not paired:
            seen.append((part, *_slice_by_slice(model, part[0], pieces, objective, baseline, whole, share)))
            continue
        logp = known[micro[0]] if pieces else score(model, [posed[i] for i in micro], share=share)
        value = _value(logp, part, objective, baseline, whole)
        value.backward()
        if pieces:
            assert logp.grad is not None
            coefficients = logp.grad.split([len(p.answers) for p in pieces])
            for piece, coefficient, state in zip(pieces, coefficients, drawn[micro[0]], strict=True):
                with _drawing_from(model.device, state):
                    (coefficient * score(model, [piece], share=share)).sum().backward()
        seen.append((part, value.detach(), logp.detach()))
    loss, sums = _read(seen)
    for _ in range(even(n) - n):
        (0.0 * score(model, [IDLE], share=share)).sum().backward()
    return StepReport(loss, sum(g.group.n_tokens for g in groups), objective.numbers(sums, baseline), sums)


_Seen: TypeAlias = tuple[list[Referenced], Tensor, Tensor]
"""A micro-batch, its share of the loss, its log-probs."""


def _read(seen: Sequence[_Seen]) -> tuple[float, Sums]:
    """Add up what was seen, when all is under way: reading waits for the device."""
    loss, sums = 0.0, Sums()
    for part, value, logp in seen:
        loss += float(value)
        values = logp.tolist()
        for g in part:
            size = len(g.reference)
            sums = sums.plus(looked_at(g.group, values[:size], g.reference))
            values = values[size:]
    return loss, sums


def _slice_by_slice(
    model: "PreTrainedModel",
    large: Referenced,
    pieces: Sequence[Posed],
    objective: Objective,
    baseline: float,
    whole: Totals,
    share: bool,
) -> tuple[Tensor, Tensor]:
    """Add a sliced problem's gradient, for a loss that reads no pairs: each slice by itself. Returns loss and log-probs."""
    values, logps, start = [], [], 0
    for piece in pieces:
        end = start + len(piece.answers)
        inside = only(large.group, [start <= k < end for k in range(len(large.reference))])
        logp = score(model, [piece], share=share)
        value = _value(logp, [Referenced(inside, large.reference[start:end])], objective, baseline, whole)
        value.backward()
        values.append(value.detach())
        logps.append(logp.detach())
        start = end
    return torch.stack(values).sum(), torch.cat(logps)


@torch.no_grad()
def _without_gradient(
    model: "PreTrainedModel", large: Mapping[int, Sequence[Posed]], share: bool, even: Callable[[int], int]
) -> tuple[dict[int, Tensor], dict[int, list[Tensor]]]:
    """Score sliced problems, as leaves that the loss can be differentiated with respect to, and say what each slice drew from."""
    known, drawn = dict[int, Tensor](), dict[int, list[Tensor]]()
    for i, pieces in large.items():
        logps, drawn[i] = [], []
        for piece in pieces:
            drawn[i].append(_random(model.device))
            logps.append(score(model, [piece], share=share))
        known[i] = torch.cat(logps).requires_grad_()
    n = sum(map(len, large.values()))
    for _ in range(even(n) - n):
        score(model, [IDLE], share=share)
    return known, drawn


def _random(device: torch.device) -> Tensor:
    """Return the state of the generator that dropout on a device draws from."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


@contextmanager
def _drawing_from(device: torch.device, state: Tensor) -> Iterator[None]:
    """Draw from an earlier state; what is drawn afterwards goes on as if nothing had been."""
    restore = partial(torch.cuda.set_rng_state, device=device) if device.type == "cuda" else torch.set_rng_state
    now = _random(device)
    restore(state)
    yield
    restore(now)


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

    def row(values: list[object], dtype: torch.dtype | None = None) -> Tensor:
        return on_device(torch.tensor(values, dtype=dtype or logp.dtype), logp.device)

    return Batch(
        logp=logp,
        reference=row([r for g in part for r in g.reference]),
        length=row([len(r) for g in part for r in g.group.responses]),
        desirable=row([d for g in part for d in g.group.desirable], torch.bool),
        weight=row([w for g in part for w in g.group.weights]),
        pairs=row([p[:2] for p in pairs], torch.long).view(-1, 2),
        pair_weight=row([p[2] for p in pairs]),
        z0=row([baseline]).squeeze(0),
        totals=whole,
    )
