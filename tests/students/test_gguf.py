"""GGUF files of every architecture that transformers reads: what is loaded is the model that was written, or it is refused."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from orcamath.errors import ModelError
from orcamath.plan.sizes import size_on_disk
from orcamath.student.conformance import CHECKS, held_against
from orcamath.student.model import load_model, open_folder
from tiny_architectures import N_IDS, WINDOW
from tiny_gguf import FILES, made, write

QUESTIONS = ["how many?", "Tom has 12 apples and gives 7."]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_the_model_it_was_written_of(name: str, tmp_path: Path) -> None:
    model = made(name)
    path = write(model, name, tmp_path / f"{name}.gguf")
    loaded = load_model(open_folder(str(path)))
    ids = torch.arange(3, 3 + 3 * WINDOW)[None]
    with torch.no_grad():
        assert torch.allclose(loaded.model(ids).logits, model(ids).logits, atol=1e-4)
    findings = list(held_against(loaded, QUESTIONS, max_new=12))
    assert [f"{f.check}: {f.seen}" for f in findings if not f.holds] == []
    assert [f.check for f in findings] == list(CHECKS)
    size = size_on_disk(path)
    assert (size.n_params, size.vocabulary) == (model.num_parameters(), N_IDS)


def test_a_file_is_read_once_and_no_bar_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path, reader, read = write(made("llama"), "llama", tmp_path / "once.gguf"), gguf.GGUFReader, []

    def counted(path: str) -> gguf.GGUFReader:
        read.append(path)
        return reader(path)

    monkeypatch.setattr(gguf, "GGUFReader", counted)
    load_model(open_folder(str(path)))
    assert len(read) == 1
    assert capfd.readouterr().err == ""
    assert gguf.GGUFReader is counted


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (lambda w: w.add_tensor("rope_freqs.weight", np.ones(4, np.float32)), "rope_freqs.weight"),
        (lambda w: w.add_tensor("blk.0.attn_q.bias", np.ones(32, np.float32)), "32 numbers have no place"),
        (lambda w: w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR), "rope.scaling.type"),
        (lambda w: w.add_rope_scaling_factor(8.0), "rope.scaling.factor"),
        (lambda w: w.add_sliding_window(WINDOW), "attention.sliding_window"),
        (lambda w: w.add_embedding_scale(12.0), "embedding_scale"),
        (lambda w: w.add_logit_scale(0.25), "logit_scale"),
        (lambda w: w.add_key_length(16), "attention.key_length"),
    ],
)
def test_what_transformers_does_not_read_is_refused(
    more: Callable[[gguf.GGUFWriter], object], named: str, tmp_path: Path
) -> None:
    path = write(made("llama"), "llama", tmp_path / "more.gguf", more)
    with pytest.raises(ModelError, match=named):
        load_model(open_folder(str(path)))


def test_what_does_nothing_is_no_reason(tmp_path: Path) -> None:
    def more(writer: gguf.GGUFWriter) -> None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)
        writer.add_key_length(8)

    assert load_model(write(made("llama"), "llama", tmp_path / "more.gguf", more)).model.config.model_type == "llama"


@pytest.mark.parametrize("arch", ["granite", "cohere2", "olmo2", "smollm3"])
def test_an_architecture_that_transformers_does_not_read_is_named(arch: str, tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", arch)
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelError, match=arch):
        load_model(tmp_path / "other.gguf")
