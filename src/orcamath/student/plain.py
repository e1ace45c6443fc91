"""Sampling by transformers' own `generate`, for architectures that are not known: their own masks, caches and states.

Rows of equal length run together, so nothing is padded. A row's draw is made as everywhere (`draws`) and then handed to
`generate` as the only token it may take. Slower than slots, since rows that have ended wait for the longest.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from orcamath.student.draws import Asked, Sampled, draw_tokens, uniforms

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["neutral", "sample_plain"]


@contextmanager
def neutral(model: "PreTrainedModel") -> Iterator[None]:
    """Let `generate` do what it is asked: a base's own top_k, penalties and temperature are laid aside meanwhile."""
    own, model.generation_config = model.generation_config, GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def sample_plain(
    model: "PreTrainedModel",
    chunk: Sequence[Asked],
    stop_ids: frozenset[int],
    decode: Callable[[Sequence[int]], str],
    n_rows: int = 64,
) -> list[Sampled]:
    """Answer a chunk, in order, as `sampling.sample_chunk` does."""
    out = [Sampled((), "length")] * len(chunk)
    with neutral(model):
        for places in _alike(chunk, n_rows):
            answers = _generated(model, [chunk[i] for i in places], stop_ids, decode)
            for i, sampled in zip(places, answers, strict=True):
                out[i] = sampled
    return out


def _alike(chunk: Sequence[Asked], n_rows: int) -> Iterator[list[int]]:
    """Yield places of prompts of one length, `n_rows` at most."""

    def length(i: int) -> int:
        return len(chunk[i].prompt)

    for _, group in groupby(sorted((i for i, a in enumerate(chunk) if a.max_new > 0), key=length), length):
        places = list(group)
        yield from (places[k : k + n_rows] for k in range(0, len(places), n_rows))


def _generated(
    model: "PreTrainedModel", rows: Sequence[Asked], stop_ids: frozenset[int], decode: Callable[[Sequence[int]], str]
) -> list[Sampled]:
    ids = torch.tensor([a.prompt for a in rows], device=model.device)
    start = ids.shape[1]
    settings = GenerationConfig(
        max_new_tokens=max(a.max_new for a in rows), do_sample=False, eos_token_id=sorted(stop_ids), pad_token_id=0
    )
    whole = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        generation_config=settings,
        logits_processor=LogitsProcessorList([_Drawn(rows, start, ids.device)]),
        stopping_criteria=StoppingCriteriaList([_Said(rows, start, decode)]),
    )
    return [_cut(row, a, stop_ids, decode) for row, a in zip(whole[:, start:].tolist(), rows, strict=True)]


def _cut(ids: list[int], asked: Asked, stop_ids: frozenset[int], decode: Callable[[Sequence[int]], str]) -> Sampled:
    """Take what belongs to a row out of a line that went on with its longest neighbour."""
    for n, token in enumerate(ids[: asked.max_new], 1):
        if token in stop_ids or (asked.stop and _says(ids[:n], asked, decode)):
            return Sampled(tuple(ids[:n]), "stop")
    return Sampled(tuple(ids[: asked.max_new]), "length")


def _says(ids: Sequence[int], asked: Asked, decode: Callable[[Sequence[int]], str]) -> bool:
    text = decode(ids) if asked.stop else ""
    return any(s in text for s in asked.stop)


class _Drawn(LogitsProcessor):
    """Leaves each row the one token that it drew."""

    def __init__(self, rows: Sequence[Asked], start: int, device: torch.device) -> None:
        self.start = start
        self.temperature = torch.tensor([a.temperature for a in rows], device=device)
        self.top_p = torch.tensor([a.top_p for a in rows], device=device)
        self.uniform = torch.zeros(len(rows), max(a.max_new for a in rows), device=device)
        for r, a in enumerate(rows):
            if a.temperature > 0:
                self.uniform[r, : a.max_new] = uniforms(a)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        picked = draw_tokens(scores, self.temperature, self.top_p, self.uniform[:, input_ids.shape[1] - self.start])
        return torch.full_like(scores, float("-inf")).scatter_(1, picked[:, None], 0.0)


class _Said(StoppingCriteria):
    """Tells which rows have said one of their stop strings, or as much as they may."""

    def __init__(self, rows: Sequence[Asked], start: int, decode: Callable[[Sequence[int]], str]) -> None:
        self.rows, self.start, self.decode = rows, start, decode

    def __call__(self, input_ids: Tensor, *_: object, **__: object) -> Tensor:
        said = input_ids[:, self.start :].tolist()
        done = [len(ids) >= a.max_new or _says(ids, a, self.decode) for ids, a in zip(said, self.rows, strict=True)]
        return torch.tensor(done, device=input_ids.device)
