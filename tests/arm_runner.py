"""What the tests of arms run in other processes: it notes when it began and ended, and what it was given."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orcamath.errors import Stopped
from orcamath.recipe_settings import Recipe
from orcamath.signals import interrupt_waits

__all__ = ["Late", "Runner", "ran"]


@dataclass
class Runner:
    """Picklable; `fails` raises, `waits` ends only after it did, `dies` is killed, `deaf` goes on when it is interrupted."""

    folder: Path
    tokens: Mapping[str, tuple[int, ...]]
    fails: str | None = None
    waits: str | None = None
    dies: str | None = None
    deaf: str | None = None

    def __call__(self, name: str, recipe: Recipe) -> tuple[int, ...]:
        """Run one arm."""
        self.note(f"begin {name}")
        budgets = [s.more_sft.train_tokens for s in recipe.iterations if s.more_sft is not None]
        (self.folder / f"{name}.tokens").write_text(str(budgets))
        if name == self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        failed = self.folder / "failed"
        while name == self.deaf:
            try:
                signal.pause()
            except KeyboardInterrupt:
                self.note(f"heard {name}")
        if name == self.waits:
            failed.open().close()  # a pipe: opening it blocks until the other side opens it too
        if name == self.fails:
            if self.waits:
                failed.open("w").close()
            raise Stopped("the disk is full")
        self.note(f"end {name}")
        return self.tokens[name]

    def __post_init__(self) -> None:
        if self.waits and not (self.folder / "failed").exists():
            os.mkfifo(self.folder / "failed")

    def note(self, line: str) -> None:
        """Append one line; short appends do not mix."""
        with (self.folder / "log").open("a") as f:
            f.write(line + "\n")


class Late(Runner):
    """Takes until it is interrupted to come out of its pickle, as what imports much would."""

    def __setstate__(self, state: dict[str, object]) -> None:
        """Note that it is unpacked, and wait."""
        vars(self).update(state)
        self.note("unpack")
        while not interrupt_waits():
            time.sleep(0.01)


def ran(folder: Path) -> list[str]:
    """Return what was noted, in order."""
    return (folder / "log").read_text().splitlines()
