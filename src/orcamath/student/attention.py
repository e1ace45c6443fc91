"""One attention for all that is done with a student, behind transformers' seam: packed training rows, decoding slots, plain rows.

Packed rows: a micro-batch is one line of T tokens without padding; every problem's prompt stands in it once and its answers
after it. Projections and MLPs see T tokens. A prompt attends to itself, an answer to its prompt and to itself, so a prompt's
keys and values are computed once however many answers it has. Only here are they laid out as padded rows (`Layout`); on a GPU
in half precision they need not be (`Segments`): flash attention takes runs of a line, each with as many keys as it has.

Decoding: with one query a row, grouped-query attention needs no repeated keys, since the heads of a group can be the queries of
one head.
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Context", "Layout", "Segments", "attend", "takes_segments", "use_attention"]

NAME = "orcamath"


class Layout(NamedTuple):
    """Where the T packed tokens stand in padded rows: P prompt rows of Lp, R answer rows of Lr."""

    prompts: Tensor
    """[P·Lp] packed index of each place; padding points anywhere."""
    answers: Tensor
    """[R·Lr], as `prompts`."""
    back: Tensor
    """[T] place of each packed token among the P·Lp + R·Lr places."""
    prompt_of: Tensor
    """[R] the prompt row an answer row belongs to."""
    mask: Tensor
    """[R, 1, Lr, Lp + Lr] additive: what an answer token sees of its prompt and of its own row."""
    shape: tuple[int, int, int, int]
    """P, Lp, R, Lr; R = 0 where every row is a prompt row."""


class Segments(NamedTuple):
    """S runs of the T packed tokens, in order, and the keys each sees: those before its own, then its own up to the query."""

    query_ends: Tensor
    """[S + 1] int32: where each run begins in the line, and T."""
    key_ends: Tensor
    """[S + 1] int32, as `query_ends`, in the line of keys."""
    longest: int
    """Queries of a run at most."""
    most_keys: int
    keys: Tensor | None
    """[K] packed index of each key; None where every run sees its own keys alone."""
    dtype: torch.dtype
    """What attention computes in."""

    @property
    def mask(self) -> Tensor:
        """Return what tells transformers that no mask is to be made."""
        return torch.empty(0, 1, 0, 0)


class Context(Protocol):
    """What a function of autograd keeps between its two directions."""

    n: int
    """Rows there were going in."""
    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep tensors."""
        ...


class _Place(torch.autograd.Function):
    """x[index] whose gradient is a gather as well: `index` reaches every row of x at `back`, the rest is padding."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, index: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor, None, None]:
        (back,) = ctx.saved_tensors
        return grads[0].index_select(0, back), None, None


class _Copies(torch.autograd.Function):
    """x[owner] over the first dimension; the gradient is a matrix product, which is faster than adding up row by row."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, owner: Tensor) -> Tensor:
        ctx.save_for_backward(owner)
        ctx.n = len(x)
        return x.index_select(0, owner)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor, None]:
        (owner,) = ctx.saved_tensors
        which = (torch.arange(ctx.n, device=owner.device)[:, None] == owner).to(grads[0].dtype)
        return (which @ grads[0].reshape(len(owner), -1)).view(ctx.n, *grads[0].shape[1:]), None


class _Back(torch.autograd.Function):
    """y[back]: out of padded places into packed order. Padding gets no gradient."""

    @staticmethod
    def forward(ctx: Context, y: Tensor, index: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        ctx.n = len(index)
        return y.index_select(0, back)

    @staticmethod
    def backward(ctx: Context, *grads: Tensor) -> tuple[Tensor, None, None]:
        (back,) = ctx.saved_tensors
        out = grads[0].new_zeros(ctx.n, grads[0].shape[1])
        out[back] = grads[0]
        return out, None, None


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    layout: Layout | Segments | None = None,
    scaling: float | None = None,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """Attend, the way the call needs it. query [n, Hq, q, D], key and value [n, H, L, D] → [n, q, Hq, D]."""
    if isinstance(layout, Segments):
        return _in_segments(query, key, value, layout, scaling), None
    if layout is not None:
        return _packed(query, key, value, layout, scaling), None
    if query.shape[2] > 1 or attention_mask is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    n, heads, _, width = query.shape
    grouped = query.reshape(n, key.shape[1], heads // key.shape[1], width)
    mask = attention_mask.expand(n, 1, grouped.shape[2], key.shape[2])
    out = F.scaled_dot_product_attention(grouped, key, value, mask, scale=scaling)
    return out.reshape(n, 1, heads, width), None


def _packed(query: Tensor, key: Tensor, value: Tensor, layout: Layout, scale: float | None) -> Tensor:
    """Attend in packed order: query [1, Hq, T, D], key and value [1, H, T, D] → [1, T, Hq, D]."""
    n_prompts, longest, n_answers, longest_answer = layout.shape
    heads, n_tokens, width = query.shape[1:]
    shared = key.shape[1]
    line = torch.cat([x[0].transpose(0, 1).reshape(n_tokens, -1) for x in (query, key, value)], 1)
    index = torch.cat([layout.prompts, layout.answers])
    placed = _Place.apply(line, index, layout.back)
    cut = n_prompts * longest

    def rows(part: Tensor, n: int, length: int) -> list[Tensor]:
        q, k, v = part.split([heads * width, shared * width, shared * width], 1)
        return [x.reshape(n, length, -1, width).transpose(1, 2) for x in (q, k, v)]

    grouped = heads != shared
    q, k, v = rows(placed[:cut], n_prompts, longest)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=grouped)
    flat = out.transpose(1, 2).reshape(cut, heads * width)
    if n_answers:
        q, own_k, own_v = rows(placed[cut:], n_answers, longest_answer)
        k = torch.cat([_Copies.apply(k, layout.prompt_of), own_k], 2)
        v = torch.cat([_Copies.apply(v, layout.prompt_of), own_v], 2)
        out = F.scaled_dot_product_attention(q, k, v, layout.mask, scale=scale, enable_gqa=grouped)
        flat = torch.cat([flat, out.transpose(1, 2).reshape(-1, heads * width)])
    return _Back.apply(flat, index, layout.back).view(1, n_tokens, heads, width)


def _in_segments(query: Tensor, key: Tensor, value: Tensor, segments: Segments, scale: float | None) -> Tensor:
    """As `_packed`, in one kernel and without padding."""
    width = query.shape[-1]
    # gradients of a prompt's keys add up over its answers, in the wider type that they come in
    line = torch.cat([key[0], value[0]], -1).transpose(0, 1)
    if segments.keys is not None:
        line = line.index_select(0, segments.keys)
    k, v = line.to(segments.dtype).split(width, -1)
    # causal here means that the last query of a run sees its last key, so keys before its own are seen by all of it
    out, *_ = torch.ops.aten._flash_attention_forward(
        query[0].transpose(0, 1).to(segments.dtype),
        k,
        v,
        segments.query_ends,
        segments.key_ends,
        segments.longest,
        segments.most_keys,
        0.0,
        True,
        False,
        scale=scale,
    )
    return out[None]


def takes_segments(model: "PreTrainedModel", dtype: torch.dtype) -> bool:
    """Tell whether a model's attention in `dtype` can run on segments: flash attention for its device and its heads."""
    config, device = model.config, model.device
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return (
        device.type == "cuda"
        and dtype in (torch.bfloat16, torch.float16)
        and width % 8 == 0
        and width <= 256
        and torch.backends.cuda.is_flash_attention_available()
        and torch.cuda.get_device_capability(device) >= (8, 0)
    )


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)


def use_attention(model: "PreTrainedModel") -> bool:
    """Let a model attend through `attend`, where it uses PyTorch's attention anyway; tell whether it does."""
    config = model.config
    if config._attn_implementation == "sdpa":
        model.set_attn_implementation(NAME)
    return bool(config._attn_implementation == NAME)
