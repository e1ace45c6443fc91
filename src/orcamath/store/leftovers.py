"""What killed processes left in a store, and what damage had set aside: nobody works in it, and nothing is gone on from it.

Half-made folders are always made anew, so they go. Scratch goes where its stage is sealed or holds no checkpoint; checkpoints of
a training that was broken off are what the next run goes on from, so they stay.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from orcamath.store.artifacts import Store
from orcamath.store.locks import take

__all__ = ["leftovers"]

_HALF = (".making", ".damaged")


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
