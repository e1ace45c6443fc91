"""log π(y|x) of answers: summed over answer tokens, prompts excluded, padding masked by length.

`score` takes problems with their answers and returns one number an answer, in order, with gradient where it is on. Hidden
states become logits at answer positions only, in slices, so the vocabulary never multiplies the whole batch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from orcamath.student.attention import Context, takes_segments
from orcamath.student.head import Head, Whole, split
from orcamath.student.packing import can_pack, pack

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Posed", "score", "score_rows", "score_tokens"]

MAX_LOGITS = 1 << 25
"""Logits held at once (128 MiB in float32), four times as many on a GPU; more are recomputed backwards, slice by slice."""


class Posed(NamedTuple):
    """A prompt and the answers to score under it."""

    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]

    @property
    def n_tokens(self) -> int:
        """Tokens of all rows where each answer is forwarded with its prompt."""
        return sum(len(self.prompt) + len(a) for a in self.answers)

    def n_forwarded(self, *, share: bool) -> int:
        """Tokens of its part of a line: `n_tokens`, or with the prompt once."""
        return len(self.prompt) + sum(map(len, self.answers)) if share else self.n_tokens


def score(model: "PreTrainedModel", problems: Sequence[Posed], *, share: bool = True) -> Tensor:
    """Return log π(y|x) of every answer of every problem, in order, [N] float32 or wider.

    `share`: compute a prompt once for all its answers. Same numbers either way, and on padded rows for architectures that
    cannot be packed.
    """
    gathered = getattr(model, "gathered", None)  # a sharded model (`processes`)
    if gathered is not None:
        return gathered(lambda: _score(model, problems, share))
    return _score(model, problems, share)


def score_tokens(model: "PreTrainedModel", problems: Sequence[Posed], *, share: bool = True) -> tuple[Tensor, Tensor]:
    """Return log π of every answer token, answer by answer in order, and which answer each belongs to: [T], [T].

    Of a model that is not sharded.
    """
    per_token, owner, _ = _per_token(model, problems, share)
    order = owner.argsort(stable=True)  # an answer's first token comes before its others in either layout
    return per_token[order], owner[order]


def _score(model: "PreTrainedModel", problems: Sequence[Posed], share: bool) -> Tensor:
    return _summed(*_per_token(model, problems, share))


def _per_token(model: "PreTrainedModel", problems: Sequence[Posed], share: bool) -> tuple[Tensor, Tensor, int]:
    """Return log π of every answer token, its answer, and how many answers there are."""
    longest = max(len(p.prompt) + len(a) for p in problems for a in p.answers)
    if not can_pack(model, longest):
        return _rows(model, [(p.prompt, a) for p in problems for a in p.answers])
    dtype = torch.get_autocast_dtype(model.device.type) if torch.is_autocast_enabled(model.device.type) else model.dtype
    segments = takes_segments(model, dtype)
    line = pack(problems, share=share, device=model.device, dtype=dtype, segments=segments)
    body, head = split(model)
    hidden = body(
        input_ids=line.ids,
        position_ids=line.positions,
        attention_mask=line.layout.mask,
        layout=line.layout,
        use_cache=False,
    )
    read = torch.cat([hidden[0].index_select(0, line.first), _Once.apply(hidden[0], line.later)])
    return _answer_logp(head, read, line.targets), line.owner, line.n_answers


class _Once(torch.autograd.Function):
    """x[index] where no index repeats: the gradient is written, not added up."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.n = len(x)
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        out = grads[0].new_zeros(ctx.n, grads[0].shape[1])
        out[index] = grads[0]
        return out, None


def _summed(per_token: Tensor, owner: Tensor, n: int) -> Tensor:
    return torch.zeros(n, dtype=per_token.dtype, device=per_token.device).index_add(0, owner, per_token)


def score_rows(model: "PreTrainedModel", rows: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Tensor:
    """Score (prompt, answer) rows, each forwarded whole and padded on the right, [N].

    Causal attention never looks right, so padding needs no mask; its positions are simply not read.
    """
    return _summed(*_rows(model, rows))


def _rows(model: "PreTrainedModel", rows: Sequence[tuple[Sequence[int], Sequence[int]]]) -> tuple[Tensor, Tensor, int]:
    device = model.device
    lengths = [len(p) + len(a) for p, a in rows]
    ids = torch.zeros(len(rows), max(lengths) - 1, dtype=torch.long)
    where, targets, owner = [], [], []
    width = ids.shape[1]
    for i, (prompt, answer) in enumerate(rows):
        whole = torch.tensor([*prompt, *answer])
        ids[i, : len(whole) - 1] = whole[:-1]  # the last id is predicted, never read
        first = i * width + len(prompt) - 1  # where the first answer token is predicted
        where.append(torch.arange(first, first + len(answer)))
        targets.append(whole[len(prompt) :])
        owner.append(torch.full((len(answer),), i))
    body, head = split(model)
    hidden = body(input_ids=ids.to(device), use_cache=False)
    read = hidden.reshape(-1, hidden.shape[-1]).index_select(0, torch.cat(where).to(device))
    return _answer_logp(head, read, torch.cat(targets).to(device)), torch.cat(owner).to(device), len(rows)


def _answer_logp(head: Head | Whole, hidden: Tensor, targets: Tensor) -> Tensor:
    """Return log softmax(head(hidden))[targets]: hidden [N, d], targets [N] → [N], float32 or wider."""
    step = max(1, MAX_LOGITS * (4 if hidden.is_cuda else 1) // head.n_logits)
    if len(targets) <= step:
        return _logp(head, hidden, targets)
    parts = []
    for h, t in zip(hidden.split(step), targets.split(step), strict=True):
        if torch.is_grad_enabled():
            parts.append(checkpoint(_logp, head, h, t, use_reentrant=False, preserve_rng_state=False))
        else:
            parts.append(_logp(head, h, t))
    return torch.cat(parts)


def _logp(head: Head | Whole, hidden: Tensor, targets: Tensor) -> Tensor:
    logits = head(hidden)
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()
    return -F.cross_entropy(logits, targets, reduction="none")
