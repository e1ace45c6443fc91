"""What a recipe lets out and lets in: which variable's value goes to which host, which commands are started, whose code is run.

A recipe is code (docs/security.md). `plan` and `run` say this before anything is sent or started.
"""

from collections.abc import Iterator

from orcamath.backends.wire_keys import variables_of
from orcamath.checks.models import models_asked
from orcamath.errors import RecipeError
from orcamath.extend import offered
from orcamath.recipe_file import arms
from orcamath.recipe_settings import Recipe
from orcamath.records import Settings
from orcamath.store.hosts import OPENAI, host_named
from orcamath.store.prices import PAID_BACKENDS, is_unpriced

__all__ = ["check_prices", "leaving"]


def leaving(recipe: Recipe) -> list[str]:
    """Return one line for each way out of this process, of the recipe and of its arms."""
    own = (recipe, *arms(recipe).values())
    return list(dict.fromkeys(line for told in (_hosts, _commands, _code) for one in own for line in told(one)))


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


def _code(recipe: Recipe) -> Iterator[str]:
    for family, name in _members(recipe):
        if name.endswith(".py"):
            yield f"{family}: code of this file is run: {name}"
        elif (offer := offered(family, name)) is not None and offer.by is not None:
            yield f"{family}: code of an installed package is run: {name} of {offer.by}"


def _members(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield family and name of every member that settings, or those below them, name: their fields are marked with it."""
    for field, info in type(settings).model_fields.items():
        value, marks = getattr(settings, field), info.json_schema_extra
        family = (marks.get("member_of") or marks.get("family")) if isinstance(marks, dict) else None
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Settings):
                yield from _members(one)
            elif isinstance(family, str) and isinstance(one, str):
                yield family, one


def check_prices(recipe: Recipe) -> None:
    """Raise RecipeError where a cap is set and an endpoint on this machine has no price: it may lead on to one that is paid."""
    if recipe.budget.cap_usd is None and not recipe.budget.stages_usd:
        return
    own = {"": recipe, **{f"variants.{name}.": arm for name, arm in arms(recipe).items()}}
    for role, model in ((f"{arm}{role}", model) for arm, one in own.items() for role, model in one.models().items()):
        if is_unpriced(model):
            raise RecipeError(
                f"`{role}` is behind {model.base_url}, and a cap needs to know what it costs: `options: {{price: [0, 0]}}` for a "
                f"server of your own, or US dollars per million tokens in and out if it leads on to one that is paid"
            )
