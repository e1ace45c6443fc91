"""The recipes inside the package: each loads, and those named for a GPU fit it by the plan's own figures."""

import pytest

from orcamath.plan.sizes import ModelSize
from orcamath.plan.training import memory_gb
from orcamath.recipe_file import arms, load, shipped

MISTRAL_7B = ModelSize(7.24e9, 4096, 32, 32_000, tied=False)


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_that_ships_loads_under_its_own_name(name: str) -> None:
    assert load(name).name == name


@pytest.mark.parametrize("name", shipped())
def test_hypotheses_and_controls_name_students_that_a_recipe_trains(name: str) -> None:
    recipe = load(name)
    own = {"": recipe, **arms(recipe)}
    for hypothesis in recipe.hypotheses.test:
        for student in (hypothesis.student, hypothesis.against):
            arm, _, model = student.rpartition("/")
            assert 1 <= int(model.removeprefix("M")) <= len(own[arm].iterations) + 1, hypothesis
    assert recipe.unspoilt is None or recipe.unspoilt in own


@pytest.mark.parametrize(("name", "gb"), [("gsm8k-7b-24gb", 24), ("gsm8k-7b-80gb", 80)])
def test_a_7b_recipe_fits_its_gpu_even_where_the_estimate_is_low(name: str, gb: int) -> None:
    recipe = load(name)
    for settings in [recipe.imitate, *(step.learn for step in recipe.iterations)]:
        needed = memory_gb(settings, MISTRAL_7B)
        assert needed is not None
        assert needed.high < gb
    whole = memory_gb(recipe.imitate.model_copy(update={"adapter": None}), MISTRAL_7B)
    assert whole is not None
    assert whole.low > 80  # why there is an adapter


def test_the_7b_recipes_take_the_papers_rates_times_ten_for_adapters() -> None:
    for name in ("gsm8k-7b-24gb", "gsm8k-7b-80gb"):
        recipe = load(name)
        assert [recipe.imitate.learning_rate, *(s.learn.learning_rate for s in recipe.iterations)] == [1e-5, 1e-5, 1e-6]
        assert {s.learn.beta for s in recipe.iterations} == {0.3}


def test_the_command_line_names_every_recipe_that_ships() -> None:
    from orcamath.verbs.arguments import SHIPPED

    assert SHIPPED.split(", ") == list(shipped())
