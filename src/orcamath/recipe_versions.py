"""Versions of a recipe's form: older ones are brought up to today's keys, newer ones refused by name.

In: a recipe as YAML gave it. Out: the same in the keys of `recipe_settings`. A recipe without `version` is from before there
were any and counts as 0. The version says how a recipe is read, not what it makes, so it enters no digest.
"""

from collections.abc import Callable, Mapping
from typing import Any

from orcamath.errors import RecipeError
from orcamath.recipe_settings import RECIPE_VERSION

__all__ = ["brought_up"]


def _trackers(raw: dict[str, Any]) -> dict[str, object]:
    """`tensorboard: true` became one of `trackers`."""
    told = {key: value for key, value in raw.items() if key != "tensorboard"}
    named = told.get("trackers") or []
    if raw.get("tensorboard") is True and isinstance(named, list):  # what is no list is left for the recipe's own check
        told["trackers"] = [*named, "tensorboard"]
    return told


RECIPE_MIGRATIONS: dict[int, Callable[[dict[str, object]], dict[str, object]]] = {0: _trackers}
"""Version → how a recipe of it is written in the next one's keys. One that is not listed has the next one's keys already."""


def brought_up(
    raw: Mapping[str, object],
    where: str,
    migrations: Mapping[int, Callable[[dict[str, object]], dict[str, object]]] = RECIPE_MIGRATIONS,
    newest: int = RECIPE_VERSION,
) -> dict[str, object]:
    """Return a recipe in the newest keys, its version said. Raises RecipeError where it is newer, or its version no version."""
    found = raw.get("version", 0)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise RecipeError(
            f"{where}: `version` = {found!r}: a recipe's version is a whole number; write `version: {newest}`"
        )
    if found > newest:
        raise RecipeError(
            f"{where}: this recipe is of version {found}, and this orcamath reads recipes up to version {newest}: "
            f"`pip install -U orcamath`, then run it again"
        )
    made = dict(raw)
    for version in range(found, newest):
        made = migrations.get(version, dict)(made)
    return {**made, "version": newest}
