"""How `orcamath run --engine ray` reaches its cluster. Nothing of it enters a digest."""

from typing import NamedTuple

__all__ = ["EngineSettings"]


class EngineSettings(NamedTuple):
    """A cluster, and how much of it a model takes."""

    address: str | None = None
    """Of the cluster, as Ray writes it (`auto`, `HOST:6379`); None begins one on this machine."""
    workers: int | None = None
    """Actors a model; None for as many as the cluster has GPUs, or CPUs where it has none."""
    wait_s: float = 120.0
    """How long the first actor of a model may take to find a place, seconds; opening the model itself takes what it takes."""
