"""The plan: exact where calls are remembered, a wide range where they are not, nothing to pay when all is there."""

from pathlib import Path

import pytest

from orcamath.agents import ask_me_anything, solver
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.classroom import seeds as classroom
from orcamath.classroom import textbook
from orcamath.plan import Plan, Range, asks_first, plan, training
from orcamath.recipe_settings import Recipe
from orcamath.settings import ModelSettings
from orcamath.sources.source import SourceSettings
from orcamath.store.budget import Price
from orcamath.store.ledger import Ledger, Remembered
from orcamath.teach import TeachSettings

PROBLEMS = list(classroom.read(SourceSettings(name="classroom", options={"n": 40})))


def of(recipe: Recipe, model: Remembered, price: Price = Price(2.5, 10)) -> Plan:  # noqa: B008
    return plan(recipe, lambda: PROBLEMS, lambda _: model, lambda _: price)


@pytest.fixture
def model(tmp_path: Path) -> Remembered:
    return Remembered(textbook.open_chat(ModelSettings(backend="textbook")), Ledger(tmp_path))


def test_nothing_remembered_gives_the_papers_growth_and_a_wide_range(model) -> None:
    found = of(Recipe(name="r", suggester_editor=None), model)
    ask, teach = found.stages
    assert ask.calls == Range(40, 40) == ask.to_pay
    assert ask.remembered == 0
    assert teach.calls == Range(40 + 100, 40 + 180)
    assert 0 < found.usd.low < found.usd.high
    expected = (ask.prompt_tokens.high * 2.5 + ask.completion_tokens.high * 10) / 1e6
    assert ask.usd.high == pytest.approx(expected)


def test_what_is_remembered_costs_nothing_and_calibrates_the_rest(model) -> None:
    recipe = Recipe(name="r", suggester_editor=None)
    agent = ask_me_anything.make(AskSettings())
    model.fill(agent.request(p, 0) for p in PROBLEMS)
    ask, teach = of(recipe, model).stages
    assert ask.remembered == 40
    assert ask.to_pay == Range(0, 0)
    assert ask.usd == Range(0, 0)
    made = sum(len(list(agent.parse(model.reply(agent.request(p, 0)), p))) for p in PROBLEMS)  # type: ignore[arg-type]
    assert teach.calls.low < 40 + made
    assert teach.calls.high - teach.calls.low < 80  # was 80 without measurement
    teacher = solver.make(TeachSettings())
    before = teach.usd.high
    model.fill(teacher.request(solver.Posed(p), 0) for p in PROBLEMS)
    again = of(recipe, model).stages[1]
    assert again.remembered == 40
    assert again.usd.high < before


def test_a_limit_on_lessons_limits_the_bill(model) -> None:
    recipe = Recipe(name="r", ask_me_anything=None, suggester_editor=None, teach=TeachSettings(max_problems=10))
    (teach,) = of(recipe, model).stages
    assert teach.calls == Range(10, 10)


def test_editing_takes_two_calls_a_problem_and_round(model) -> None:
    found = of(Recipe(name="r", ask_me_anything=None), model)
    suggest, edit, _ = found.stages
    assert suggest.calls == Range(40 + 16, 40 + 40)
    assert edit.calls == suggest.calls


def test_paying_again_asks_first(model) -> None:
    now = of(Recipe(name="r"), model, Price(1000, 1000))
    assert asks_first(now, spent_before_usd=10.0, cap_usd=100.0)
    assert not asks_first(now, spent_before_usd=4.0, cap_usd=100.0)
    assert not asks_first(now, spent_before_usd=10.0, cap_usd=None)
    assert not asks_first(Plan(()), spent_before_usd=10.0, cap_usd=100.0)


def test_a_7b_model_needs_more_than_one_gpu_and_lora_less() -> None:
    full, lora = training(7e9, 60e6), training(7e9, 60e6, lora_share=0.01)
    assert 130 < full.memory_gb < 150  # 16 bytes a parameter and a quarter more
    assert lora.memory_gb < 20
    assert full.gpu_hours.low == pytest.approx(6 * 7e9 * 60e6 / 200e12 / 3600)
