"""Packed scoring: prompts once, answers after them, no padding outside attention (see `attention`).

`share` puts each problem's prompt into the line once; without it every answer brings its own copy, as other trainers forward it.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from orcamath.student.architectures import KNOWN, in_slots, window
from orcamath.student.attention import Layout, Segments, use_attention
from orcamath.student.head import bare

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Packed", "can_pack", "on_device", "pack"]


class Packed(NamedTuple):
    """One micro-batch as a line of T tokens, N answers, A answer tokens."""

    ids: Tensor
    """[1, T]"""
    positions: Tensor
    """[1, T], counted within prompt + answer."""
    layout: Layout | Segments
    first: Tensor
    """[N] packed index of each prompt's last token, which predicts an answer's first; several answers may share one."""
    later: Tensor
    """[A − N] packed index of the tokens that predict the others, each once."""
    targets: Tensor
    """[A] the answer tokens, in the order of `first` then `later`."""
    owner: Tensor
    """[A] which answer a token belongs to."""
    n_answers: int


def pack(
    problems: Sequence[Any], *, share: bool, device: torch.device, dtype: torch.dtype, segments: bool = False
) -> Packed:
    """Lay out problems (with `prompt` and `answers`) as one line. The last token of an answer is predicted, never read.

    `dtype`: of attention; `segments`: it takes segments of a line as they are (`attention.takes_segments`), not padded rows.
    """
    lay_out = _segments if segments else _layout
    if not share:
        rows = [_Row((*p.prompt, *a[:-1]), len(p.prompt), a) for p in problems for a in p.answers]
        return _alone(rows, device, dtype, lay_out)
    ids: list[int] = []
    positions: list[int] = []
    first: list[int] = []
    later: list[int] = []
    prompt_of: list[int] = []
    prompt_spans: list[tuple[int, int]] = []
    answer_spans: list[tuple[int, int]] = []
    for number, problem in enumerate(problems):
        start, length = len(ids), len(problem.prompt)
        ids += problem.prompt
        positions += range(length)
        prompt_spans.append((start, length))
        for answer in problem.answers:
            begin, fed = len(ids), len(answer) - 1
            ids += answer[:-1]
            positions += range(length, length + fed)
            first.append(start + length - 1)
            later += range(begin, begin + fed)
            answer_spans.append((begin, fed))
            prompt_of.append(number)
    layout = lay_out(prompt_spans, answer_spans, prompt_of, device, dtype)
    return _packed(ids, positions, layout, first, later, [a for p in problems for a in p.answers], device)


class _Row(NamedTuple):
    fed: tuple[int, ...]
    n_prompt: int
    answer: tuple[int, ...]


def _alone(
    rows: Sequence[_Row], device: torch.device, dtype: torch.dtype, lay_out: Callable[..., Layout | Segments]
) -> Packed:
    """Every answer with its own copy of the prompt: prompt rows only."""
    ids: list[int] = []
    positions: list[int] = []
    first: list[int] = []
    later: list[int] = []
    spans = []
    for row in rows:
        start = len(ids)
        ids += row.fed
        positions += range(len(row.fed))
        first.append(start + row.n_prompt - 1)
        later += range(start + row.n_prompt, len(ids))
        spans.append((start, len(row.fed)))
    layout = lay_out(spans, [], [], device, dtype)
    return _packed(ids, positions, layout, first, later, [r.answer for r in rows], device)


def _packed(
    ids: list[int],
    positions: list[int],
    layout: Layout | Segments,
    first: list[int],
    later: list[int],
    answers: Sequence[tuple[int, ...]],
    device: torch.device,
) -> Packed:
    targets = [a[0] for a in answers] + [t for a in answers for t in a[1:]]
    owner = [*range(len(answers)), *(n for n, a in enumerate(answers) for _ in a[1:])]
    lists = (ids, positions, first, later, targets, owner)
    flat = on_device(torch.tensor([*chain(*lists)], dtype=torch.long), device)  # one copy, not six
    read, at, before_first, before_later, target, of = flat.split([len(some) for some in lists])
    return Packed(read[None], at[None], layout, before_first, before_later, target, of, len(answers))


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of this side's on the device; a GPU need not be done with its work first."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def _segments(
    prompts: Sequence[tuple[int, int]],
    answers: Sequence[tuple[int, int]],
    prompt_of: Sequence[int],
    device: torch.device,
    dtype: torch.dtype,
) -> Segments:
    """Say which keys each run of the line sees: a prompt its own, an answer its prompt's and its own. As `_layout`."""
    seen = [(span, (0, 0)) for span in prompts]
    seen += [(span, prompts[p]) for span, p in zip(answers, prompt_of, strict=True) if span[1]]
    seen.sort()  # as they stand in the line
    lengths = torch.tensor([(n, before + n) for (_, n), (_, before) in seen])
    ends = F.pad(lengths.cumsum(0), (0, 0, 1, 0)).to(torch.int32)
    runs = [run for own, before in seen for run in (before, own)]
    keys = torch.cat([torch.arange(start, start + n) for start, n in runs])
    longest, most_keys = lengths.amax(0).tolist()
    return Segments(
        on_device(ends[:, 0].contiguous(), device),
        on_device(ends[:, 1].contiguous(), device),
        longest,
        most_keys,
        on_device(keys, device) if answers else None,
        dtype,
    )


def _layout(
    prompts: Sequence[tuple[int, int]],
    answers: Sequence[tuple[int, int]],
    prompt_of: Sequence[int],
    device: torch.device,
    dtype: torch.dtype,
) -> Layout:
    """Index the places. `prompts`, `answers`: (start, length) in the line."""
    longest = max(n for _, n in prompts)
    longest_answer = max((n for _, n in answers), default=0)
    n_answers = len(answers) if longest_answer else 0  # answers of one token are read off the prompt alone
    back = torch.empty(max(start + n for start, n in (*prompts, *answers)), dtype=torch.long)
    prompt_index = _places(prompts, longest, 0, back)
    answer_index = _places(answers, longest_answer, len(prompts) * longest, back)
    mask = torch.zeros(0, 1, 0, 0)
    if n_answers:
        prompt_lengths = torch.tensor([prompts[p][1] for p in prompt_of])
        seen = torch.arange(longest)[None, :] < prompt_lengths[:, None]
        causal = torch.ones(longest_answer, longest_answer, dtype=torch.bool).tril()
        both = torch.cat(
            [
                seen[:, None, :].expand(n_answers, longest_answer, longest),
                causal[None].expand(n_answers, longest_answer, longest_answer),
            ],
            2,
        )
        mask = torch.zeros(both.shape, dtype=dtype).masked_fill(~both, float("-inf"))[:, None]
    return Layout(
        prompt_index.to(device),
        answer_index.to(device),
        back.to(device),
        torch.tensor(prompt_of, device=device),
        mask.to(device),
        (len(prompts), longest, n_answers, longest_answer),
    )


def _places(spans: Sequence[tuple[int, int]], longest: int, offset: int, back: Tensor) -> Tensor:
    """Return the packed index of every place of padded rows, and note in `back` where each token went."""
    starts = torch.tensor([s for s, _ in spans], dtype=torch.long)
    lengths = torch.tensor([n for _, n in spans], dtype=torch.long)
    column = torch.arange(longest)
    real = column[None, :] < lengths[:, None]
    index = (starts[:, None] + column[None, :]).masked_fill(~real, 0)
    places = offset + torch.arange(index.numel()).view(index.shape)
    back[index[real]] = places[real]
    return index.flatten()


def can_pack(model: "PreTrainedModel", longest: int) -> bool:
    """Tell whether a model's rows of up to `longest` tokens may be packed: no window may be shorter than a row."""
    config = bare(model).config
    if not (config.model_type in KNOWN and KNOWN[config.model_type].packs and in_slots(model)):
        return False
    width = window(config)
    return (width is None or longest <= width) and use_attention(model)
