"""Names become things: what the top layer opens for a recipe."""

from pathlib import Path

from orcamath.assemble import Assembled
from orcamath.recipe_settings import Recipe
from orcamath.store.artifacts import Store


def recipe(**judge: object) -> Recipe:
    textbook = {"backend": "textbook"}
    return Recipe.model_validate({"name": "r", "teacher": textbook, "judge_model": textbook, "judge": judge})


def test_a_judge_gives_verdicts_in_practice_and_extracts_on_benchmarks(tmp_path: Path) -> None:
    tools = Assembled(Store(tmp_path))
    r = recipe(name="model")
    assert tools.judge(r).form == "verdict"  # type: ignore[attr-defined]
    assert tools.judge(r, on_benchmarks=True).form == "extract"  # type: ignore[attr-defined]
    assert tools.judge(r).fingerprint != tools.judge(r, on_benchmarks=True).fingerprint
    own = tmp_path / "own.md"
    own.write_text((Path("src/orcamath/prompts") / "judge_verdict.md").read_text("utf-8"), "utf-8")
    mine = recipe(name="model", prompt=str(own))
    assert tools.judge(mine, on_benchmarks=True).fingerprint == tools.judge(mine).fingerprint
    alone = Recipe.model_validate({"name": "r", "judge": {"name": "rules"}})
    assert tools.judge(alone, on_benchmarks=True).fingerprint == tools.judge(alone).fingerprint
