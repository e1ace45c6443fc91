"""What all prompts of a chunk begin with is run once: fewer tokens go through the model, and the answers are the same."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from orcamath.student import sampling
from orcamath.student.draws import Asked
from orcamath.student.sampling import SHARED_TOKENS, sample_chunk
from tiny_student import tiny_model

WHOLE = tuple(5 + i % 9 for i in range(60))


@contextmanager
def counted(model: torch.nn.Module) -> Iterator[list[int]]:
    """Tell how many tokens each forward embeds."""
    seen: list[int] = []
    hook = model.get_input_embeddings().register_forward_hook(lambda _, ids, __: seen.append(ids[0].numel()))  # type: ignore[operator]
    yield seen
    hook.remove()


def answers(asked: list[Asked]) -> tuple[list[tuple[int, ...]], int]:
    """Return each answer's ids, and how many tokens went through the model before the first was drawn and after."""
    model = tiny_model()
    with counted(model) as seen, torch.no_grad():
        found = sample_chunk(model, asked, frozenset({2}), str, 4)
    return [s.ids for s in found], sum(seen)


@pytest.mark.parametrize("length", [SHARED_TOKENS - 1, SHARED_TOKENS, 50])
def test_answers_are_the_same_and_the_beginning_is_run_once(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    begins = WHOLE[:length]
    prompts = [(*begins, 20 + i, *range(5, 5 + i)) for i in range(5)]
    asked = [Asked(p, 12, t, 0.95, 3 * i) for i, p in enumerate(prompts) for t in (0.0, 1.0)]
    shared, few = answers(asked)
    monkeypatch.setattr(sampling, "SHARED_TOKENS", sys.maxsize)
    apart, many = answers(asked)
    assert shared == apart
    assert many - few == (0 if length < SHARED_TOKENS else (len(prompts) - 1) * length)


def test_a_prompt_that_is_the_beginning_of_the_others_keeps_its_last_token(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [Asked(WHOLE[:n], 8) for n in (40, 41, 60)]
    shared, few = answers(asked)
    monkeypatch.setattr(sampling, "SHARED_TOKENS", sys.maxsize)
    apart, many = answers(asked)
    assert shared == apart
    assert few < many


def test_one_prompt_alone_has_nothing_to_share() -> None:
    found, n = answers([Asked(WHOLE, 6, 1.0, 1.0, seed) for seed in range(3)])
    assert n < 2 * len(WHOLE)  # the prompt goes through once for all three
    assert len(set(found)) > 1
