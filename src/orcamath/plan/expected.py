"""A plan without anything at hand: what the recipe says to expect stands in for sources that nobody has read yet.

In: a recipe with `expected`. Out: what a rehearsal would have seen before the first call, its prompts as long as the agents
themselves make them for a problem of that length.
"""

from collections.abc import Callable

from orcamath.agents import ask_me_anything, solver, suggester
from orcamath.agents.driver import Agent
from orcamath.agents.settings import AgentSettings
from orcamath.agents.small_writer.ask_each import Teller
from orcamath.agents.solver import Assignment
from orcamath.plan.rehearsal import CallTally, StageForecast
from orcamath.ports import Request
from orcamath.recipe_settings import ExpectedSettings, Recipe
from orcamath.records import Problem

__all__ = ["counted_with", "seen_of"]


def counted_with(recipe: Recipe) -> ExpectedSettings | None:
    """Return what a recipe says to count with, as far as its limits let so many in."""
    told = recipe.expected
    if told is None:
        return None
    more = recipe.as_they_are
    share = min(1.0, (recipe.seeds.limit or told.seeds) / told.seeds)
    return told.model_copy(
        update={
            "seeds": min(told.seeds, recipe.seeds.limit or told.seeds),
            "as_they_are": min(told.as_they_are, (more.limit if more is not None else None) or told.as_they_are),
            "ask": round(told.ask * share),
            "edit": round(told.edit * share),
        }
    )


def seen_of(
    recipe: Recipe, expected: ExpectedSettings, agent_of: Callable[[AgentSettings], Agent[Problem, Problem]]
) -> dict[str, StageForecast]:
    """Return the stages up to the lessons as they stand before anything was asked. `agent_of` makes an agent of the user's."""
    problem = Problem.make("x" * expected.question_chars, "seed", "expected", answer="7", answer_from="gold")
    here = expected.seeds + expected.as_they_are
    seen = {"collect": _stage("collect", here, here, expected)}
    if recipe.ask_me_anything is not None:
        asking = recipe.ask_me_anything
        teller = Teller(asking.statement, asking.statement.loaded())
        agent = ask_me_anything.make(asking) if asking.calls == "one" else teller
        request = agent.request(problem, 0)
        seen["ask"] = _stage("ask", expected.seeds, 0, expected, request)
    if recipe.suggester_editor is not None:
        request = suggester.make(recipe.suggester_editor.suggester).request(problem, 0)
        seen["edit"] = _stage("edit", expected.seeds, 0, expected, request)
    for settings in recipe.agents:
        label, request = f"agent {settings.title}", agent_of(settings).request(problem, 0)
        seen[label] = _stage(label, expected.seeds, 0, expected, request)
    request = solver.make(recipe.teach).request(Assignment(problem), 0)
    taught = here if recipe.teach.max_problems is None else min(here, recipe.teach.max_problems)
    seen["teach"] = _stage("teach", taught, 0, expected, request, recipe.teach.solutions)
    if recipe.confirm is not None:
        seen["confirm"] = _stage("confirm", 0, 0, expected)
    return seen


def _stage(
    label: str, n_in: int, n_out: int, expected: ExpectedSettings, request: Request | None = None, calls: int = 1
) -> StageForecast:
    tally = CallTally()
    if request is not None:
        size = sum(len(m.content.encode()) for m in request.messages)
        tally = CallTally(unknown=n_in * calls, unknown_bytes=n_in * calls * size, longest=request.sampling.max_tokens)
    return StageForecast(label, False, n_in, n_out, float(expected.question_chars), 0.0, tally)
