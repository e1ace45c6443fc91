"""`runs/NAME/`: the resolved recipe, facts, metrics, log, report and pointers into the store. One process at a time."""

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from orcamath.errors import RunBusy
from orcamath.store.links import no_way_out
from orcamath.store.literals import masked
from orcamath.store.locks import holder_of, take, wait_for
from orcamath.store.placing import add_line, write_whole
from orcamath.store.seals import read_sealed, seal
from orcamath.visible import visible

__all__ = ["VIEW_INDEX", "RunFolder", "touched"]

VIEW_INDEX = "view.sqlite"
"""The viewer's index of a run: made of what the run points to, and at any time again."""
_OF_WORK = ("state.json", "stages.json", "log.txt", "recipe.yaml")


def touched(folder: Path) -> float:
    """Return when a run was last at work, in seconds since 1970. Looking at it, marks and reports are no work."""
    return max((path.stat().st_mtime for name in _OF_WORK if (path := folder / name).exists()), default=0.0)


class RunFolder:
    """A run's own folder, held by lock. Use it as a context manager; `wait` waits for the holder instead of raising.

    Raises DataError where a link in it leads out of it.
    """

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        no_way_out(path, path.rglob("*"))
        self.path = path
        self.wait = wait
        self._lock: IO[str] | None = None

    def __enter__(self) -> "RunFolder":
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / ".lock"
        self._lock = wait_for(path, f"use the run folder `{self.path}`") if self.wait else take(path)
        if self._lock is None:
            raise RunBusy(
                f"the run folder `{self.path}` is in use by {holder_of(path)}. Wait for it with `--wait`, or give this run "
                f"another name with `--name`"
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def id(self) -> str:
        """The run's id, drawn once: under it the store keeps its book and its history."""
        known = self.read_json("run.json")
        if known is None:
            known = {"id": secrets.token_hex(8)}
            self.write_json("run.json", known)
        return str(known["id"])

    def write_text(self, name: str, text: str, *, synced: bool = True) -> Path:
        """Write one file whole: a reader sees the old or the new one. `synced`: also after a power cut."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode(), synced=synced)
        return path

    def write_json(self, name: str, value: Mapping[str, object], *, synced: bool = True) -> Path:
        """Write a sealed JSON file (see `seals`)."""
        return self.write_text(name, seal(value), synced=synced)

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read a state file of this run; None where there is none, or none that can be read, which is said."""
        return read_sealed(self.path / name)

    def log(self, line: str) -> None:
        """Append a dated line to `log.txt`, for people: no key in it, further lines set in so that none passes for another's."""
        shown = visible(masked(line)).replace("\n", "\n    ")
        add_line(self.path / "log.txt", f"{time.strftime('%Y-%m-%d %H:%M:%S')} {shown}")

    def metric(self, **numbers: object) -> None:
        """Append one line to `metrics.jsonl`, for programs."""
        add_line(self.path / "metrics.jsonl", json.dumps(numbers))
