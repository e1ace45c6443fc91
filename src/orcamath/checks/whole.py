"""One check of a whole recipe with its arms: what `run` demands, `plan` shows and `doctor` tells."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from orcamath.checks.data import check_data
from orcamath.checks.models import check_models, student_size, trainings
from orcamath.checks.names import check_arms, check_names, check_stage, trains
from orcamath.checks.trouble import Checked, Notes
from orcamath.errors import OrcamathError
from orcamath.plan.training import weights_mb
from orcamath.recipe_file import arms
from orcamath.recipe_settings import Recipe

__all__ = ["check", "free_bytes"]

LEAST_FREE = 500_000_000
"""Bytes: below this not even the ledger of a small run is sure to fit."""


def check(recipe: Recipe, store: Path, *, until: str | None = None, everything: bool = True) -> Checked:
    """Return all that would stop a run later. Sends and writes nothing.

    `everything` uses the network (hub names) and the environment's keys too; without it what needs them is listed as not
    checked. `until`: the stage at which the run is to stop.
    """
    notes = Notes(everything=everything)
    if until is not None:
        check_stage(until, recipe, notes)
    own = {}
    with notes.at("variants"):
        own = arms(recipe)
        check_arms(recipe, own, notes)
    for one in (recipe, *own.values()):
        check_names(one, notes, student=trains(one, until))
    check_data(recipe, notes, measures=trains(recipe, until))
    for one in (recipe, *own.values()):
        check_models(one, notes, student=trains(one, until))
    _room([recipe, *own.values()], store, notes, student=trains(recipe, until))
    return notes.result()


def _room(recipes: Sequence[Recipe], store: Path, notes: Notes, *, student: bool) -> None:
    """Note where the disk does not hold the least that a plan counts: the ledger, the weights of every student."""
    if (free := free_bytes(store)) < LEAST_FREE:
        notes.trouble(
            "--store", f"{free / 1e6:,.0f} MB are free where `{store}` lies; make room, or name another place"
        )
    needed, n = 0.0, 0
    for i, recipe in enumerate(recipes if student else ()):
        with suppress(OrcamathError):  # `check_models` says so
            size = student_size(recipe, notes)
            own = list(trainings(recipe).values())
            for training in own[1:] if i else own:  # arms may share the base's M1
                needed += weights_mb(training, size).low * 1e6 if size is not None else 0
                n += 1
    if needed > free:
        what = (
            f"{n} students take at least {needed / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free where `{store}` lies"
        )
        notes.lacks("--store", f"{what}; make room, or name another place")


def free_bytes(path: Path) -> int:
    """Return what is free where a folder lies, or will."""
    return shutil.disk_usage(_existing(path)).free


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
