"""Whether a model is sampled, scored and saved as transformers itself has it: checks that any model can be put to.

In: a model in evaluation mode and some prompts of different lengths (longer than its window, where that is short). Out:
findings, each a name, whether it holds, and by how much it is missed. The tests put a tiny model of every known architecture
to them; `orcamath check-model` puts a user's own.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from orcamath.student.draws import Asked, Sampled
from orcamath.student.logprobs import Posed, score, score_rows
from orcamath.student.plain import neutral, sample_plain
from orcamath.student.sampling import sample_chunk

__all__ = ["CHECKS", "Finding", "check"]

TOLERANCE = 1e-4
"""Nats a token."""

Prompts = Sequence[tuple[int, ...]]


class Finding(NamedTuple):
    """What one check found."""

    check: str
    holds: bool
    seen: str
    """By how much, or where the two part."""


class _Case(NamedTuple):
    model: Any
    prompts: Prompts
    stop_ids: frozenset[int]
    max_new: int


def check(model: Any, prompts: Prompts, stop_ids: frozenset[int], max_new: int = 24) -> Iterator[Finding]:
    """Put a model to every check. An exception is a finding too."""
    case = _Case(model, prompts, stop_ids, max_new)
    for name, run in CHECKS.items():
        try:
            holds, seen = run(case)
        except Exception as e:  # whatever a stranger's architecture raises is what was to be found
            holds, seen = False, f"{type(e).__name__}: {e}"
        yield Finding(name, holds, seen)


@torch.no_grad()
def _own_logprob(model: Any, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
    """Return log π of an answer's tokens from the whole model's logits, as transformers gives them."""
    ids = torch.tensor([[*prompt, *answer]], device=model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
    return logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None]).squeeze(1)


def _posed(case: _Case) -> list[Posed]:
    """Make problems out of the prompts: the answers are pieces of other prompts, of different lengths."""
    line = [i for p in case.prompts for i in p]
    cuts = [(7 * k % max(1, len(line) - 12), 1 + 5 * k % 11) for k in range(2 * len(case.prompts))]
    answers = [tuple(line[a : a + n]) for a, n in cuts]
    return [Posed(p, tuple(answers[2 * i : 2 * i + 2])) for i, p in enumerate(case.prompts)]


@torch.no_grad()
def _scores(case: _Case) -> tuple[bool, str]:
    posed = _posed(case)
    rows = [(p.prompt, a) for p in posed for a in p.answers]
    own = torch.stack([_own_logprob(case.model, p, a).sum() for p, a in rows])
    lengths = torch.tensor([len(a) for _, a in rows], device=own.device)
    ways = {
        "shared": score(case.model, posed), "packed": score(case.model, posed, share=False),
        "padded": score_rows(case.model, rows),
    }  # fmt: skip
    worst = {name: float(((s - own).abs() / lengths).max()) for name, s in ways.items()}
    return max(worst.values()) <= _tolerance(case), ", ".join(
        f"{name} {w:.1e}" for name, w in worst.items()
    ) + " a token"


def _greedy(case: _Case) -> tuple[bool, str]:
    asked = [Asked(p, case.max_new) for p in case.prompts]
    return _compared(case, asked, _generate)


def _sampled(case: _Case) -> tuple[bool, str]:
    asked = [Asked(p, case.max_new, 1.0, 0.95, seed) for seed, p in enumerate([*case.prompts, *case.prompts])]
    return _compared(case, asked, sample_plain)


def _compared(case: _Case, asked: list[Asked], other: Callable[..., Any]) -> tuple[bool, str]:
    ours = sample_chunk(case.model, asked, case.stop_ids, str, n_rows=3)
    theirs = other(case.model, asked, case.stop_ids, str)
    n_equal = 0
    for a, mine, its in zip(asked, ours, theirs, strict=True):
        if mine.ids == its.ids or _is_tie(case, a, mine.ids, its.ids):
            n_equal += 1
        else:
            where = _first_difference(mine.ids, its.ids)
            return (
                False,
                f"a prompt of {len(a.prompt)} tokens: token {where} is {mine.ids[where:][:1]}, not {its.ids[where:][:1]}",
            )
    return True, f"{n_equal} answers equal, {sum(len(s.ids) for s in ours)} tokens"


def _generate(model: Any, asked: Sequence[Asked], stop_ids: frozenset[int], _: Callable[..., str]) -> list[Sampled]:
    """Answer each prompt alone, by transformers' greedy `generate`."""
    out = []
    with neutral(model):
        for a in asked:
            ids = torch.tensor([a.prompt], device=model.device)
            whole = model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=a.max_new, do_sample=False, pad_token_id=0,
                eos_token_id=sorted(stop_ids),
            )  # fmt: skip
            said = tuple(whole[0, len(a.prompt) :].tolist())
            out.append(Sampled(said, "stop" if said[-1] in stop_ids else "length"))
    return out


def _first_difference(one: Sequence[int], other: Sequence[int]) -> int:
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@torch.no_grad()
def _is_tie(case: _Case, asked: Asked, one: Sequence[int], other: Sequence[int]) -> bool:
    """Tell whether greedy answers part where two tokens are as likely as can be told apart in this dtype."""
    k = _first_difference(one, other)
    if asked.temperature > 0 or k >= min(len(one), len(other)):
        return False
    both = [_own_logprob(case.model, asked.prompt, (*one[:k], token))[-1] for token in (one[k], other[k])]
    return float((both[0] - both[1]).abs()) <= 2 * _tolerance(case)


def _tolerance(case: _Case) -> float:
    return TOLERANCE if case.model.dtype in (torch.float32, torch.float64) else 0.05


CHECKS: dict[str, Callable[[_Case], tuple[bool, str]]] = {"score": _scores, "greedy": _greedy, "sampled": _sampled}
"""`score`: log-probs shared, packed and padded are the whole model's. `greedy`: answers are `generate`'s. `sampled`: with equal
random numbers, the tokens are those drawn from `generate`'s logits."""
