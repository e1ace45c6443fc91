"""What is done to a model before its training."""

import pytest
import torch

from orcamath.student.logprobs import Posed, score
from orcamath.student.model import Loaded
from orcamath.student.prepare import optimizer_of, prepared
from orcamath.student.settings import AdapterSettings, LearnSettings, OnlineSettings, SftSettings, TrainSettings
from tiny_architectures import TOKENIZER, family

POSED = [Posed((3, 4, 5), ((6, 7, 8), (9, 10)))]
DROPS = {
    "gpt2 (plain way)": ["resid_pdrop", "embd_pdrop", "attn_pdrop"],
    "opt (plain way)": ["dropout", "attention_dropout", "layerdrop"],
    "mistral, window": ["attention_dropout"],
}


def moved(name: str, settings: TrainSettings) -> bool:
    """Tell whether a base that drops out half of everything scores in training as it does in evaluation."""
    model = family(name, **dict.fromkeys(DROPS[name], 0.5))
    with torch.no_grad():
        before = score(model, POSED)
        trained = prepared(Loaded(model, TOKENIZER), settings)
        assert trained.training
        torch.manual_seed(1)
        return not torch.allclose(score(trained, POSED), before, atol=1e-5)


@pytest.mark.parametrize("name", DROPS)
@pytest.mark.parametrize("settings", [LearnSettings(), OnlineSettings(), LearnSettings(adapter=AdapterSettings())])
def test_a_base_drops_nothing_out_where_it_is_held_against_a_reference(name: str, settings: TrainSettings) -> None:
    assert not moved(name, settings)


@pytest.mark.parametrize("name", [name for name in DROPS if "plain" in name])  # packed rows drop no attention out
def test_it_does_while_it_imitates(name: str) -> None:
    assert moved(name, SftSettings())


def test_what_is_saved_says_what_the_base_said() -> None:
    model = family("gpt2 (plain way)", resid_pdrop=0.5)
    assert prepared(Loaded(model, TOKENIZER), LearnSettings()).config.resid_pdrop == 0.5


def test_norms_and_biases_do_not_decay() -> None:
    model = family("gpt2 (plain way)")
    names = {p: name for name, p in model.named_parameters()}
    groups = optimizer_of(model, SftSettings(weight_decay=0.1)).param_groups
    decays = {names[p]: group["weight_decay"] for group in groups for p in group["params"]}
    assert set(decays) == set(names.values())
    for name, decay in decays.items():
        assert decay == (0.0 if name.endswith("bias") or "ln_" in name else 0.1), name
