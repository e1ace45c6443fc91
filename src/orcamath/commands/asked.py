"""What is said beside a recipe when it is run, by the command line or from Python."""

from dataclasses import dataclass
from pathlib import Path

from orcamath.cluster.settings import EngineSettings

__all__ = ["RunAsked"]


@dataclass(frozen=True)
class RunAsked:
    """Where a recipe runs, how far, and what need not be asked before."""

    runs: Path
    store: Path
    name: str | None = None
    """Of the run folder; the recipe's where None."""
    until: str | None = None
    """The stage to stop after."""
    limit: int | None = None
    """Seeds to take; a run of a few shows what there is to read."""
    wait: bool = False
    """For a run that holds the folder."""
    pay_again: bool = False
    new_book: bool = False
    same_model: bool = False
    reviewed: bool = False
    cluster: EngineSettings | None = None
