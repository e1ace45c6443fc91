"""Every known architecture, and some that are not known, against transformers' own numbers; windows are crossed."""

import re
from pathlib import Path

import pytest
import torch

from orcamath.student.architectures import KNOWN, in_slots, window
from orcamath.student.conformance import CHECKS, held_against
from orcamath.student.model import Loaded
from tiny_architectures import FAMILIES, N_IDS, TOKENIZER, WINDOW, family

QUESTIONS = ["how many?", "Tom has 12 apples and gives 7.", "", "Ann has 3."]


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_samples_gradients_and_files_are_the_models_own(name: str) -> None:
    loaded = Loaded(family(name), TOKENIZER)
    findings = list(held_against(loaded, QUESTIONS, max_new=16))
    assert [f"{f.check}: {f.seen}" for f in findings if not f.holds] == []
    assert [f.check for f in findings] == list(CHECKS)
    assert in_slots(loaded.model) == (loaded.model.config.model_type in KNOWN)


def test_every_known_architecture_is_in_the_table_and_windows_are_crossed() -> None:
    configs = [make() for make in FAMILIES.values()]
    assert {c.model_type for c in configs} - {"gpt2", "opt", "mixtral", "starcoder2"} == set(KNOWN)
    assert {c.model_type for c in configs if c.model_type in KNOWN and window(c) == WINDOW} == {
        "mistral",
        "qwen2",
        "gemma2",
        "gemma3_text",
        "phi3",
        "cohere2",
        "olmo3",
        "exaone4",
        "gpt_oss",
    }


@pytest.mark.parametrize("name", ["granite", "gemma2", "cohere"])
def test_the_suite_sees_a_head_made_by_hand(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = family(name)

    def by_hand(self: object, hidden: torch.Tensor) -> torch.Tensor:
        return model.get_output_embeddings()(hidden)

    monkeypatch.setattr("orcamath.student.head.Head.__call__", by_hand)
    model.orcamath_head_holds = True
    failed = {f.check for f in held_against(Loaded(model, TOKENIZER), QUESTIONS, max_new=16) if not f.holds}
    assert {"score", "sampled"} <= failed


def test_a_head_that_does_not_hold_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    model = family("granite")
    monkeypatch.setattr(
        "orcamath.student.head.Head.__call__", lambda self, hidden: hidden.new_zeros(len(hidden), N_IDS)
    )
    assert not in_slots(model)
    assert all(f.holds for f in held_against(Loaded(model, TOKENIZER), QUESTIONS, max_new=8))


def test_the_table_in_the_docs_is_what_is_tested() -> None:
    table = (Path(__file__).parents[2] / "docs" / "students.md").read_text(encoding="utf-8")
    rows = {m[1]: m[2].split("|") for m in re.finditer(r"^\| `(\w+)` \|(.*)\|$", table, re.MULTILINE)}
    assert set(rows) == set(KNOWN)
    tested = [make() for make in FAMILIES.values()]
    for kind, (*_, sample, _train, _save, _lora, packed) in rows.items():
        crossed = any(c.model_type == kind and window(c) == WINDOW for c in tested)
        assert (kind, "window" in sample) == (kind, crossed)
        assert (kind, "padded" not in packed) == (kind, KNOWN[kind].packs)
