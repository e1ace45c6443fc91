"""Does the disk hold what a run will write? `plan` and `doctor` tell it, and `run` stops on it before the first call.

In: a plan, and what the run has sealed already. Out: one line with what is needed, what is free and what to do. Counted are the
ledger's replies, samples, every student's weights and the checkpoints kept while one is trained.
"""

from pathlib import Path
from typing import NamedTuple

from orcamath.checks.names import made_until
from orcamath.checks.trouble import Checked, Trouble
from orcamath.checks.whole import free_bytes
from orcamath.plan import Plan, Range
from orcamath.recipe_settings import Recipe
from orcamath.store.history import reached_in
from orcamath.store.names import arm_folder

__all__ = ["Disk", "disk_of"]


class Disk(NamedTuple):
    """What is still to be written, and what is free where it goes."""

    store: Path
    needed_mb: Range
    free_mb: float

    @property
    def holds(self) -> bool:
        """Whether the least that is needed is free."""
        return self.needed_mb.low <= self.free_mb

    def line(self) -> str:
        """Return it as one line for people."""
        low, high = (f"{mb:,.0f}" for mb in self.needed_mb)
        said = f"disk: {low if low == high else f'{low} – {high}'} MB more, {self.free_mb:,.0f} MB free"
        if not self.holds:
            return (
                f"{said}, which is too little where `{self.store}` lies: make room, or name another place with --store"
            )
        return said if self.needed_mb.high <= self.free_mb else f"{said}, which may be too little"

    def checked(self) -> Checked:
        """Return it as `checks` does: a trouble where it does not hold the least, a warning where perhaps not the most."""
        where, what = self.line().split(": ", 1)
        if not self.holds:
            return Checked((Trouble(where, what),), ())
        return Checked((), (), () if self.needed_mb.high <= self.free_mb else (self.line(),))


def disk_of(recipe: Recipe, found: Plan, run: Path, store: Path, *, until: str | None = None) -> Disk:
    """Return what a run in the folder `run` still writes up to the stage `until` (None: all of it), by its plan."""
    wanted = made_until(recipe, until)

    def is_left(arm: str, stage: str) -> bool:
        folder = run / "arms" / arm_folder(arm) if arm else run
        return (until is None or (not arm and stage in wanted)) and stage not in _sealed(folder, store)

    return Disk(store, found.only(is_left).disk_mb, free_bytes(store) / 1e6)


def _sealed(folder: Path, store: Path) -> set[str]:
    """Return the labels of a run's or an arm's stages that are there already."""
    pointers = reached_in(folder)
    return {
        s["label"] for s in (pointers or {"stages": []})["stages"] if (store / "artifacts" / s["artifact"]).exists()
    }
