"""Weights that are not the model's, checkpoints and log-probs that are not what was written."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.optim import AdamW

from orcamath.errors import ModelError
from orcamath.store.artifacts import Output, Store
from orcamath.store.seals import number_of, sealed_number
from orcamath.student.checkpoint import resume, save_checkpoint
from orcamath.student.facts import TrainedFacts
from orcamath.student.lora import with_adapter
from orcamath.student.model import contents, load_model, open_folder, save
from tiny_student import tiny_folder, tiny_model, tiny_tokenizer

NORM = "model.layers.0.input_layernorm.weight"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop(NORM), f"1 tensors missing: `{NORM}`"),
        (lambda w: w.update(stray=torch.zeros(2)), "1 tensors of no known place: `stray`"),
        (lambda w: w.update({NORM + "s": w.pop(NORM)}), "1 tensors missing.*1 tensors of no known place"),
        (lambda w: (w.clear(), w.update(nothing=torch.zeros(1))), r"tensors missing.*and \d+ more"),
        (lambda w: w.update({NORM: torch.zeros(3)}), "cannot be loaded"),
    ],
    ids=["missing", "unexpected", "renamed", "none", "of another shape"],
)
def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path, change, says: str) -> None:
    folder = tiny_folder(tmp_path / "m")
    weights = load_file(folder.path / "model.safetensors")
    change(weights)
    save_file(weights, folder.path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=says):
        load_model(folder)


def test_a_pickled_adapter_is_never_opened(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "x", "peft_type": "LORA"}))
    (folder / "adapter_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/opened'\ntR.")
    (folder / "other.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"has no adapter_model\.safetensors; convert the weights"):
        open_folder(str(folder))


def adapter(folder: Path) -> Path:
    from peft import LoraConfig

    base = tiny_folder(folder / "base")
    model = with_adapter(tiny_model(), LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = str(base.path)
    model.save_pretrained(folder / "adapter")
    tiny_tokenizer().save_pretrained(folder / "adapter")
    return folder / "adapter"


def test_an_adapter_that_is_trained_on_is_merged_first(tmp_path: Path) -> None:
    folder = adapter(tmp_path)
    joined, merged = load_model(folder).model, load_model(folder, to_train=True).model
    assert all(p.requires_grad for p in merged.parameters())
    ids = torch.tensor([[3, 4, 5, 6]])
    with torch.no_grad():
        assert torch.allclose(joined(ids).logits, merged(ids).logits, atol=1e-5)
    with pytest.raises(ModelError, match="is an adapter, which is not quantized"):
        load_model(folder, quantize="4bit")


@pytest.mark.parametrize("lose", [True, False])
def test_an_adapter_with_other_tensors_is_refused_by_name(tmp_path: Path, lose: bool) -> None:
    folder = adapter(tmp_path)
    load_model(folder)
    weights = load_file(folder / "adapter_model.safetensors")
    name = min(weights)
    if lose:
        del weights[name]
    else:
        weights["stray"] = torch.zeros(2)
    save_file(weights, folder / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="1 tensors missing" if lose else "1 tensors of no known place: `stray`"):
        load_model(folder)


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ({"r": 10**7}, "r: 10000000"),
        ({"rank_pattern": {"q_proj": 10**7}}, "r: 10000000"),
        ({"layer_replication": [[0, 1]] * 20_000}, "layer_replication"),
        ({"peft_type": "PROMPT_TUNING", "tokenizer_kwargs": {"trust_remote_code": True}}, "only LoRA"),
        ({"peft_type": "XLORA", "adapters": {"a": "evil"}}, "only LoRA"),
        ({"peft_type": ["LORA"]}, "only LoRA"),
        ({"megatron_config": {"a": 1}, "megatron_core": "evil"}, "cannot be loaded"),
        ({"base_model_name_or_path": None}, "names no"),
        ({"base_model_name_or_path": "adapter"}, "is one itself"),
        ({"base_model_name_or_path": "pickled"}, "pickles can run code"),
        ({"base_model_name_or_path": "linked"}, "out of the model's folder"),
    ],
)
def test_an_adapter_is_lora_on_a_base_that_was_looked_at(claim, says: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = adapter(tmp_path)
    for name in ("pickled", "linked"):
        shutil.copytree(tmp_path / "base", name)
    Path("pickled/model.safetensors").rename("pickled/pytorch_model.bin")
    Path("linked/more.json").symlink_to("/etc/hostname")
    Path("evil.py").write_text("open('ran', 'w')")
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | claim))
    with pytest.raises(ModelError, match=says):
        load_model(folder)
    assert not Path("ran").exists()


@pytest.mark.parametrize("how", ["flipped", "gone"])
def test_a_student_that_is_not_what_was_sealed_is_trained_anew(tmp_path: Path, how: str) -> None:
    from orcamath.assemble import Assembled
    from orcamath.errors import Damaged

    def train(out: Output) -> TrainedFacts:
        save(tiny_model(), tiny_tokenizer(), out.folder / "model")
        return TrainedFacts(contents=contents(out.folder / "model"))

    store = Store(tmp_path)
    tools = Assembled(store)
    made = store.stage("imitate", 1, None, [], train)
    assert tools.model_of(made).content in made.facts["contents"].values()
    weights = made.path / "model" / "model.safetensors"
    if how == "gone":
        weights.unlink()
    else:
        content = bytearray(weights.read_bytes())
        content[-100] ^= 64
        weights.write_bytes(bytes(content))
    with pytest.raises(Damaged, match=r"no longer what was sealed.*run again"):
        tools.model_of(made)
    again = store.stage("imitate", 1, None, [], train)
    assert not again.reused
    tools.model_of(again)
    tools.ledger.close()


@pytest.mark.parametrize("file", ["weights", "optimizer", "random", "state.json", "manifest.json"])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path, file: str, how: str, caplog) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = AdamW(model.parameters())
    for step in (1, 2):
        model(torch.ones(3)).sum().backward()
        optimizer.step()
        save_checkpoint(tmp_path, step, model, optimizer, {"losses": [0.5] * step})
        if step == 1:
            kept = {k: v.clone() for k, v in model.state_dict().items()}
    path = tmp_path / "step-00000002" / (file if "." in file else f"{file}.safetensors")
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(bytes(content) if how == "flipped" else bytes(content[: len(content) // 2]))
    begun = resume(tmp_path, model, optimizer)
    if file == "manifest.json" and how == "gone":  # as those of before there were manifests
        assert begun is not None
        assert begun.step == 2
        return
    assert begun is not None
    assert begun.step == 1
    assert begun.state == {"losses": [0.5]}
    assert all(torch.equal(kept[k], v) for k, v in model.state_dict().items())
    assert "going on from the checkpoint before it" in caplog.text


def test_no_flip_in_a_remembered_log_prob_is_believed() -> None:
    key, value = b"k" * 16, -12.625
    packed = sealed_number(key, value)
    assert number_of(key, packed) == value
    assert number_of(key, value) == value  # from before there were checksums
    for bit in range(8 * len(packed)):
        content = bytearray(packed)
        content[bit // 8] ^= 1 << bit % 8
        assert number_of(key, bytes(content)) is None
    assert [number_of(key, x) for x in (7, "text", b"", None)] == [None] * 4
