"""Sampling from a local model: a chunk of prompts in, generated ids out. Depends on the chunk and the weights, on nothing else.

What all prompts of a chunk begin with (a system's words, examples) is run once, equal prompts are prefilled once, and their
keys and values are copied to each sample. Rows decode side by side in slots; a row that ends gives its slot to the next one
of the *same* chunk. Each row draws from its own generator, so its numbers do not come from its neighbours. Architectures
that are not known go the plain way (`plain`).
Shapes: R rows (slots), n of them active, L longest row, V vocabulary.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import groupby, islice, takewhile
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.cache_utils import DynamicCache

from orcamath.student.architectures import in_slots
from orcamath.student.attention import use_attention
from orcamath.student.decoding import decoder
from orcamath.student.draws import Asked, Sampled, draw_tokens, uniforms
from orcamath.student.head import split
from orcamath.student.plain import sample_plain

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Asked", "Sampled", "sample_chunk", "sample_each"]

PREFILL_TOKENS = 8_192
SHARED_TOKENS = 32
"""Least number of tokens that all prompts of a chunk begin with for these to be run apart."""


class _Row(NamedTuple):
    place: int
    asked: Asked
    prefilled: "_Prompt"


class _Prompt(NamedTuple):
    """A prompt's keys and values, [N, 2, H, length, D], and the logits after it, [V]."""

    kept: Tensor
    logits: Tensor


def sample_chunk(
    model: "PreTrainedModel",
    chunk: Sequence[Asked],
    stop_ids: frozenset[int],
    decode: Callable[[Sequence[int]], str],
    n_rows: int = 64,
    *,
    logp: bool = False,
) -> list[Sampled]:
    """Answer a chunk, in order. `n_rows` rows run at once; `decode` serves stop strings only; `logp` keeps log-probs."""
    found = sample_each(model, chunk, stop_ids, decode, n_rows, logp=logp)
    return [sampled for _, sampled in sorted(found, key=lambda x: x[0])]


@torch.inference_mode()
def sample_each(
    model: "PreTrainedModel",
    chunk: Sequence[Asked],
    stop_ids: frozenset[int],
    decode: Callable[[Sequence[int]], str],
    n_rows: int = 64,
    *,
    logp: bool = False,
) -> Iterator[tuple[int, Sampled]]:
    """Answer a chunk and yield each answer with its place as soon as it ends; what they are is the same as in order."""
    if not in_slots(model):
        yield from enumerate(sample_plain(model, chunk, stop_ids, decode, n_rows))
        return
    use_attention(model)
    yield from ((i, Sampled((), "length")) for i, a in enumerate(chunk) if a.max_new <= 0)
    wanted = [i for i, a in enumerate(chunk) if a.max_new > 0]
    if not wanted:
        return
    longest = max(len(chunk[i].prompt) + chunk[i].max_new for i in wanted)
    run = _Run(model, min(n_rows, len(wanted)), longest, max(chunk[i].max_new for i in wanted), stop_ids, logp=logp)
    # long prompts first: the last rows to finish are then short ones
    order = sorted(wanted, key=lambda i: (-len(chunk[i].prompt), chunk[i].prompt, i))
    waiting = _prefilled(model, [(i, chunk[i]) for i in order], n_rows)
    run.refill(waiting)
    while run.rows:
        run.take(decode)
        yield from list(run.finished())
        run.refill(waiting)
        run.forward()


class _Run:
    """The rows that decode side by side."""

    def __init__(
        self,
        model: "PreTrainedModel",
        n_rows: int,
        longest: int,
        max_new: int,
        stop_ids: frozenset[int],
        *,
        logp: bool = False,
    ) -> None:
        self.rows: list[_Row] = []
        self.counts: list[int] = []
        """Tokens that each row has chosen; also in `count`, where the device sees it."""
        self.decoder = decoder(model, n_rows, longest)
        device = model.device
        self.stop = torch.tensor(sorted(stop_ids), device=device)
        self.logits = torch.empty(n_rows, self.decoder.head.n_logits, device=device)
        self.ids = torch.zeros(n_rows, max_new, dtype=torch.long, device=device)
        self.uniform = torch.zeros(n_rows, max_new, device=device)
        self.count = torch.zeros(n_rows, dtype=torch.long, device=device)
        self.temperature = torch.ones(n_rows, device=device)
        self.top_p = torch.ones(n_rows, device=device)
        self.logp = torch.zeros(n_rows, max_new if logp else 0, device=device)
        self._ended: list[bool] = []

    def refill(self, waiting: Iterator[_Row]) -> None:
        """Give free slots to waiting rows."""
        first = len(self.rows)
        fresh = list(islice(waiting, len(self.count) - first))
        if not fresh:
            return
        self.rows += fresh
        self.counts += [0] * len(fresh)
        n = first
        for _, same in groupby(fresh, lambda row: id(row.prefilled)):  # samples of one prompt stand together
            alike = list(same)
            end = n + len(alike)
            self.decoder.slots.put(n, end - n, alike[0].prefilled.kept)
            self.logits[n:end] = alike[0].prefilled.logits
            n = end
        asked, uniform = [row.asked for row in fresh], torch.zeros(len(fresh), self.uniform.shape[1])
        for row, a in zip(uniform, asked, strict=True):
            if a.temperature > 0:
                row[: a.max_new] = uniforms(a)
        self.uniform[first:n] = uniform.to(self.uniform.device)
        self.count[first:n] = 0
        self.temperature[first:n] = torch.tensor([a.temperature for a in asked], device=self.count.device)
        self.top_p[first:n] = torch.tensor([a.top_p for a in asked], device=self.count.device)

    def take(self, decode: Callable[[Sequence[int]], str]) -> None:
        """Choose the next token of every active row."""
        n = len(self.rows)
        at = self.count[:n]
        uniform = self.uniform[:n].gather(1, at[:, None]).squeeze(1)
        ids = draw_tokens(self.logits[:n], self.temperature[:n], self.top_p[:n], uniform)
        self.ids[:n].scatter_(1, at[:, None], ids[:, None])
        if self.logp.shape[1]:
            drawn = F.log_softmax(self.logits[:n].float(), -1).gather(1, ids[:, None])
            self.logp[:n].scatter_(1, at[:, None], drawn)
        at += 1
        self.counts = [c + 1 for c in self.counts]
        self._ended = torch.isin(ids, self.stop).tolist()
        for r, (row, count) in enumerate(zip(self.rows, self.counts, strict=True)):
            if row.asked.stop:
                text = decode(self.ids[r, :count].tolist())
                self._ended[r] |= any(s in text for s in row.asked.stop)

    def finished(self) -> Iterator[tuple[int, Sampled]]:
        """Yield the rows that are done and close the gaps they leave."""
        done = [
            r
            for r, (row, count) in enumerate(zip(self.rows, self.counts, strict=True))
            if self._ended[r] or count >= row.asked.max_new
        ]
        if not done:
            return
        said = self.ids[done].tolist()
        told = self.logp[done].tolist() if self.logp.shape[1] else [None] * len(done)
        for r, ids, logp in zip(done, said, told, strict=True):
            n = self.counts[r]
            yield (
                self.rows[r].place,
                Sampled(tuple(ids[:n]), "stop" if self._ended[r] else "length", logp and tuple(logp[:n])),
            )
        self._close(done)

    def _close(self, done: Sequence[int]) -> None:
        """Let the last rows move into the gaps."""
        gone = set(done)
        n = len(self.rows) - len(done)
        targets = [r for r in done if r < n]
        sources = [r for r in range(n, len(self.rows)) if r not in gone]
        if sources:
            for t in (self.logits, self.ids, self.uniform, self.count, self.temperature, self.top_p, self.logp):
                t[targets] = t[sources]
        for source, target in zip(sources, targets, strict=True):
            self.rows[target], self.counts[target] = self.rows[source], self.counts[source]
        del self.rows[n:], self.counts[n:]
        self.decoder.slots.move(sources, targets, n)

    def forward(self) -> None:
        """Feed the tokens just chosen and get the next logits. Rows that were just placed have theirs already."""
        # a fresh row has chosen nothing yet; it is fed with the others one step later, from its own position
        active = [r for r, count in enumerate(self.counts) if count]
        if active:
            last = self.ids.gather(1, (self.count - 1).clamp(min=0)[:, None])
            self.decoder.step(last, active, self.logits)


def _prefilled(model: "PreTrainedModel", asked: Sequence[tuple[int, Asked]], n_rows: int) -> Iterator[_Row]:
    """Yield rows with their prompt's keys and values; equal prompts stand together and are computed once."""
    begun = _begun(model, {a.prompt for _, a in asked})
    pending = deque(asked)
    room = PREFILL_TOKENS * (8 if model.device.type == "cuda" else 1)
    while pending:
        prompts: list[tuple[int, ...]] = []
        batch: list[tuple[int, Asked]] = []
        while pending and len(batch) < n_rows:
            prompt = pending[0][1].prompt
            if not prompts or prompt != prompts[-1]:
                if prompts and len(prompts[0]) * (len(prompts) + 1) > room:
                    break
                prompts.append(prompt)
            batch.append(pending.popleft())
        ready = dict(zip(prompts, _prefill(model, prompts, begun), strict=True))
        for place, a in batch:
            yield _Row(place, a, ready[a.prompt])


def _begun(model: "PreTrainedModel", prompts: Set[tuple[int, ...]]) -> Tensor | None:
    """Return keys and values of what all prompts begin with, [N, 2, 1, H, length, D]; None where that is not worth a run.

    One token at least is left of each: a prompt's logits come from its last.
    """
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(min(prompts), max(prompts), strict=False))
    length = min(sum(1 for _ in alike), min(map(len, prompts)) - 1)
    if len(prompts) == 1 or length < SHARED_TOKENS:
        return None
    ids = torch.tensor([next(iter(prompts))[:length]], device=model.device)
    cache = DynamicCache()
    split(model)[0](input_ids=ids, cache=cache, use_cache=True)
    return _kept(cache)


def _kept(cache: DynamicCache) -> Tensor:
    return torch.stack([torch.stack([layer.keys, layer.values]) for layer in cache.layers])


def _prefill(model: "PreTrainedModel", prompts: Sequence[tuple[int, ...]], begun: Tensor | None) -> list[_Prompt]:
    """Run prompts, padded on the right: causal attention never sees the padding, and what it computes is not kept."""
    n, first = len(prompts), 0 if begun is None else begun.shape[4]
    ids = torch.zeros(n, max(map(len, prompts)) - first, dtype=torch.long)
    for i, prompt in enumerate(prompts):
        ids[i, : len(prompt) - first] = torch.tensor(prompt[first:])
    ends = torch.tensor([len(p) - first - 1 for p in prompts], device=model.device)
    body, head = split(model)
    cache = DynamicCache()  # not the model's own, which throws away what a window has passed
    for i, (keys, values) in enumerate(() if begun is None else begun):
        cache.update(keys.expand(n, -1, -1, -1), values.expand(n, -1, -1, -1), i)
    hidden = body(input_ids=ids.to(model.device), cache=cache, use_cache=True)
    logits = head(hidden[torch.arange(n, device=model.device), ends])
    kept = _kept(cache)
    return [_Prompt(kept[:, :, i, :, : len(p)], logits[i]) for i, p in enumerate(prompts)]
