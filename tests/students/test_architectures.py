"""Every known architecture, and one that is not known, against transformers' own numbers; windows are crossed."""

import random

import pytest
import torch

from orcamath.student.architectures import KNOWN, in_slots, window
from orcamath.student.conformance import check
from tiny_architectures import FAMILIES, N_IDS, WINDOW, family

R = random.Random(5)
PROMPTS = [tuple(R.randrange(3, N_IDS) for _ in range(n)) for n in (3, WINDOW + 5, 6, 2 * WINDOW + 3)]


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_and_samples_are_the_models_own(name: str) -> None:
    model = family(name)
    findings = {f.check: f for f in check(model, PROMPTS, frozenset({2}), max_new=16)}
    assert [f"{f.check}: {f.seen}" for f in findings.values() if not f.holds] == []
    assert in_slots(model) == (model.config.model_type in KNOWN)


def test_every_known_architecture_is_in_the_table_and_windows_are_crossed() -> None:
    configs = [make() for make in FAMILIES.values()]
    assert {c.model_type for c in configs} - {"gpt2"} == set(KNOWN)
    assert {c.model_type for c in configs if c.model_type in KNOWN and window(c) == WINDOW} == {
        "mistral", "qwen2", "gemma2", "gemma3_text", "phi3", "cohere2", "olmo3", "exaone4", "gpt_oss",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["granite", "gemma2", "cohere"])
def test_the_suite_sees_a_head_made_by_hand(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = family(name)

    def by_hand(self: object, hidden: torch.Tensor) -> torch.Tensor:
        return model.get_output_embeddings()(hidden)

    monkeypatch.setattr("orcamath.student.head.Head.__call__", by_hand)
    model.orcamath_head_holds = True
    failed = {f.check for f in check(model, PROMPTS, frozenset({2}), max_new=16) if not f.holds}
    assert {"score", "sampled"} <= failed


def test_a_head_that_does_not_hold_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    model = family("granite")
    monkeypatch.setattr(
        "orcamath.student.head.Head.__call__", lambda self, hidden: hidden.new_zeros(len(hidden), N_IDS)
    )
    assert not in_slots(model)
    assert all(f.holds for f in check(model, PROMPTS, frozenset({2}), max_new=8))
