"""The runs below a folder, a line each: how far each is, its best score, what it spent. In: `runs/` and the store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from orcamath.errors import OrcamathError
from orcamath.intervals import Interval
from orcamath.report.arms import arms_of, made
from orcamath.report.fold import students_of
from orcamath.report.rows import score_table
from orcamath.store.artifacts import Store
from orcamath.store.history import book_of, lacks_book
from orcamath.store.leases import account_of
from orcamath.store.run_folder import touched
from orcamath.store.run_state import read_state

__all__ = ["Best", "Standing", "standing"]


class Best(NamedTuple):
    """The highest score of a run, on the benchmark it measures first."""

    name: str
    benchmark: str
    score: Interval


class Standing(NamedTuple):
    """One run."""

    name: str
    state: str
    """`running`, `measured`, `done` (nothing was to be measured), `stopped after STAGE`, or why its folder cannot be read."""
    n_stages: int
    n_arms: int
    best: Best | None
    spent_usd: float
    changed: float
    """When it was last at work, seconds since the epoch."""
    trouble: str = ""
    """Why its folder cannot be read; empty where it can."""
    doubt: str = ""
    """Why nobody knows what it spent; empty where that is known."""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**self._asdict(), "best": self.best and {**self.best._asdict(), "score": self.best.score._asdict()}}


def standing(runs: Path, store: Store) -> Iterator[Standing]:
    """Yield every folder below `runs` that holds a run, by name. A run that cannot be read says why instead of raising."""
    for folder in sorted(p.parent for p in runs.glob("*/recipe.yaml")):
        changed = touched(folder)
        state_told = read_state(folder)
        running = state_told is not None and state_told.running
        usd, doubt = 0.0, lacks_book(store.root, folder)
        try:
            usd = sum(account_of(book_of(store.root, folder)).usd.values())
            arms = list(arms_of(folder))
            labels = [stage.label for stage in made(arms, store)]
            found = list(score_table(list(students_of(arms, store))))
        except OrcamathError as e:
            trouble = "" if running else str(e)
            yield Standing(folder.name, trouble or "running", 0, 0, None, usd, changed, trouble, doubt)
            continue
        rows = [r for r in found if r.benchmark == found[0].benchmark]
        top = max(rows, key=lambda r: r.score.point, default=None)
        best = Best(f"{top.name} {top.model}", top.benchmark, top.score) if top is not None else None
        last = labels[-1] if labels else "nothing"
        done = state_told.ending == "done" if state_told is not None else last.startswith("evaluate")
        ended = ("measured" if last.startswith("evaluate") else "done") if done else f"stopped after {last}"
        state = "running" if running else ended
        yield Standing(folder.name, state, len(labels), len(arms) - 1, best, usd, changed, doubt=doubt)
