"""Sampling from a local model: a chunk of prompts in, generated ids out. Depends on the chunk and the weights, on nothing else.

Equal prompts are prefilled once and their keys and values copied to each sample. Rows decode side by side in slots; a row
that ends gives its slot to the next one of the *same* chunk. Each row draws from its own generator, so its numbers do not
come from its neighbours. Architectures that are not known go the plain way (`plain`).
Shapes: R rows (slots), n of them active, L longest row, V vocabulary.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.cache_utils import DynamicCache

from orcamath.student.architectures import in_slots
from orcamath.student.attention import use_attention
from orcamath.student.draws import Asked, Sampled, draw_tokens, uniforms
from orcamath.student.head import split
from orcamath.student.plain import sample_plain
from orcamath.student.slots import Slots

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Asked", "Sampled", "sample_chunk", "sample_each"]

PREFILL_TOKENS = 8_192


class _Row(NamedTuple):
    place: int
    asked: Asked
    prefilled: "_Prompt"


class _Prompt(NamedTuple):
    """A prompt's keys and values, [layers, 2, heads, length, head_dim] as lists, and the logits after it, [V]."""

    layers: list[tuple[Tensor, Tensor]]
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
    while run.n:
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
        self.n = 0
        self.body, self.head = split(model)
        self.slots = Slots(model, n_rows, longest)
        self.rows: list[_Row] = []
        self.stop = torch.tensor(sorted(stop_ids), device=model.device)
        self.logits = torch.empty(n_rows, self.head.n_logits, device=model.device)
        self.ids = torch.zeros(n_rows, max_new, dtype=torch.long, device=model.device)
        self.uniform = torch.zeros(n_rows, max_new, device=model.device)
        self.count = torch.zeros(n_rows, dtype=torch.long, device=model.device)
        self.limit = torch.zeros_like(self.count)
        self.temperature = torch.ones(n_rows, device=model.device)
        self.top_p = torch.ones(n_rows, device=model.device)
        self.logp = torch.zeros(n_rows, max_new if logp else 0, device=model.device)
        self._ended: Tensor | None = None

    def refill(self, waiting: Iterator[_Row]) -> None:
        """Give free slots to waiting rows."""
        while self.n < len(self.limit):
            row = next(waiting, None)
            if row is None:
                return
            r, asked = self.n, row.asked
            self.slots.put(r, row.prefilled.layers)
            self.logits[r] = row.prefilled.logits
            if asked.temperature > 0:
                self.uniform[r, : asked.max_new] = uniforms(asked)
            self.count[r], self.limit[r] = 0, asked.max_new
            self.temperature[r], self.top_p[r] = asked.temperature, asked.top_p
            self.rows.append(row)
            self.n += 1

    def take(self, decode: Callable[[Sequence[int]], str]) -> None:
        """Choose the next token of every active row."""
        n, at = self.n, self.count[: self.n]
        uniform = self.uniform[:n].gather(1, at[:, None]).squeeze(1)
        ids = draw_tokens(self.logits[:n], self.temperature[:n], self.top_p[:n], uniform)
        self.ids[:n].scatter_(1, at[:, None], ids[:, None])
        if self.logp.shape[1]:
            drawn = F.log_softmax(self.logits[:n].float(), -1).gather(1, ids[:, None])
            self.logp[:n].scatter_(1, at[:, None], drawn)
        at += 1
        ended = torch.isin(ids, self.stop)
        if any(row.asked.stop for row in self.rows):
            for r, row in enumerate(self.rows):
                text = decode(self.ids[r, : int(at[r])].tolist()) if row.asked.stop else ""
                if any(s in text for s in row.asked.stop):
                    ended[r] = True
        self._ended = ended

    def finished(self) -> Iterator[tuple[int, Sampled]]:
        """Yield the rows that are done and close the gaps they leave."""
        assert self._ended is not None
        done = self._ended | (self.count[: self.n] >= self.limit[: self.n])
        if not bool(done.any()):
            return
        stopped = self._ended.tolist()
        for r in sorted(done.nonzero().flatten().tolist(), reverse=True):
            row = self.rows[r]
            n = int(self.count[r])
            told = tuple(self.logp[r, :n].tolist()) if self.logp.shape[1] else None
            yield row.place, Sampled(tuple(self.ids[r, :n].tolist()), "stop" if stopped[r] else "length", told)
            last = self.n - 1
            if r != last:  # the last row moves into the gap
                self.slots.move(last, r)
                for t in (
                    self.logits, self.ids, self.uniform, self.count, self.limit, self.temperature, self.top_p, self.logp,
                ):  # fmt: skip
                    t[r] = t[last]
                self.rows[r] = self.rows[last]
            self.rows.pop()
            self.n = last

    def forward(self) -> None:
        """Feed the tokens just chosen and get the next logits. Rows that were just placed have theirs already."""
        # a fresh row has chosen nothing yet; it is fed with the others one step later, from its own position
        n = self.n
        active = (self.count[:n] > 0).nonzero().flatten()
        if not len(active):
            return
        last = self.ids[active].gather(1, (self.count[active] - 1)[:, None])
        hidden = self.slots.forward(self.body, last, active)
        self.logits[active] = self.head(hidden).to(self.logits.dtype)


def _prefilled(model: "PreTrainedModel", asked: Sequence[tuple[int, Asked]], n_rows: int) -> Iterator[_Row]:
    """Yield rows with their prompt's keys and values; equal prompts stand together and are computed once."""
    pending = deque(asked)
    while pending:
        prompts: list[tuple[int, ...]] = []
        batch: list[tuple[int, Asked]] = []
        while pending and len(batch) < n_rows:
            prompt = pending[0][1].prompt
            if not prompts or prompt != prompts[-1]:
                if prompts and len(prompts[0]) * (len(prompts) + 1) > PREFILL_TOKENS:
                    break
                prompts.append(prompt)
            batch.append(pending.popleft())
        ready = dict(zip(prompts, _prefill(model, prompts), strict=True))
        for place, a in batch:
            yield _Row(place, a, ready[a.prompt])


def _prefill(model: "PreTrainedModel", prompts: Sequence[tuple[int, ...]]) -> list[_Prompt]:
    """Run prompts, padded on the right: causal attention never sees the padding, and what it computes is not kept."""
    width = max(map(len, prompts))
    ids = torch.zeros(len(prompts), width, dtype=torch.long)
    for i, prompt in enumerate(prompts):
        ids[i, : len(prompt)] = torch.tensor(prompt)
    lengths = torch.tensor([len(p) for p in prompts], device=model.device)
    body, head = split(model)
    cache = DynamicCache()  # not the model's own, which throws away what a window has passed
    hidden = body(input_ids=ids.to(model.device), cache=cache, use_cache=True)
    logits = head(hidden[torch.arange(len(prompts), device=model.device), lengths - 1])
    layers = [(layer.keys, layer.values) for layer in cache.layers]
    return [
        _Prompt([(k[i, :, : len(p)], v[i, :, : len(p)]) for k, v in layers], logits[i]) for i, p in enumerate(prompts)
    ]
