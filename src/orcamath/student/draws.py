"""What is asked of a sampler and what it gives, and how a token is drawn: the part that every way of sampling shares.

Each row draws from its own generator, so its numbers come neither from its neighbours nor from the order of the batch.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Asked", "Sampled", "draw_tokens", "uniforms"]

TOP = 1_024
"""Most candidates looked at first; where a row's nucleus is wider than that, all are sorted."""
UNREAD = 1e-6
"""The nucleus of a row whose token is chosen otherwise: as narrow as can be, so that no sorting is for its sake."""


class Asked(NamedTuple):
    """One answer wanted."""

    prompt: tuple[int, ...]
    max_new: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()


class Sampled(NamedTuple):
    """One answer: its ids, the stop id included where it was emitted."""

    ids: tuple[int, ...]
    finish: Literal["stop", "length"]
    logp: tuple[float, ...] | None = None
    """log π of every id at temperature 1, where it was asked for and this way of sampling knows it."""


def uniforms(asked: Asked) -> Tensor:
    """Return the row's own numbers in [0, 1), one a token it may draw."""
    return torch.rand(asked.max_new, generator=torch.Generator().manual_seed(asked.seed))


def draw_tokens(logits: Tensor, temperature: Tensor, top_p: Tensor, uniform: Tensor) -> Tensor:
    """Choose a token a row, [n]: the likeliest where `temperature` is 0, else by inverse distribution from `uniform`.

    `logits` [n, V]; `temperature`, `top_p`, `uniform` [n]. The nucleus holds the likeliest tokens up to and including the one
    that reaches `top_p` (arXiv 1904.09751).
    """
    picked, warm = logits.argmax(-1), temperature > 0
    whole, narrow = warm & (top_p >= 1), warm & (top_p < 1)
    some_whole, some_narrow = torch.stack([whole.any(), narrow.any()]).tolist()
    if not some_whole and not some_narrow:
        return picked
    scaled = logits.float() / torch.where(warm, temperature, 1.0)[:, None]
    if some_whole:  # each row by its own way, whatever its neighbours' is
        picked = torch.where(whole, _from_all(scaled, uniform), picked)
    if some_narrow:
        picked = torch.where(narrow, _from_nucleus(scaled, torch.where(narrow, top_p, UNREAD), uniform), picked)
    return picked


def _from_all(scaled: Tensor, uniform: Tensor) -> Tensor:
    """Choose a token a row among all, which stand in order of their ids."""
    cumulative = F.softmax(scaled, -1).cumsum(-1)
    return (cumulative <= (uniform * cumulative[:, -1])[:, None]).sum(-1).clamp(max=scaled.shape[-1] - 1)


def _from_nucleus(scaled: Tensor, top_p: Tensor, uniform: Tensor) -> Tensor:
    """Choose a token a row of its nucleus; among equals they stand in order of their ids, whatever the other rows are."""
    norm, n = scaled.logsumexp(-1, keepdim=True), scaled.shape[-1]
    # tokens of less than (1 - top_p) / n each hold less than 1 - top_p together: no nucleus reaches them
    likely = scaled >= norm + ((1 - top_p) / n).log()[:, None]
    width = min(int(likely.sum(-1).max()), TOP)
    values, index = scaled.topk(width) if width < n // 2 else _sorted(scaled)
    if width == TOP < n and bool(((values - norm).exp().sum(-1) < top_p).any()):
        values, index = _sorted(scaled)
    p = (values - norm).exp()
    cumulative = p.cumsum(-1)
    kept = cumulative - p < top_p[:, None]
    total = F.pad(p * kept, (0, max(0, min(TOP, n) - p.shape[1]))).sum(-1)  # rounded alike at any width
    place = ((cumulative <= (uniform * total)[:, None]) & kept).sum(-1)
    place = torch.minimum(place, kept.sum(-1) - 1)[:, None]
    picked = index.gather(1, place).squeeze(1)
    return picked if values.shape[1] == n else _by_id(picked, place, values, scaled)


def _sorted(scaled: Tensor) -> tuple[Tensor, Tensor]:
    return scaled.sort(dim=-1, descending=True, stable=True)


def _by_id(picked: Tensor, place: Tensor, values: Tensor, scaled: Tensor) -> Tensor:
    """Put what was picked among equals right: in which order `topk` leaves these depends on how many it was asked for."""
    value = values.gather(1, place)
    rows = ((scaled == value).sum(-1) > 1).nonzero().squeeze(1)
    if rows.numel():
        rank = place[rows] - (values[rows] > value[rows]).sum(-1, keepdim=True)
        equal = (scaled[rows] == value[rows]).cumsum(-1)
        picked[rows] = (equal == rank + 1).int().argmax(-1)
    return picked
