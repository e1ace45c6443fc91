"""`orcamath check-model` and what `doctor` does of it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orcamath.cli import app
from orcamath.student.adapters import adapted
from orcamath.student.model import load_model, save
from orcamath.student.settings import AdapterSettings
from tiny_architectures import TOKENIZER, family


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    save(family("mistral, window"), TOKENIZER, path)
    return path


def test_a_model_that_holds(folder: Path) -> None:
    done = CliRunner().invoke(app, ["check-model", str(folder), "--json"])
    said = json.loads(done.stdout)
    assert (done.exit_code, said["architecture"], said["way"]) == (0, "mistral", "in slots")
    assert [c["check"] for c in said["checks"]] == [
        "template",
        "score",
        "greedy",
        "sampled",
        "trained",
        "saved",
        "merged",
    ]


def test_an_adapter_folder_is_checked_as_it_is_trained(folder: Path, tmp_path: Path) -> None:
    base = load_model(folder).model
    base.name_or_path = str(folder)
    adapted(base, AdapterSettings(rank=4)).save_pretrained(tmp_path / "adapter")
    TOKENIZER.save_pretrained(tmp_path / "adapter")
    done = CliRunner().invoke(app, ["check-model", str(tmp_path / "adapter")])
    assert done.exit_code == 0, done.stdout
    assert "holds  trained" in done.stdout


def test_a_model_that_fails_says_where(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orcamath.student.slots.window", lambda _: None)  # as a sampler that loses the window
    done = CliRunner().invoke(app, ["check-model", str(folder)])
    assert done.exit_code == 1
    assert "FAILS  sampled" in done.stdout
    assert "holds  score" in done.stdout


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check-model", str(tmp_path / "nowhere")])
    assert "no such folder" in str(done.exception)


def test_the_doctor_looks_at_the_students_template() -> None:
    from orcamath.commands.doctor import _student_says
    from orcamath.recipe_file import load

    said, fine = _student_says(load("classroom"))
    assert fine
    assert "the template's own" in said
