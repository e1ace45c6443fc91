"""A recipe from YAML 1.2: overrides, arms, and errors that name the file, the line, the key and the nearest known one."""

import copy
import io
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from orcamath.agents.writer_size import sized
from orcamath.errors import DataError, RecipeError, UsageError, nearest
from orcamath.experiment import seeded
from orcamath.extend import offered, offers
from orcamath.reading import read_text
from orcamath.recipe_overrides import merged, override
from orcamath.recipe_settings import Recipe
from orcamath.recipe_versions import brought_up
from orcamath.records import Settings
from orcamath.store.literals import refuse_keys, refuse_literals, shown
from orcamath.store.names import check_apart, once_more, run_name
from orcamath.yaml_reader import Lines, read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["arms", "dump", "load", "shipped"]

SECTIONS = ("practice", "preferences", "learn")
LIMITED = ("start_from", "seeds", "as_they_are")
"""Sections whose problems are solved, edited and practised on: what a limit is of."""
LOOKS = {"evaluate": "evaluate", "more_sft": "imitate"}
"""Section of `readiness` → the section that has what it leaves out."""


def shipped() -> dict[str, Traversable]:
    """Return the files of the recipes that can be run by name: ours, our rooms', and those of installed packages."""
    found = {o.name: resources.files(o.module) / f"{o.name}.yaml" for o in offers("recipe")}
    ours = resources.files("orcamath.recipes").iterdir()
    return dict(sorted((found | {p.name.removesuffix(".yaml"): p for p in ours if p.name.endswith(".yaml")}).items()))


def load(
    name: str | Mapping[str, object],
    overrides: Sequence[str] | Mapping[str, object] = (),
    *,
    limit: int | None = None,
    of_run: bool = False,
) -> Recipe:
    """Read a recipe by file or by the name it ships under (or take one that was read), apply `key=value` overrides (or keys with
    their values), and check every key and value; `of_run`: but for its name, as it lies in a folder already, perhaps an arm's.

    `limit`: take so many problems in each of its `LIMITED` sections, and in its arms'. Raises RecipeError with file, line and
    key, and the nearest known name.
    """
    read, where, lines = _read(name)
    raw = brought_up(read, where)
    override(raw, overrides)
    refuse_keys(raw, where)
    recipe = _build(raw, where, lines)
    if limit is not None:
        recipe = _limited(recipe, limit)
    if not of_run:
        _check_name(recipe, where)
    return seeded(recipe, recipe.repeat[0]) if recipe.repeat else recipe


def _limited(recipe: Recipe, limit: int) -> Recipe:
    """Return the recipe with few problems to pay for, whichever way it and its arms come by them."""
    if limit < 1:
        raise RecipeError(f"a limit of {limit}: give a whole number of problems from 1 on, or leave it out")

    def few(of: Recipe) -> dict[str, Settings]:
        said = {section: getattr(of, section) for section in LIMITED}
        return {k: s.model_copy(update={"limit": limit}) for k, s in said.items() if s is not None}

    variants = {}
    for name, arm in ((n, a) for n, a in arms(recipe).items() if n in recipe.variants):
        own = recipe.variants[name]
        variants[name] = own | {k: s.model_dump(mode="json") for k, s in few(arm).items() if k in own}
    return recipe.model_copy(update={**few(recipe), "variants": variants})


def _check_name(recipe: Recipe, where: str) -> None:
    try:
        run_name(recipe.name)
    except UsageError as e:
        raise RecipeError(f"{where}: `name`: {e}") from None


def arms(recipe: Recipe) -> dict[str, Recipe]:
    """Return the recipe of every arm: the base with the arm's overrides, sharing all that they leave alone.

    Where `repeat` names several seeds, the first is the base's and its arms'; the base and each arm come again with the others.
    """
    base = recipe.model_dump(mode="json", exclude={"variants", "repeat", "repeat_bases"})
    out = {}
    for name, overrides in recipe.variants.items():
        ready = base["readiness"]
        looks = {"readiness": _looks(ready, base, overrides)} if ready is not None else {}
        raw = merged({**base, **looks}, {**sized(overrides, base), "name": name})
        if "iterations" not in overrides:
            raw["iterations"] = [_override(step, overrides) for step in base["iterations"]]
        out[name] = _build(raw, f"variants.{name} of {recipe.name}", {})
    check_apart(out)
    for name in out:
        _check_target(name, out)
    if not recipe.repeat:
        return out
    first = {name: seeded(arm, recipe.repeat[0]) for name, arm in out.items()}
    return first | _repeated(out, recipe)


def _repeated(found: Mapping[str, Recipe], recipe: Recipe) -> dict[str, Recipe]:
    """Return the recipe and its arms again with each further seed and its base; a control is matched to its seed's arm."""
    alone = recipe.model_copy(update={"variants": {}, "repeat": (), "repeat_bases": {}})
    again = {}
    for seed in recipe.repeat[1:]:
        for name, arm in {"": alone, **found}.items():
            base = recipe.repeat_bases.get(seed) if arm.student.base == recipe.student.base else None
            target = arm.match_tokens_of and once_more(arm.match_tokens_of, seed)
            update = {"name": once_more(name, seed), "match_tokens_of": target}
            again[once_more(name, seed)] = seeded(arm, seed, base).model_copy(update=update)
    if clash := again.keys() & found.keys():
        raise RecipeError(f"variant `{min(clash)}` is called as `repeat` calls a seed; give it another name")
    return again


def _override(step: Mapping[str, object], overrides: Mapping[str, object]) -> dict[str, object]:
    """Let an arm's sections reach into iterations that it takes over: these are resolved and would hide them."""
    known = {s: overrides[s] for s in SECTIONS if isinstance(overrides.get(s), dict)}
    if step["more_sft"] is not None and isinstance(overrides.get("imitate"), dict):
        known["more_sft"] = overrides["imitate"]
    return merged(step, known)


def _looks(
    ready: Mapping[str, object], base: Mapping[str, object], overrides: Mapping[str, object]
) -> dict[str, object]:
    """Let an arm's sections reach into what readiness has as they were before; what it has otherwise is its own."""
    out = dict(ready)
    for own, section in LOOKS.items():
        look, before, said = ready[own], base[section], overrides.get(section)
        if isinstance(look, dict) and isinstance(before, dict) and isinstance(said, dict):
            out[own] = merged(look, {k: v for k, v in said.items() if look.get(k) == before.get(k)})
    return out


def _check_target(name: str, found: Mapping[str, Recipe]) -> None:
    """Raise RecipeError where a control is matched to nothing, to itself in a circle, or to another number of iterations."""
    target, trail = found[name].match_tokens_of, [name]
    while target is not None:
        if target not in found:
            raise RecipeError(f"variant `{name}`: match_tokens_of `{target}`; {nearest(target, found)}")
        if target in trail:
            raise RecipeError(f"variant `{name}`: match_tokens_of goes in a circle: {' → '.join([*trail, target])}")
        n, wanted = len(found[trail[-1]].iterations), len(found[target].iterations)
        if n != wanted:
            raise RecipeError(
                f"variant `{trail[-1]}` has {n} iterations and `{target}`, whose tokens it matches, has {wanted}; "
                f"give it as many `more_sft` iterations"
            )
        trail.append(target)
        target = found[target].match_tokens_of


def dump(recipe: Recipe) -> str:
    """Write a resolved recipe as YAML: every default spelled out; reading it back gives the same recipe."""
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.dump(recipe.model_dump(mode="json"), stream)
    return stream.getvalue()


def _text(name: str) -> tuple[str, str]:
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        if not path.exists():
            raise RecipeError(f"recipe file `{path}` does not exist; recipes that ship: {', '.join(shipped())}")
        try:
            return read_text(path, "recipe file"), str(path)
        except DataError as e:
            raise RecipeError(str(e)) from e
    if name not in shipped():
        raise RecipeError(f"there is no recipe `{name}`; {nearest(name, shipped())} (or give the path of a .yaml file)")
    offered("recipe", name)  # by one package only
    return shipped()[name].read_text(encoding="utf-8"), f"recipe {name}"


def _read(name: str | Mapping[str, object]) -> tuple[dict[str, object], str, Lines]:
    if isinstance(name, Mapping):
        return copy.deepcopy(dict(name)), "the recipe given", {}
    text, where = _text(name)
    read, lines = _parse(text, where)
    return read, where, lines


def _parse(text: str, where: str) -> tuple[dict[str, object], Lines]:
    plain, lines = read_yaml(text, where)
    if not isinstance(plain, dict):
        what = "empty" if plain is None else "a list" if isinstance(plain, list) else "plain text"
        raise RecipeError(
            f"{where}: a recipe is a mapping of keys to values such as `name: mine`, and this file is {what}; `orcamath init` "
            f"writes one to begin with"
        )
    return plain, lines


def _build(raw: dict[str, object], where: str, lines: Lines) -> Recipe:
    """Give every iteration the sections it does not override, then validate."""
    resolved = dict(raw)
    if isinstance(ready := raw.get("readiness"), dict):
        inherited = {
            own: _joined(raw.get(section), ready[own]) for own, section in LOOKS.items() if ready.get(own) is not None
        }
        resolved["readiness"] = {**ready, **inherited}
    iterations = raw.get("iterations") or []
    if isinstance(iterations, list):
        resolved["iterations"] = [_iteration(raw, it) if isinstance(it, dict | None) else it for it in iterations]
    try:
        recipe = Recipe.model_validate(resolved)
        for model in recipe.models().values():
            refuse_literals(model)
        return recipe
    except RecipeError as e:
        raise RecipeError(f"{where}: {e}") from None
    except ValidationError as e:
        raise RecipeError("\n".join(_explain(error, where, lines) for error in _own(e.errors()))) from e


def _iteration(raw: Mapping[str, object], own: Mapping[str, object] | None) -> dict[str, object]:
    own = dict(own or {})
    for section in SECTIONS:
        own[section] = _joined(raw.get(section), own.get(section))
    if own.get("more_sft") is not None:
        own["more_sft"] = _joined(raw.get("imitate"), own["more_sft"])
    return own


def _joined(shared: object, own: object) -> object:
    """Lay an iteration's own section over the shared one; what is no section at all is left for validation to name."""
    if not isinstance(own, dict | None):
        return own
    return merged(shared or {}, own or {}) if isinstance(shared, dict | None) else shared


def _own(errors: Sequence["ErrorDetails"]) -> list["ErrorDetails"]:
    """Leave out what an iteration, or readiness, only inherited from a section above: it is reported there."""
    above = {error["loc"] for error in errors}

    def shared(loc: tuple[object, ...]) -> tuple[object, ...] | None:
        if loc[0] == "readiness" and len(loc) > 1:
            return (LOOKS.get(str(loc[1])), *loc[2:])
        if len(loc) < 3 or loc[0] != "iterations":
            return None
        return ("imitate", *loc[3:]) if loc[2] == "more_sft" else loc[2:]

    return [error for error in errors if shared(error["loc"]) not in above]


def _explain(error: "ErrorDetails", where: str, lines: Lines) -> str:
    location = tuple(str(part) for part in error["loc"])
    at = location
    while at and at not in lines:
        at = at[:-1]
    place = f"{where}:{lines[at]}" if at else where
    key, value = ".".join(location), shown(error.get("input"), location)
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown key `{key}`; {nearest(location[-1], _fields(Recipe, location[:-1]))}"
    if error["type"] == "missing":
        return f"{place}: `{key}` is missing; write `{location[-1]}: …` there"
    if error["type"] == "model_type":
        known = ", ".join(f"`{name}`" for name in _fields(Recipe, location)[:4])
        return f"{place}: `{key}` = {value}: this is a section; its keys are {known}, …"
    return f"{place}: `{key}` = {value}: {error['msg'].removeprefix('Value error, ')}"


def _fields(model: object, path: Sequence[str]) -> list[str]:
    """Return the keys known at a place in the recipe, for the nearest-name hint."""
    for part in path:
        if part.isdecimal():
            continue
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        model = _model_in(field.annotation) if field is not None else None
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _model_in(annotation: object) -> object:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in getattr(annotation, "__args__", ()) if (m := _model_in(a)) is not None), None)
