"""A mended sampler gives the models it concerns another fingerprint, and no others."""

from pathlib import Path

import pytest

from orcamath.student.changes import changes
from orcamath.student.model import fingerprint, save
from tiny_architectures import FAMILIES, family
from tiny_student import tiny_tokenizer

CONCERNED = {
    "llama": (),
    "mistral": (),
    "qwen2": (),
    "qwen3": (),
    "phi3": (),
    "smollm3": (),
    "olmo2": (),
    "mistral, window": ("window",),
    "qwen2, window": ("window",),
    "phi3, window": ("window",),
    "gemma3": ("window",),
    "olmo3": ("window",),
    "exaone4": ("window",),
    "gpt_oss": ("window",),
    "gemma2": ("logits", "window"),
    "granite": ("logits",),
    "cohere": ("logits",),
    "cohere2": ("logits", "window"),
    "gpt2 (plain way)": ("plain",),
    "opt (plain way)": ("plain",),
    "mixtral (plain way)": ("plain",),
    "starcoder2 (plain way)": ("plain",),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_what_concerns_a_model_is_in_its_fingerprint(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(family(name), tiny_tokenizer(), tmp_path / "model")
    assert changes(tmp_path / "model") == CONCERNED[name]
    now = fingerprint(tmp_path / "model", "float32")
    monkeypatch.setattr("orcamath.student.model.changes", lambda _: ())
    assert (fingerprint(tmp_path / "model", "float32") == now) == (not CONCERNED[name])
