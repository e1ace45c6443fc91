"""How agents call their models: settings that will do nothing. Told, not refused: recipes of finished runs have them too.

In: a recipe. Out: warnings by place.
"""

from collections.abc import Iterator

from orcamath.agents.driver import CallSettings
from orcamath.checks.trouble import Notes
from orcamath.recipe_settings import Recipe
from orcamath.records import Settings

__all__ = ["check_calls"]


def check_calls(recipe: Recipe, notes: Notes) -> None:
    """Warn of tries that will not be made. They are part of what a stage is called by, so an older run keeps them to be found."""
    for where, call in _calls(recipe, ""):
        if call.tries_in_vain():
            what = f"{call.tries} with `temperature: 0` would bring the same text, so each call is made once"
            notes.warn(
                f"{where}.tries", f"{what}: set a temperature above 0, or leave it as it is to go on with an older run"
            )


def _calls(settings: Settings, prefix: str) -> Iterator[tuple[str, CallSettings]]:
    """Yield every section below that says how a model is called, by its place."""
    for name in type(settings).model_fields:
        value: object = getattr(settings, name)
        many = isinstance(value, tuple)
        for i, one in enumerate(value if isinstance(value, tuple) else (value,)):
            where = f"{prefix}{name}.{i}" if many else f"{prefix}{name}"
            if isinstance(one, CallSettings):
                yield where, one
            if isinstance(one, Settings):
                yield from _calls(one, f"{where}.")
