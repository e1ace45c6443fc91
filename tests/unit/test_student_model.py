"""Model folders: fingerprints, refusals that name the fix, GGUF."""

import os
import shutil
from hashlib import blake2b
from pathlib import Path

import pytest
import torch

import orcamath.classroom
from orcamath.errors import ModelError
from orcamath.student.encode import Encoder
from orcamath.student.model import fingerprint, load_model, open_folder, save
from orcamath.student.sampling import Asked, sample_chunk
from tiny_student import tiny_folder, tiny_model, tiny_tokenizer


def test_a_fingerprint_is_content_not_place(tmp_path: Path) -> None:
    one = tiny_folder(tmp_path / "a")
    shutil.copytree(one.path, tmp_path / "b")
    assert open_folder(str(tmp_path / "b")).fingerprint == one.fingerprint


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json", "tokenizer_config.json"])
def test_whatever_changes_answers_changes_the_fingerprint(tmp_path: Path, file: str) -> None:
    folder = tiny_folder(tmp_path / "a")
    path = folder.path / file
    path.write_bytes(path.read_bytes() + b" ")
    assert fingerprint(folder.path) != folder.fingerprint


def test_template_adapter_and_dtype_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "a")
    seen = {folder.fingerprint, fingerprint(folder.path, "bfloat16")}
    (folder.path / "chat_template.jinja").write_text("x")
    seen.add(fingerprint(folder.path))
    (folder.path / "adapter_model.safetensors").write_bytes(b"x")
    seen.add(fingerprint(folder.path))
    assert len(seen) == 4


def test_saving_and_loading_gives_the_same_weights(tmp_path: Path) -> None:
    model = tiny_model(3)
    save(model, tiny_tokenizer(), tmp_path / "m")
    again = load_model(open_folder(str(tmp_path / "m"))).model
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    assert not list(tmp_path.glob("*.writing"))


def test_refusals_name_the_place_and_the_fix(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    other = tmp_path / "weights.bin"
    other.write_bytes(b"x")
    for name, words in [
        (tmp_path / "nowhere", "no such folder"),
        (empty, "no config.json"),
        (pickled, "convert the weights to safetensors"),
        (other, "not a .gguf"),
    ]:
        with pytest.raises(ModelError, match=words) as e:
            open_folder(str(name))
        assert str(name) in str(e.value)


def test_torn_weights_are_one_clear_message(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "a")
    path = folder.path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(folder)


@pytest.mark.models
@pytest.mark.timeout(900)
def test_gguf_loads_answers_and_is_saved_as_a_plain_folder(tmp_path: Path) -> None:
    models = os.environ.get("ORCAMATH_TEST_MODELS")
    if not models:
        pytest.skip("ORCAMATH_TEST_MODELS does not name a folder with the models")
    (file,) = Path(models).glob("smollm2-135m-instruct*.gguf")

    def answer(path: Path) -> str:
        loaded = load_model(open_folder(str(path)))
        encoder = Encoder(loaded.tokenizer)
        asked = Asked(encoder.prompt("How much is 2+2?"), 12)
        said = encoder.decode(sample_chunk(loaded.model, [asked], encoder.stop_ids, encoder.decode)[0].ids)
        if path == file:
            save(loaded.model, loaded.tokenizer, tmp_path / "plain")
        return said

    first = answer(file)
    assert "4" in first
    assert answer(tmp_path / "plain") == first
    assert "quantization" not in (tmp_path / "plain" / "config.json").read_text()


def test_the_shipped_pupil_keeps_its_fingerprint_and_its_samples() -> None:
    """What version 0.1.0 makes of it: a change here makes every user's remembered samples unreachable, or wrong."""
    folder = open_folder(str(Path(orcamath.classroom.__file__).parent / "base"), dtype="float32")
    loaded = load_model(folder)
    encoder = Encoder(loaded.tokenizer)
    questions = [f"Tom has {i} apples and gives {i % 3} to Ann. How many are left?" for i in range(4)]
    asked = [Asked(encoder.prompt(q), 24, t, 0.95, 7) for q in questions for t in (0.0, 1.0)]
    sampled = sample_chunk(loaded.model, asked, encoder.stop_ids, encoder.decode, 3)
    text = repr([s.ids for s in sampled]).encode()
    assert (folder.fingerprint, blake2b(text, digest_size=8).hexdigest()) == (
        "1700640afbc36baee5642356b867830c",
        "0d2b7084d9861a71",
    )
