"""A recipe's call of a stage is checked by the type checker: a wrong, missing or surplus input does not pass."""

import os
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]
HEAD = """
from orcamath.recipe_settings import Recipe
from orcamath.stages.ask import ask
from orcamath.stages.gate import gate
from orcamath.stages.learn import learn
from orcamath.store.artifacts import Artifact
from orcamath.store.ledger import Remembered
from orcamath.student.folder import ModelFolder
from orcamath.workshop import Workshop

def calls(recipe: Recipe, shop: Workshop, seeds: Artifact, model: Remembered, folder: ModelFolder) -> None:
    assert recipe.ask_me_anything is not None
    asking, step = recipe.ask_me_anything, recipe.iterations[0]
"""
RIGHT = [
    "shop.stage(ask, asking, seeds, model)",
    "shop.stage(gate, recipe.gate, seeds, seeds, shop.tools.screens(recipe.screens))",
    "shop.stage(learn.of(2), step.learn, seeds, folder, folder, shop.tools.loss('kto'))",
]
WRONG = {
    "shop.stage(ask, recipe.gate, seeds, model)": "settings of another stage",
    "shop.stage(ask, asking, model, seeds)": "inputs in the wrong order",
    "shop.stage(ask, asking, seeds)": "an input left out",
    "shop.stage(ask, asking, seeds, model, seeds)": "an input too many",
    "shop.stage(ask, asking, seeds, writes=model)": "an input by a wrong name",
    "shop.stage(learn.of(2), step.learn, seeds, folder, folder, 'kto')": "the name of a loss in place of the loss",
    "shop.stage(learn.of(2), step.learn, seeds, seeds, folder, shop.tools.loss('kto'))": "a sealed stage as a model",
}


@pytest.mark.slow
def test_a_wrong_call_of_a_stage_is_a_type_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [*RIGHT, *WRONG]
    snippet = tmp_path / "calls.py"
    snippet.write_text(HEAD + "".join(f"    {line}\n" for line in lines))
    monkeypatch.setenv("MYPYPATH", os.fspath(ROOT / "src"))
    monkeypatch.chdir(ROOT)
    said, trouble, _ = api.run([os.fspath(snippet), "--config-file", "pyproject.toml"])
    assert not trouble
    first = HEAD.count("\n") + 1
    refused = {
        int(line.split(":")[1]) - first for line in said.splitlines() if "calls.py" in line and ": error:" in line
    }
    assert {lines[i] for i in refused} == set(WRONG), said
