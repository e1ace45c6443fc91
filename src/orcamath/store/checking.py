"""Everything a store keeps, held against its hashes and checksums: what is damaged, and what to do about each.

In: a store, perhaps only what one run names. Out: findings and counts. Nothing is changed.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import OrcamathError
from orcamath.store.artifacts import Store
from orcamath.store.leases import spoilt_leases
from orcamath.store.ledger_care import spoilt
from orcamath.store.sealed import manifest_of
from orcamath.store.seals import changed, damaged_in, number_of, read_sealed
from orcamath.store.sqlite_errors import connect, explained

__all__ = ["Damage", "check_artifact", "check_runs", "check_store"]

MEND = "mend its permissions"
ANEW = "the next run that needs it makes it anew; to free its place now, delete"


class Damage(NamedTuple):
    """One thing that is not what was written."""

    path: Path
    what: str
    to_do: str


def check_store(store: Store, counts: Counter[str], only: Collection[str] | None = None) -> Iterator[Damage]:
    """Yield what is damaged in a store; `counts` is filled with what was looked at. `only`: these artifacts and no others.

    What a killed process left half made, or damage set aside, is no stage: `gc` drops it.
    """
    yield from _closed(store.root)
    for path in sorted(store.artifacts.glob("[!.]*-*/")):
        if only is None or path.name in only:
            yield from check_artifact(path, counts)
            yield from _state(
                path.with_name(f"{path.name}.made.json"), counts, "nothing: only how long it took is lost"
            )
    for path in sorted((store.root / "ledger").glob("shard-*.sqlite")):
        yield from _sqlite(path, "the ledger", _replies, counts)
    for path in sorted((store.root / "reference").glob("*.sqlite")):
        yield from _sqlite(path, "the file of reference log-probs", _numbers, counts)
    for path in sorted((store.root / "runs").glob("*/budget.sqlite")):
        yield from _sqlite(path, "the budget", _leases, counts)
    for path in sorted(store.scratch.rglob("step-*/")):
        counts["checkpoints"] += 1
        if (file := damaged_in(path)) is not None:
            yield Damage(path / file, "is not what was written", "training goes on from the checkpoint before it")
    for path in sorted((store.root / "runs").glob("*/*.json")):
        yield from _state(path, counts, "the next run of it writes it anew")
    for path in store.root.glob("servers.json"):
        yield from _state(path, counts, "the next run asks the servers again")
    for path in sorted((store.root / "batches").glob("*/*.json")):
        yield from _state(path, counts, "nothing: the next run looks for the batch at the provider")


def check_runs(folder: Path, counts: Counter[str]) -> Iterator[Damage]:
    """Yield what is damaged in a run folder and those of its arms: state files, and the recipe that they have the hash of."""
    again = "run the recipe again: what is sealed is found, and the file written anew"
    yield from _closed(folder)
    for path in sorted({*folder.rglob("stages.json"), *folder.rglob("run.json")}):
        yield from _state(path, counts, again)
    for path in sorted(folder.rglob("stages.json")):
        recipe = path.with_name("recipe.yaml")
        if os.access(path, os.R_OK) and (wanted := (read_sealed(path) or {}).get("recipe")) is not None:
            counts["recipes"] += 1
            if not os.access(recipe, os.R_OK) or changed(recipe, wanted):
                yield Damage(recipe, "is not the recipe that the stages were made with (edited, or damaged)", again)


def _closed(root: Path) -> Iterator[Damage]:
    """Yield the folders that cannot be looked into: nothing in them is checked."""
    closed: list[OSError] = []
    for _ in os.walk(root, onerror=closed.append):
        pass
    for e in closed:
        yield Damage(Path(e.filename), f"cannot be looked into ({e.strerror})", f"{MEND}, and check again")


def _state(path: Path, counts: Counter[str], to_do: str) -> Iterator[Damage]:
    if not path.exists():
        return
    counts["state files"] += 1
    try:
        whole = read_sealed(path) is not None
    except OSError as e:
        yield Damage(path, f"cannot be read ({e.strerror})", f"{MEND}, and check again")
        return
    if not whole:
        yield Damage(path, "cannot be read, or is not what was written", to_do)


def check_artifact(path: Path, counts: Counter[str]) -> Iterator[Damage]:
    """Yield what in a sealed folder is not what was sealed."""
    counts["stages"] += 1
    try:
        yield from _sealed(path, counts)
    except OSError as e:
        yield Damage(Path(e.filename or path), f"cannot be read ({e.strerror})", f"{MEND}, and check again")


def _sealed(path: Path, counts: Counter[str]) -> Iterator[Damage]:
    try:
        manifest = manifest_of(path / "manifest.json")
    except OrcamathError as e:
        yield Damage(
            path / "manifest.json", str(e), "upgrade orcamath, or delete the folder if nobody uses a newer one"
        )
        return
    if manifest is None:
        yield Damage(path / "manifest.json", "is not what was written", f"{ANEW} `{path}`")
        return
    files = manifest.get("files")
    if files is None:
        counts["stages older than hashes (not checked)"] += 1
    for file, wanted in (files or {}).items():
        counts["files"] += 1
        if changed(path / file, wanted):
            yield Damage(path / file, "is not what was sealed", f"{ANEW} `{path}`")


Look = Callable[[Path, sqlite3.Connection, Counter[str]], Iterator[Damage]]


def _sqlite(path: Path, what: str, look: Look, counts: Counter[str]) -> Iterator[Damage]:
    """Look into one SQLite file without writing to it."""
    try:
        with explained(path, what), closing(connect(path, read_only=True)) as db:
            (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if said != "ok":
                yield Damage(path, f"SQLite says: {said}", "move this one file away (and keep it), and run again")
            yield from look(path, db, counts)
    except OrcamathError as e:
        yield Damage(path, str(e), "see there")


def _replies(path: Path, db: sqlite3.Connection, counts: Counter[str]) -> Iterator[Damage]:
    counts["remembered replies"] += int(db.execute("SELECT count(*) FROM calls").fetchone()[0])
    bad = sum(1 for _ in spoilt(path, db))
    if bad:
        yield Damage(
            path, f"{bad} replies are not what was written", "nothing: the next run that needs them asks again"
        )


def _numbers(path: Path, db: sqlite3.Connection, counts: Counter[str]) -> Iterator[Damage]:
    bad = 0
    for key, value in db.execute("SELECT key, value FROM logprobs"):
        counts["reference log-probs"] += 1
        bad += number_of(key, value) is None
    if bad:
        yield Damage(
            path, f"{bad} log-probs are not what was written", "nothing: the next training computes them again"
        )


def _leases(path: Path, db: sqlite3.Connection, counts: Counter[str]) -> Iterator[Damage]:
    n, bad = spoilt_leases(db)
    counts["leases of money"] += n
    if bad:
        to_do = "look up at the provider what was spent, move this one file away (keep it), and run with `--new-book`"
        yield Damage(path, f"{bad} leases are not what was written", to_do)
