"""Makes the base weights that the classroom's student starts from: `python -m orcamath.classroom.pretrain OUT`.

A real student brings skills and habits from its pre-training; this gives the pupil its own. It reads forward problems of the
classroom's language, answer tokens only: worked out in one wording, at the end mostly bare, so that it can work a problem out but
is used to telling. It never reads an inverse problem, nor one that is held out: what the agents' lessons bring is new to it.
`--seed` makes another base of the same kind, to see what hangs on this one.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.functional import cross_entropy

from orcamath.classroom.grammar import render
from orcamath.classroom.growing import held_out, stories
from orcamath.classroom.pupil import pupil, tokenizer
from orcamath.classroom.solutions import without_working, written
from orcamath.classroom.solving import Story, solve

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Phase", "PretrainPlan", "main", "pretrain", "reading", "reseeded", "seen"]


class Phase(NamedTuple):
    """One stretch of reading, each problem once; the learning rate falls on a line to a share of itself."""

    problems: int
    seed: int
    learning_rate: float
    final_rate: float = 0.0
    bare: float = 0.0
    """Share of the problems whose answer is told without working."""


class PretrainPlan(NamedTuple):
    """Every constant of the pre-training. A later phase is a warm restart on new problems."""

    phases: tuple[Phase, ...] = (
        Phase(24_000, 11, 3e-3),
        Phase(16_000, 12, 2e-3, 0.1),
        Phase(6_000, 13, 1e-3, 0.1, bare=0.7),
    )
    weights_seed: int = 0
    batch_size: int = 16
    warmup_steps: int = 20
    betas: tuple[float, float] = (0.9, 0.98)
    max_grad_norm: float = 1.0


def reseeded(plan: PretrainPlan, seed: int) -> PretrainPlan:
    """Return the same plan with other initial weights and other problems; 0 is the base that ships."""
    phases = tuple(phase._replace(seed=phase.seed + 10 * seed) for phase in plan.phases)
    return plan._replace(weights_seed=plan.weights_seed + seed, phases=phases)


def seen(rng: random.Random) -> Iterator[Story]:
    """Yield the stories of pre-training for ever: forward ones only, none of a held-out structure."""
    return (story for story in stories(rng, max_steps=4, inverse=0.0) if not held_out(story))


def reading(phase: Phase) -> Iterator[tuple[str, str]]:
    """Yield (question, answer): worked in one style, or bare."""
    for story, worked in _posed(phase):
        yield render(story), written(solve(story), 0) if worked else without_working(solve(story))


def _posed(phase: Phase) -> Iterator[tuple[Story, bool]]:
    """Yield the stories of a phase, and whether each is worked out."""
    rng = random.Random(phase.seed)
    for story, _ in zip(seen(rng), range(phase.problems), strict=False):
        yield story, rng.random() >= phase.bare


def pretrain(plan: PretrainPlan, out: Path) -> float:
    """Train from random weights, save model, tokenizer and provenance below `out`; returns the last mean loss."""
    words = tokenizer()
    model = pupil(words, plan.weights_seed)
    losses = [loss for phase in plan.phases for loss in _read(model, words, phase, plan)]
    final = sum(losses[-200:]) / len(losses[-200:])
    model.save_pretrained(out)
    words.save_pretrained(out)
    made = {
        "made_by": "python -m orcamath.classroom.pretrain",
        "plan": {**plan._asdict(), "phases": [phase._asdict() for phase in plan.phases]},
        "steps": len(losses),
        "final_loss": round(final, 4),
        "torch": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "held_out_structures_seen": sum(held_out(story) for phase in plan.phases for story, _ in _posed(phase)),
        "licence": "Apache-2.0",
    }
    (out / "provenance.json").write_text(json.dumps(made, indent=1) + "\n")
    return final


def _read(
    model: "PreTrainedModel", words: "PreTrainedTokenizerBase", phase: Phase, plan: PretrainPlan
) -> Iterator[float]:
    """Run one phase, yielding the loss of each step."""
    examples = [_encoded(words, question, solution) for question, solution in reading(phase)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=phase.learning_rate, betas=plan.betas, weight_decay=0.0)
    batches = _batches(examples, plan.batch_size)
    for step, batch in enumerate(batches):
        fall = 1 - (1 - phase.final_rate) * step / len(batches)
        for group in optimizer.param_groups:
            group["lr"] = phase.learning_rate * min(1, (step + 1) / plan.warmup_steps) * fall
        loss = _loss(model, [examples[i] for i in batch], int(words.pad_token_id))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), plan.max_grad_norm)
        optimizer.step()
        yield loss.item()


def _encoded(words: "PreTrainedTokenizerBase", question: str, solution: str) -> tuple[list[int], list[int]]:
    turns = [{"role": "user", "content": question}]
    prompt = words.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return words(prompt)["input_ids"], [*words(solution)["input_ids"], words.eos_token_id]


def _batches(examples: Sequence[tuple[list[int], list[int]]], size: int) -> list[list[int]]:
    """Shuffle, then put alike lengths together within every 16 batches: less padding, still a mixed order."""
    rng = random.Random(0)
    order = list(range(len(examples)))
    rng.shuffle(order)
    batches = []
    for k in range(0, len(order), size * 16):
        near = sorted(order[k : k + size * 16], key=lambda i: len(examples[i][0]) + len(examples[i][1]))
        some = [near[j : j + size] for j in range(0, len(near), size)]
        rng.shuffle(some)
        batches += some
    return batches


def _loss(model: "PreTrainedModel", rows: Sequence[tuple[list[int], list[int]]], pad: int) -> torch.Tensor:
    """Return the mean negative log-likelihood of the answer tokens."""
    longest = max(len(p) + len(a) for p, a in rows)
    ids = torch.full((len(rows), longest), pad)
    labels = torch.full((len(rows), longest), -100)
    for r, (p, a) in enumerate(rows):
        ids[r, : len(p) + len(a)] = torch.tensor(p + a)
        labels[r, len(p) : len(p) + len(a)] = torch.tensor(a)
    hidden = model.model(ids[:, :-1]).last_hidden_state  # [rows, longest - 1, width]
    counted = labels[:, 1:] != -100
    return cross_entropy(model.lm_head(hidden[counted]), labels[:, 1:][counted])


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0, help="another base: other weights to begin with, other problems")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    pretrain(reseeded(PretrainPlan(), asked.seed), asked.out)


if __name__ == "__main__":
    main()
