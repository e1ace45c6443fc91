"""A run folder and its arms as they lie on disk: which stages each points to, its recipe, its training steps.

In: `runs/NAME/` and the store. Out: plain values, in the order in which things were made. What they mean is for `fold`.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from orcamath.errors import RecipeError, UsageError
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.history import Reached, reached_in
from orcamath.store.names import arm_folder, once_more
from orcamath.store.seals import changed, read_sealed
from orcamath.yaml_reader import read_yaml

__all__ = [
    "ArmFolder",
    "Made",
    "arms_of",
    "artifacts_of",
    "key_of",
    "load_artifact",
    "made",
    "own",
    "recipe_of",
    "steps_of",
]

log = logging.getLogger("orcamath")


class ArmFolder(NamedTuple):
    """The base of a run, or one of its arms."""

    name: str
    """Of its folder and stages; empty for the base."""
    variant: str
    """The arm whatever its seed."""
    seed: int | None
    """None where the recipe does not repeat."""
    folder: Path
    pointers: Reached
    recipe: dict[str, Any]


class Made(NamedTuple):
    """A stage as the first arm that has it points to it."""

    arm: str
    label: str
    seconds: float
    artifact: Artifact


def load_artifact(store: Store, pointer: str) -> Artifact:
    """Return the sealed artifact that a run points to. Raises UsageError where it is gone."""
    stage, _, name = pointer.rpartition("-")
    found = store.find(stage, name)
    if found is None:
        raise UsageError(f"`{pointer}` is no longer in `{store.artifacts}`; run the recipe again to make it")
    return found


def artifacts_of(folder: Path, store: Store) -> list[Artifact]:
    """Return every artifact a run and its arms point to, once each, in the order they were made."""
    pointers = [s["artifact"] for arm in arms_of(folder) for s in arm.pointers["stages"]]
    return [load_artifact(store, p) for p in dict.fromkeys(pointers)]


def recipe_of(folder: Path) -> dict[str, Any]:
    """Return the resolved recipe that a run folder or an arm's holds; empty where it has none yet."""
    path = folder / "recipe.yaml"
    if not path.exists():
        return {}
    if (wanted := (read_sealed(folder / "stages.json") or {}).get("recipe")) is not None and changed(path, wanted):
        log.warning("`%s` is not the recipe that its stages were made with: edited, or damaged", path)
    return _parsed(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _parsed(path: Path, _changed: int) -> dict[str, Any]:
    try:
        found = read_yaml(path.read_text(encoding="utf-8"), str(path)).value or {}
        if isinstance(found, dict):
            return found
        raise TypeError(f"it is a {type(found).__name__}")
    except (RecipeError, UnicodeDecodeError, TypeError, ValueError) as e:
        raise UsageError(f"`{path}` is no recipe any more ({e}): run the recipe again, which writes it anew") from e


def arms_of(folder: Path) -> Iterator[ArmFolder]:
    """Yield the base, then its arms in the recipe's order; folders of arms it no longer names are left out."""
    if (pointers := reached_in(folder)) is None:
        raise UsageError(f"nothing was run in `{folder}` yet; start with `orcamath run`")
    recipe = recipe_of(folder)
    first, *others = recipe.get("repeat") or [None]
    variants = list(recipe.get("variants") or {})
    yield ArmFolder("", "", first, folder, pointers, recipe)
    ran = {str(recipe_of(p.parent).get("name")): p.parent for p in sorted((folder / "arms").glob("*/stages.json"))}
    wanted = [(name, name, first) for name in variants]
    wanted += [(once_more(name, seed), name, seed) for seed in others for name in ["", *variants]]
    for name, variant, seed in wanted:
        place = folder / "arms" / arm_folder(name)
        place = place if place.is_dir() else ran.get(name, place)  # an older version named folders otherwise
        if (pointers := reached_in(place)) is not None:
            yield ArmFolder(name, variant, seed, place, pointers, recipe_of(place))


def steps_of(arm: ArmFolder) -> list[dict[str, Any]]:
    """Read the training steps in order; of a step that was repeated after a crash, or a training begun anew, the last counts."""
    labels = [s["label"] for s in arm.pointers["stages"]]
    path = arm.folder / "metrics.jsonl"
    steps: dict[tuple[int, int], dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            numbers = json.loads(line)
        except (ValueError, RecursionError):
            continue  # a line that a crash tore
        if not isinstance(numbers, dict):
            continue
        stage, step = numbers.get("stage", 0), numbers.get("step", len(steps))
        if isinstance(stage, int) and isinstance(step, int):
            label = labels[stage] if 0 <= stage < len(labels) else f"stage {stage}"
            if step == 0:  # what an earlier training of this stage said
                steps = {at: told for at, told in steps.items() if at[0] != stage}
            steps[stage, step] = {**numbers, "label": label}
    return [steps[key] for key in sorted(steps)]


def own(arm: ArmFolder, store: Store) -> Iterator[tuple[str, Artifact]]:
    """Yield what an arm's labels point to, shared stages among them."""
    for s in arm.pointers["stages"]:
        yield s["label"], load_artifact(store, s["artifact"])


def made(arms: Iterable[ArmFolder], store: Store) -> Iterator[Made]:
    """Yield (arm, label, seconds, artifact), what arms share only once."""
    seen: set[str] = set()
    for arm in arms:
        for s in arm.pointers["stages"]:
            if s["artifact"] not in seen:
                seen.add(s["artifact"])
                yield Made(arm.name, s["label"], s["seconds"], load_artifact(store, s["artifact"]))


def key_of(arm: str, label: str) -> str:
    """Name a stage of an arm; the base's go by their label alone."""
    return f"{arm}: {label}" if arm else label
