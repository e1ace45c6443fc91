"""What a recipe lets out and lets in: which variable's value goes to which host, which commands are started, whose code is run.

A recipe is code (docs/security.md). `plan` and `run` say this before anything is sent or started.
"""

from collections.abc import Iterator

from orcamath.backends.wire_keys import variables_of
from orcamath.checks.models import models_asked
from orcamath.errors import RecipeError
from orcamath.recipe_settings import Recipe
from orcamath.store.hosts import OPENAI, host_named
from orcamath.store.prices import PAID_BACKENDS, is_unpriced

__all__ = ["check_prices", "leaving"]


def leaving(recipe: Recipe) -> list[str]:
    """Return one line for each way out of this process."""
    return list(dict.fromkeys([*_hosts(recipe), *_commands(recipe), *_files(recipe)]))


def _hosts(recipe: Recipe) -> Iterator[str]:
    for role, model in models_asked(recipe).items():
        if model.backend in PAID_BACKENDS:
            url = model.base_url or OPENAI
            names = ", ".join(f"${{{name}}}" for name in variables_of(model, url))
            yield f"{role.replace('_', ' ')}: prompts go to {host_named(url)}, with {names or 'no variable'}"


def _commands(recipe: Recipe) -> Iterator[str]:
    for practice in (recipe.practice, *(step.practice for step in recipe.iterations)):
        if practice.server is not None:
            yield f"practice: this command is started: {practice.server.line()}"


def _files(recipe: Recipe) -> Iterator[str]:
    named = [("backend", model.backend) for model in recipe.models().values()]
    named += [("judge", recipe.judge.name), ("loss", recipe.learn.loss)]
    named += [("loss", step.learn.loss) for step in recipe.iterations]
    named += [("source", s.name) for s in (*recipe.seeds.sources, *recipe.benchmarks.sources)]
    for family, name in named:
        if name.endswith(".py"):
            yield f"{family}: code of this file is run: {name}"


def check_prices(recipe: Recipe) -> None:
    """Raise RecipeError where a cap is set and an endpoint on this machine has no price: it may lead on to one that is paid."""
    if recipe.budget.cap_usd is None and not recipe.budget.stages_usd:
        return
    for role, model in recipe.models().items():
        if is_unpriced(model):
            raise RecipeError(
                f"`{role}` is behind {model.base_url}, and a cap needs to know what it costs: `options: {{price: [0, 0]}}` for a "
                f"server of your own, or US dollars per million tokens in and out if it leads on to one that is paid"
            )
