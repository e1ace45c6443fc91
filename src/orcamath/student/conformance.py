"""Whether a model is sampled, scored, trained and saved as transformers itself has it: checks that any model can be put to.

In: a loaded model and some questions of different lengths (longer than its window, where that is short). Out: findings, each a
name, whether it holds, and by how much it is missed. The tests put a tiny model of every known architecture to them;
`orcamath check-model` puts a user's own.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from transformers import GenerationConfig

from orcamath.student.adapters import adapted
from orcamath.student.changes import declared_ends
from orcamath.student.draws import Asked, Sampled
from orcamath.student.encode import Encoder
from orcamath.student.ends import name_end
from orcamath.student.logprobs import Posed, score, score_rows
from orcamath.student.model import Loaded, load_tokenizer
from orcamath.student.plain import neutral, sample_plain
from orcamath.student.sampling import sample_chunk
from orcamath.student.settings import AdapterSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["CHECKS", "ConformanceFinding", "check_template", "held_against"]

TOLERANCE = 1e-4
"""Nats a token; of gradients, the share by which they differ."""
ANSWER = "2 + 3 = 5 . #### 5"

Seen = tuple[bool, str]


class ConformanceFinding(NamedTuple):
    """What one check found."""

    check: str
    holds: bool
    seen: str
    """By how much, or where the two part."""


class _Case(NamedTuple):
    model: "PreTrainedModel"
    encoder: Encoder
    questions: Sequence[str]
    prompts: Sequence[tuple[int, ...]]
    max_new: int


def held_against(loaded: Loaded, questions: Sequence[str], max_new: int = 24) -> Iterator[ConformanceFinding]:
    """Put a model to every check. An exception is a finding too. The last one leaves the model's weights changed."""
    encoder = Encoder(loaded.tokenizer, ends=loaded.ends)
    case = _Case(loaded.model, encoder, questions, [encoder.prompt(q) for q in questions], max_new)
    for name, run in CHECKS.items():
        try:
            holds, seen = run(case)
        except Exception as e:  # whatever a stranger's architecture raises is what was to be found
            holds, seen = False, f"{type(e).__name__}: {e}"
        yield ConformanceFinding(name, holds, seen)


def check_template(encoder: Encoder, question: str) -> ConformanceFinding:
    """Check that training ids are the template's own ids and its end; needs no weights."""
    ours, theirs = (*encoder.prompt(question), *encoder.answer(ANSWER)), encoder.templated(question, ANSWER)
    back = encoder.decode(encoder.answer(ANSWER)).strip()
    end = f"ends with {encoder.tokenizer.convert_ids_to_tokens(encoder.eos_id)!r}"
    if back != ANSWER:
        return ConformanceFinding("template", False, f"an answer comes back as {back!r}")
    if theirs[: len(ours)] == ours:
        return ConformanceFinding("template", True, f"the template's own {len(ours)} ids, {end}")
    if theirs[: len(encoder.prompt(question))] != encoder.prompt(question):
        return ConformanceFinding(
            "template",
            True,
            f"the prompt is not how the template writes an earlier turn; the answer stands as it is, {end}",
        )
    where = _first_difference(ours, theirs)
    return ConformanceFinding(
        "template", False, f"id {where} is {ours[where:][:1]}, the template's {theirs[where:][:1]}"
    )


def _own_logprob(model: "PreTrainedModel", prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
    """Return log π of an answer's tokens from the whole model's logits, as transformers gives them."""
    ids = torch.tensor([[*prompt, *answer]], device=model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
    return logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None]).squeeze(1)


def _templated(case: _Case) -> Seen:
    found = check_template(case.encoder, case.questions[0])
    return found.holds, found.seen


def _posed(case: _Case) -> list[Posed]:
    """Make problems out of the prompts, every other one with two answers: pieces of other prompts, of different lengths."""
    line = [i for p in case.prompts for i in p]
    cuts = [(7 * k % max(1, len(line) - 12), 1 + 5 * k % 11) for k in range(2 * len(case.prompts))]
    answers = [tuple(line[a : a + n]) for a, n in cuts]
    return [Posed(p, tuple(answers[2 * i : 2 * i + 2 - i % 2])) for i, p in enumerate(case.prompts)]


@torch.no_grad()
def _scores(case: _Case) -> Seen:
    posed = _posed(case)
    rows = [(p.prompt, a) for p in posed for a in p.answers]
    own = torch.stack([_own_logprob(case.model, p, a).sum() for p, a in rows])
    lengths = torch.tensor([len(a) for _, a in rows], device=own.device)
    ways = {
        "shared": score(case.model, posed),
        "packed": score(case.model, posed, share=False),
        "padded": score_rows(case.model, rows),
    }
    worst = {name: float(((s - own).abs() / lengths).max()) for name, s in ways.items()}
    return max(worst.values()) <= _tolerance(case), ", ".join(
        f"{name} {w:.1e}" for name, w in worst.items()
    ) + " a token"


def _greedy(case: _Case) -> Seen:
    asked = [Asked(p, case.max_new) for p in case.prompts]
    return _compared(case, asked, _generate)


def _sampled(case: _Case) -> Seen:
    # all begin alike, one prompt stands there twice, and they are more than there are rows: what they begin with is run once,
    # samples share a prefill, and a row is filled again
    stem = max(case.prompts, key=len)
    prompts = [stem, *(stem + p[-k:] for k, p in enumerate(case.prompts[1:], 3)), stem]
    asked = [Asked(p, case.max_new, 1.0, 0.95, seed) for seed, p in enumerate(prompts)]
    return _compared(case, asked, sample_plain)


def _compared(case: _Case, asked: list[Asked], other: Callable[..., list[Sampled]]) -> Seen:
    ours = sample_chunk(case.model, asked, case.encoder.stop_ids, str, n_rows=2)
    theirs = other(case.model, asked, case.encoder.stop_ids, str)
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


def _trained(case: _Case) -> Seen:
    """Compare gradients of two answers' summed log-prob, with respect to norms and biases: these lie at every depth."""
    posed = _posed(case)[:1]
    weights = [p for p in case.model.parameters() if p.ndim == 1 and p.requires_grad]
    own = torch.stack([_own_logprob(case.model, p.prompt, a).sum() for p in posed for a in p.answers]).sum()
    ours, theirs = (_gradient(value, weights) for value in (score(case.model, posed).sum(), own))
    off = float((ours - theirs).norm() / theirs.norm())
    return off <= _tolerance(case), f"gradient off by {off:.1e} of its length, {len(theirs)} weights"


def _gradient(value: Tensor, weights: Sequence[Tensor]) -> Tensor:
    found = torch.autograd.grad(value, list(weights), materialize_grads=True)
    return torch.cat([g.flatten().float() for g in found])


def _saved(case: _Case) -> Seen:
    """Save all but the weights as a student is saved, and let `generate` go by what it reads there."""
    encoder = case.encoder
    prompt, ids = case.prompts[0], encoder.answer(ANSWER)
    with tempfile.TemporaryDirectory() as scratch:
        before = case.model.generation_config, case.model.config.eos_token_id
        tokenizer = deepcopy(encoder.tokenizer)
        name_end(case.model, tokenizer, encoder.ends)
        case.model.config.save_pretrained(scratch)
        case.model.generation_config.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        case.model.generation_config, case.model.config.eos_token_id = before
        again = Encoder(load_tokenizer(Path(scratch)), ends=declared_ends(Path(scratch)))
        settings = GenerationConfig.from_pretrained(scratch)
    if (again.prompt(case.questions[0]), again.answer(ANSWER), again.ends) != (prompt, ids, encoder.ends):
        return False, f"read again, it ends with {again.ends} and not {encoder.ends}, or encodes otherwise"
    if again.tokenizer.eos_token_id != encoder.eos_id:
        return False, f"the saved tokenizer ends with {again.tokenizer.eos_token}"
    (ours,) = sample_chunk(case.model, [Asked(prompt, case.max_new)], encoder.stop_ids, str)
    with neutral(case.model):
        line = torch.tensor([prompt], device=case.model.device)
        settings.max_new_tokens, settings.pad_token_id = case.max_new, 0
        whole = case.model.generate(line, attention_mask=torch.ones_like(line), generation_config=settings)
    said = tuple(whole[0, len(prompt) :].tolist())
    same = said == ours.ids or _is_tie(case, Asked(prompt, case.max_new), ours.ids, said)
    return same, f"ends {encoder.ends}, {len(said)} tokens as `generate` has them"


@torch.no_grad()
def _merged(case: _Case) -> Seen:
    """Put a random adapter on, score, merge it, score again."""
    posed = _posed(case)[:1]
    n = max(len(a) for p in posed for a in p.answers)
    base = score(case.model, posed)
    model = adapted(case.model, AdapterSettings(rank=4))
    generator = torch.Generator().manual_seed(0)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.copy_(0.02 * torch.randn(weight.shape, generator=generator))
    apart = score(model, posed)
    together = score(model.merge_and_unload(), posed)
    off, moved = float((apart - together).abs().max()) / n, float((apart - base).abs().max()) / n
    return off <= _tolerance(case) < moved, f"merged off by {off:.1e} a token, where the adapter moves {moved:.1e}"


def _generate(
    model: "PreTrainedModel", asked: Sequence[Asked], stop_ids: frozenset[int], _: Callable[..., str]
) -> list[Sampled]:
    """Answer each prompt alone, by transformers' greedy `generate`."""
    out = []
    with neutral(model):
        for a in asked:
            ids = torch.tensor([a.prompt], device=model.device)
            whole = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=a.max_new,
                do_sample=False,
                pad_token_id=0,
                eos_token_id=sorted(stop_ids),
            )
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


CHECKS: dict[str, Callable[[_Case], Seen]] = {
    "template": _templated,
    "score": _scores,
    "greedy": _greedy,
    "sampled": _sampled,
    "trained": _trained,
    "saved": _saved,
    "merged": _merged,
}
"""`template`: training ids are the template's ids and its end. `score`: log-probs shared, packed, padded are the whole model's.
`greedy`: answers are `generate`'s. `sampled`: with equal random numbers, the tokens are those drawn from `generate`'s logits.
`trained`: gradients are the whole model's. `saved`: read again, config and tokenizer encode and stop alike. `merged`: an adapter
scores as it does merged."""
