"""Two recipes side by side: which settings differ, and from which stage on the second is made anew. Pure.

What the files hold that they name is told by what their stages make (`reads_otherwise`): settings do not say it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from orcamath.recipe_settings import Recipe
from orcamath.store.stage import StageLabel

__all__ = ["FIRST_STAGE", "Differing", "Setting", "differing", "reads_otherwise"]

FIRST_STAGE = {
    "seeds": "seeds",
    "benchmarks": "seeds",
    "start_from": "seeds",
    "ask_me_anything": "ask",
    "writer": "ask",
    "suggester_editor": "edit",
    "agents": "agent",
    "as_they_are": "seeds as they are",
    "collect": "collect",
    "teacher": "teach",
    "ladder": "teach",
    "teach": "teach",
    "solver": "confirm",
    "confirm": "confirm",
    "gate": "gate",
    "screens": "gate",
    "unseen": "unseen",
    "base_shown": "evaluate base",
    "student": "imitate",
    "imitate": "imitate",
    "readiness": "readiness",
    "practice": "practice 2",
    "judge": "judge 2",
    "judge_model": "judge 2",
    "reask": "reask 2",
    "preferences": "preferences 2",
    "learn": "learn 2",
    "reference": "learn 3",
    "match_tokens_of": "imitate 2",
    "evaluate": "evaluate M1",
}
"""Section of a recipe → the first stage that reads it. Seeds and benchmarks are clustered together: both begin at `seeds`."""
OF_ITERATION = {
    "grow": "pick",
    "practice": "practice",
    "preferences": "preferences",
    "learn": "learn",
    "more_sft": "imitate",
    "online": "online",
}
"""Section of an iteration → the first of its stages that reads it."""
IN_ROUND = ("pick", "practice", "judge", "reask", "preferences", "learn", "imitate", "online")
"""The stages of an iteration, in order."""
ARMS = ("variants", "repeat", "repeat_bases", "repeat_lessons")
"""Sections that make arms: no part of any digest, and yet something is made."""
BEFORE_ROUNDS = tuple(
    stage for stage in dict.fromkeys(FIRST_STAGE.values()) if not stage[-1].isdecimal() or stage == "evaluate M1"
)


class Setting(NamedTuple):
    """One setting that differs."""

    key: str
    first: str
    second: str
    matters: bool
    """False for what is no part of a digest: paths, caps, concurrency of a run."""


class Differing(NamedTuple):
    """What differs, and what follows from it."""

    settings: tuple[Setting, ...]
    remade_from: str | None
    """The first stage that the second recipe makes anew; None where both share everything."""
    by_content: bool = False
    """Whether no setting says so: a file that is read has other content, or this version makes it otherwise."""


def differing(first: Recipe, second: Recipe) -> Differing:
    """Compare two resolved recipes; arms are compared setting by setting, under `variants.NAME`."""
    one, two = (dict(_flat(r.model_dump(mode="json"))) for r in (first, second))
    read_one, read_two = (dict(_flat(r.identity())) for r in (first, second))
    settings, touched = [], set()
    for key in dict.fromkeys([*one, *two]):
        if key == "name" or one.get(key) == two.get(key):
            continue
        matters = read_one.get(key) != read_two.get(key) or key.split(".")[0] in ARMS
        if not _is_bare(key, one, two):
            settings.append(Setting(key, _shown(one, key), _shown(two, key), matters))
        if matters and (stage := _first_stage(_path(key, [*first.variants, *second.variants]), second)) is not None:
            touched.add(stage)
    return Differing(tuple(settings), min(touched, key=_place, default=None))


def reads_otherwise(found: Differing, was: Mapping[str, str], now: Mapping[str, str]) -> Differing:
    """Return the difference with what files hold counted in.

    `was` and `now`: what stages up to the lessons make, by label, in the order in which they are made.
    """
    label = next((label for label, made in now.items() if was.get(label, made) != made), None)
    label = "seeds" if label == "benchmarks" else label  # as above: they are read together
    if label is None or (found.remade_from is not None and _place(found.remade_from) <= _place(label)):
        return found
    return found._replace(remade_from=label, by_content=True)


def _is_bare(key: str, one: Mapping[str, object], two: Mapping[str, object]) -> bool:
    """Tell whether a key is a group of settings with nothing below it, on one side: what is below it on the other says it all.

    What an arm overrides with nothing (`more_sft: {}`) is told: it is all that the arm says there.
    """
    values = [side[key] for side in (one, two) if key in side]
    if len(values) == 2 or values[0] not in ({}, []):
        return False
    return not key.startswith("variants.") or any(k.startswith(f"{key}.") for k in (*one, *two))


def _path(key: str, variants: Iterable[str]) -> list[str]:
    """Cut a key at its dots; an arm's name may have some of its own."""
    named = max((f"variants.{v}." for v in variants if key.startswith(f"variants.{v}.")), key=len, default="")
    return (
        ["variants", named.removeprefix("variants.")[:-1], *key[len(named) :].split(".")] if named else key.split(".")
    )


def _first_stage(path: list[str], recipe: Recipe) -> str | None:
    """Return the first stage that reads a setting; None where none does."""
    section = path[0]
    if section == "variants":  # `variants.NAME.learn.beta`; an arm without settings of its own shares everything
        return _first_stage(path[2:], recipe) if len(path) > 2 else None
    if section in ARMS:  # further seeds train anew, on lessons of their own where these vary too
        return "teach" if recipe.repeat_lessons else "imitate"
    if section == "iterations":  # `iterations.0.learn.beta`; of another number of iterations only the number is known
        number = int(path[1]) + 2 if len(path) > 1 else 2
        return f"{OF_ITERATION[path[2]] if len(path) > 2 else 'practice'} {number}"
    return "ask" if section == "teacher" and recipe.writer is None else FIRST_STAGE.get(section)


def _place(stage: str) -> tuple[int, int]:
    """Return where a stage stands in a run: before the rounds, or in which and where in it."""
    of = StageLabel.read(stage)
    if of.round is not None:
        return of.round, IN_ROUND.index(of.name)
    return 0, BEFORE_ROUNDS.index(stage if stage in BEFORE_ROUNDS else of.name)


def _shown(values: Mapping[str, object], key: str) -> str:
    return repr(values[key]) if key in values else "not set"


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
        for i, inner in enumerate(value):
            yield from _flat(inner, f"{prefix}.{i}")
    else:
        yield prefix, list(value) if isinstance(value, tuple) else value
