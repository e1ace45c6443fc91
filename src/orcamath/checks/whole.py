"""One check of a whole recipe with its arms: what `run` demands, `plan` shows and `doctor` tells."""

import shutil
from pathlib import Path

from orcamath.checks.calls import check_calls
from orcamath.checks.data import check_data
from orcamath.checks.models import check_models
from orcamath.checks.names import check_arms, check_names, check_stage, trains
from orcamath.checks.rounds import check_rounds
from orcamath.checks.trouble import Checked, Notes
from orcamath.recipe_file import arms
from orcamath.recipe_settings import Recipe
from orcamath.store.room import network_type

__all__ = ["check", "free_bytes"]

LEAST_FREE = 500_000_000
"""Bytes: below this not even the ledger of a small run is sure to fit."""


def check(
    recipe: Recipe, store: Path, *, until: str | None = None, everything: bool = True, on_cluster: bool = False
) -> Checked:
    """Return all that would stop a run later. Sends and writes nothing.

    `everything` uses the network (hub names) and the environment's keys too; without it what needs them is listed as not
    checked. `until`: the stage at which the run is to stop. `on_cluster`: training in several processes is not this machine's.
    """
    notes = Notes(everything=everything)
    if until is not None:
        check_stage(until, recipe, notes)
    own = {}
    with notes.at("variants"):
        own = arms(recipe)
        check_arms(recipe, own, notes)
    recipes = [(one, trains(one, until)) for one in (recipe, *own.values())]
    for one, has_student in recipes:
        check_names(one, notes, student=has_student)
        check_calls(one, notes)
        if has_student:
            check_rounds(one, notes)
    for one, has_student in recipes:
        check_data(one, notes, measures=has_student)
    for one, has_student in recipes:
        check_models(one, notes, student=has_student, on_cluster=on_cluster)
    _room(store, notes)
    _own_disk(store, notes, on_cluster=on_cluster)
    return notes.result()


def _room(store: Path, notes: Notes) -> None:
    """Note where there is no room to begin; what the whole run will take is the plan's to say (`commands.disk`)."""
    if (free := free_bytes(store)) < LEAST_FREE:
        what = f"{free / 1e6:,.0f} MB are free where `{store}` lies; make room, or name another place"
        notes.trouble("--store", what)


def _own_disk(store: Path, notes: Notes, *, on_cluster: bool) -> None:
    """Note what SQLite is to be kept on: its files are this machine's, and a network file system may lose what was paid for."""
    kinds = {name: kind for name in ("ledger", "runs") if (kind := network_type(store / name)) is not None}
    for name, kind in kinds.items():
        move = f"mv {store / name} /LOCAL/" if (store / name).exists() else f"mkdir -p /LOCAL/{name}"
        what = (
            f"`{store / name}` lies on {kind}, and SQLite is not for network file systems: a ledger or a book may be damaged. "
            f"Put it on this machine's own disk: {move} && ln -s /LOCAL/{name} {store / name}"
        )
        (notes.trouble if on_cluster else notes.warn)("--store", what)


def free_bytes(path: Path) -> int:
    """Return what is free where a folder lies, or will."""
    return shutil.disk_usage(_existing(path)).free


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
