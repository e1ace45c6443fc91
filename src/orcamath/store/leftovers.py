"""What can go from a store: what killed processes left, what damage had set aside, and results that no run names any more.

Half-made folders are always made anew, so they go. Scratch goes where its stage is sealed or holds no checkpoint; checkpoints of
a training that was broken off are what the next run goes on from, so they stay.
"""

import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from orcamath.store.artifacts import Store
from orcamath.store.locks import take
from orcamath.store.seals import read_sealed

__all__ = ["Superseded", "leftovers", "superseded"]

_HALF = (".making", ".damaged", ".dropped", ".writing")
YOUNG_S = 3600.0
"""A result sealed so lately may be one that a run at work is about to name."""


class Superseded(NamedTuple):
    """A sealed result that no run names."""

    path: Path
    n_bytes: int


def superseded(store: Store, named: Collection[str], *, drop: bool) -> list[Superseded]:
    """Return (and `drop`) sealed results that are not among those `named`, the largest first; what is young stays."""
    found = []
    for path in sorted(store.artifacts.glob("[!.]*-*/")):
        made = path.with_name(f"{path.name}.made.json")
        came = max(float((read_sealed(made) or {}).get("at", 0.0)), path.stat().st_mtime)  # made elsewhere, pulled now
        if path.name in named or time.time() - came < YOUNG_S:
            continue
        found.append(Superseded(path, sum(f.stat().st_size for f in path.rglob("*") if f.is_file())))
        if drop:  # out of sight first: what lies under `artifacts` is whole or absent
            shutil.rmtree(path.rename(path.with_name(f".{path.name}.dropped")))
            made.unlink(missing_ok=True)
    return sorted(found, key=lambda s: -s.n_bytes)


def leftovers(store: Store, *, drop: bool) -> list[Path]:
    """Return (and `drop`) the folders that can go. What another process holds is left alone."""
    left = []
    for path, lock in _candidates(store):
        if (held := take(lock)) is not None:
            with held:
                if path.is_dir():
                    left.append(path)
                    if drop:
                        shutil.rmtree(path)
    return left


def _candidates(store: Store) -> Iterator[tuple[Path, Path]]:
    """Yield each folder with the lock that whoever works in it holds."""
    for ending in _HALF:
        for path in sorted(store.artifacts.glob(f".*{ending}")):
            yield path, store.scratch / f"{path.name[1:].removesuffix(ending)}.lock"
    for path in sorted(store.scratch.glob("*/")):
        if path.name.startswith("plan-"):
            yield path, path / ".lock"
        elif (store.artifacts / path.name / "manifest.json").exists() or not any(path.rglob("step-*")):
            yield path, store.scratch / f"{path.name}.lock"
