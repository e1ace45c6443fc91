"""What runs have named and spent, kept in the store: the run folder may be moved, lost, or not be the one somebody points to.

`store/runs/ID/` has a run's book (`budget.sqlite`) and, for the run and each of its arms, the newest artifact of every label
it ever reached. Garbage collection keeps what any of them names.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypedDict

from orcamath.store.placing import aside_of, put_in_place, remove, sync
from orcamath.store.run_folder import RunFolder
from orcamath.store.seals import hash_of, read_sealed, write_sealed
from orcamath.store.sqlite_errors import connect, explained

__all__ = [
    "History",
    "Pointers",
    "Reached",
    "StagePointer",
    "StudentPointer",
    "book_of",
    "copy_book",
    "joined_pointers",
    "lacks_book",
    "named_in",
    "pointed_to",
    "reached_in",
]

BOOK = "budget.sqlite"


class StagePointer(TypedDict):
    """Where what a label of a run stands for lies."""

    label: str
    artifact: str
    seconds: float
    reused: bool


class StudentPointer(TypedDict):
    """A measured student: its training stage (None for the base) and its evaluation."""

    name: str
    iteration: int
    model: str | None
    scored: str
    trained_tokens: int


class Reached(TypedDict):
    """What `stages.json` holds; the last two are None where an older version wrote it."""

    stages: list[StagePointer]
    students: list[StudentPointer]
    recipe: str | None
    """The hash of the recipe's file they were made with."""
    ways: str | None
    """The digest of what its settings decide: a higher cap is the same."""


class History:
    """One run's part of the store."""

    def __init__(self, store: Path, run_id: str) -> None:
        self.folder = store / "runs" / run_id

    @property
    def book(self) -> Path:
        """Where the run's money is booked."""
        return self.folder / BOOK

    def adopted(self, run: Path) -> Path:
        """Return the book's path, after taking over one that an older version left in the run folder."""
        old = run / BOOK
        if old.exists() and not self.book.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            copy_book(old, self.book)
            for path in run.glob(f"{BOOK}*"):
                path.unlink()
        return self.book

    def note(self, run: Path, arm: str, stages: list[StagePointer]) -> None:
        """Remember what the labels of a run (or of an arm of it) point to now; what other labels pointed to stays."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / (f"history-{arm}.json" if arm else "history.json")
        before = (read_sealed(path) or {}).get("named", {})
        named = {**before, **{s["label"]: s["artifact"] for s in stages}}
        if named != before:
            write_sealed(path, {"run": str(run.resolve()), "named": named})


def reached_in(folder: Path) -> Reached | None:
    """Return what a run (or an arm of it) has reached; None where nothing has been written yet, or it cannot be read."""
    found = read_sealed(folder / "stages.json")
    if found is None:
        return None
    return Reached(
        stages=found.get("stages", []),
        students=found.get("students", []),
        recipe=found.get("recipe"),
        ways=found.get("ways"),
    )


class Pointers:
    """What one run (or an arm of it) has reached: `stages.json` in its folder, and its history in the store."""

    def __init__(self, folder: RunFolder, history: History, arm: str, ways: str) -> None:
        self.folder, self.history, self.arm, self.ways = folder, history, arm, ways
        self._before = reached_in(folder.path)

    def leave(self, stages: list[StagePointer], students: list[StudentPointer], *, ended: bool) -> None:
        """Write both. `ended`: the run is through, so that what an earlier one reached beyond it is no longer pointed to."""
        recipe = hash_of(self.folder.path / "recipe.yaml")
        now = Reached(stages=stages, students=students, recipe=recipe, ways=self.ways)
        self.history.note(self.folder.path, self.arm, stages)
        self.folder.write_json("stages.json", {**(now if ended else joined_pointers(now, self._before))})


def book_of(store: Path, run: Path) -> Path | None:
    """Return where a run's money is booked, None where it has no book; nothing is moved."""
    known = read_sealed(run / "run.json")
    places = [run / BOOK] if known is None else [History(store, known["id"]).book, run / BOOK]
    return next((p for p in places if p.exists()), None)


def lacks_book(store: Path, run: Path) -> str:
    """Say that a store has no book of a run that worked; empty where it has, or where the run is from before there were books."""
    if book_of(store, run) is not None or not all((run / name).exists() for name in ("run.json", "stages.json")):
        return ""
    return f"the book of `{run.name}` is not in `{store}`; is `--store` the right one?"


def copy_book(book: Path, target: Path) -> None:
    """Copy a book that may be open elsewhere, whole or not at all. Raises DataError where it is damaged."""
    aside = aside_of(target)
    remove(aside)
    with (
        explained(book, "the budget"),
        closing(connect(book, read_only=True)) as source,
        closing(sqlite3.connect(aside)) as copy,
    ):
        source.backup(copy)
    put_in_place(aside, target)
    sync(target.parent)


def pointed_to(runs: Path) -> Iterator[str]:
    """Yield every artifact that a run folder, or any below it, points to."""
    for path in sorted(runs.rglob("stages.json")):
        pointers = read_sealed(path) or {"stages": [], "students": []}
        yield from (s["artifact"] for s in pointers["stages"])
        yield from (s["model"] for s in pointers["students"] if s["model"])  # the base was not made here


def named_in(store: Path) -> Iterator[str]:
    """Yield every artifact that a run's history names."""
    for path in sorted((store / "runs").glob("*/history*.json")):
        yield from (read_sealed(path) or {}).get("named", {}).values()


def joined_pointers(now: Reached, before: Reached | None) -> Reached:
    """Return the pointers of a run that is not at its end, and behind them those that a longer run had reached.

    They are kept only where both runs have the same settings and went the same way so far: what was made of other lessons, or
    is still to be trained by another loss, is not this run's.
    """
    if before is None or before["ways"] not in (None, now["ways"]):
        return now
    reached = {s["label"]: s["artifact"] for s in now["stages"]}
    known = {s["label"]: s["artifact"] for s in before["stages"]}
    if any(known.get(label, artifact) != artifact for label, artifact in reached.items()):
        return now
    measured = {s["name"] for s in now["students"]}
    return now | {
        "stages": [*now["stages"], *(s for s in before["stages"] if s["label"] not in reached)],
        "students": [*now["students"], *(s for s in before["students"] if s["name"] not in measured)],
    }
