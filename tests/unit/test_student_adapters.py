"""Adapters: what was learnt is what is saved, and what is named is what is adapted."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from orcamath.errors import ModelError
from orcamath.stages.imitate import imitate
from orcamath.store.artifacts import Output
from orcamath.store.under_way import Calls
from orcamath.student.adapters import adapted, save_trained
from orcamath.student.facts import ImitateFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.model import load_model, open_folder, save
from orcamath.student.prepare import prepared
from orcamath.student.settings import AdapterSettings, SftSettings
from tiny_architectures import family
from tiny_student import tiny_lessons, tiny_model, tiny_tokenizer

SFT = SftSettings(learning_rate=3e-3, batch_size=4, max_tokens=64)
LOW = SftSettings(dtype="bfloat16", adapter=AdapterSettings(rank=4))


def output(path: Path) -> Output:
    for name in ("folder", "scratch"):
        (path / name).mkdir(parents=True)
    return Output(path / "folder", path / "scratch", Calls("train"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    path = tmp_path_factory.mktemp("base") / "model"
    save(tiny_model(dtype=torch.bfloat16), tiny_tokenizer(), path)  # as most students are on a hub
    return open_folder(str(path))


@torch.no_grad()
def updates(model: torch.nn.Module, size: float) -> dict[str, torch.Tensor]:
    """Move an adapter by random numbers, and return what each weight is to change by."""
    found = {}
    for name, module in model.named_modules():
        if hasattr(module, "lora_B"):
            module.lora_B["default"].weight.normal_(0, size)
            found[f"{name.removeprefix('base_model.model.')}.weight"] = module.get_delta_weight("default").float()
    return found


@pytest.mark.parametrize("size", [1e-4, 1e-2])
def test_an_adapter_over_bfloat16_weights_is_saved_with_all_that_it_learnt(
    tmp_path: Path, base: ModelFolder, size: float
) -> None:
    loaded = load_model(base, dtype=torch.bfloat16)
    before = {n: p.detach().float() for n, p in loaded.model.named_parameters()}
    model = prepared(loaded, LOW)
    wanted = updates(model, size)
    rounded = save_trained(model, loaded.tokenizer, base, tmp_path / "model", LOW)
    after = load_file(tmp_path / "model" / "model.safetensors")
    off = sum(float((after[n].float() - before[n] - update).square().sum()) for n, update in wanted.items())
    whole = sum(float(update.square().sum()) for update in wanted.values())
    assert (off / whole) ** 0.5 < 1e-3
    assert {w.dtype for w in after.values()} == {torch.float32}
    low = sum(float((after[n].bfloat16().float() - before[n] - update).square().sum()) for n, update in wanted.items())
    assert rounded == pytest.approx((low / whole) ** 0.5, rel=1e-3)
    assert (rounded > 0.5) == (size == 1e-4)


def test_an_update_that_bfloat16_rounds_away_is_said(
    tmp_path: Path, base: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    said: dict[float, ImitateFacts] = {}
    for rate in (1e-6, 1e-1):
        low = SFT.model_copy(update={"dtype": "bfloat16", "adapter": AdapterSettings(rank=4), "learning_rate": rate})
        out = tmp_path / str(rate)
        said[rate] = imitate(output(out), low, tiny_lessons(out), base)
    assert said[1e-6].rounded_away > 0.5
    assert said[1e-6].warnings == ("update_rounded",)
    assert "student.options" in caplog.text
    assert said[1e-1].rounded_away < 0.5
    assert said[1e-1].warnings == ()


def test_all_weights_trained_are_no_update_of_an_adapter(tmp_path: Path, base: ModelFolder) -> None:
    said = imitate(output(tmp_path), SFT, tiny_lessons(tmp_path), base)
    assert said.rounded_away is None


@pytest.mark.parametrize("targets", ["q_proj,v_proj", "q_proj, v_proj", " q_proj ,v_proj,"])
def test_every_module_that_is_named_is_adapted(targets: str) -> None:
    model = adapted(tiny_model(), AdapterSettings(rank=2, targets=targets))
    assert {n.split(".lora_A")[0].rpartition(".")[2] for n, _ in model.named_parameters() if "lora_A" in n} == {
        "q_proj",
        "v_proj",
    }


@pytest.mark.parametrize("targets", ["q_proj,v_porj", "proj", "q_proj,layers.0", " , "])
def test_a_name_that_fits_no_module_is_refused_with_those_that_do(targets: str) -> None:
    with pytest.raises(ModelError, match=r"fits nothing of this student.*down_proj, gate_proj"):
        adapted(tiny_model(), AdapterSettings(rank=2, targets=targets))


def test_the_modules_of_a_gpt2_are_named_too() -> None:
    with pytest.raises(ModelError, match="c_attn, c_fc, c_proj"):
        adapted(family("gpt2 (plain way)"), AdapterSettings(rank=2, targets="q_proj"))


def test_all_linear_is_taken_with_blanks() -> None:
    model = adapted(tiny_model(), AdapterSettings(rank=2, targets=" all-linear "))
    assert any("gate_proj.lora_A" in n for n, _ in model.named_parameters())


def test_a_sharded_student_that_began_as_an_adapter_is_written(tmp_path: Path, base: ModelFolder) -> None:
    model = load_model(base).model
    model.name_or_path = str(base.path)
    joined = adapted(model, AdapterSettings(rank=4))
    updates(joined, 0.1)
    joined.save_pretrained(tmp_path / "adapter")
    tiny_tokenizer().save_pretrained(tmp_path / "adapter")
    source = open_folder(str(tmp_path / "adapter"))
    loaded = load_model(source, to_train=True)
    gathered = {name: p.detach() + 1 for name, p in loaded.model.named_parameters()}
    told = SftSettings(processes=2, sharding="fsdp2")
    save_trained(loaded.model, loaded.tokenizer, source, tmp_path / "model", told, gathered)
    for name, weight in load_model(tmp_path / "model").model.named_parameters():
        torch.testing.assert_close(weight, gathered[name])
