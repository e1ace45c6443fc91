"""How a run stands, in `state.json` of its folder: who works there, on what, how far, and how it ended.

The running process writes it (a stage's count at most once a second); `status` and the viewer read it. A process that died says
nothing, so whoever reads asks the machine whether it is still there.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from orcamath.errors import CapReached, OrcamathError, TooManyRejects
from orcamath.ports import Progress
from orcamath.store.literals import masked
from orcamath.store.run_folder import RunFolder
from orcamath.store.seals import write_sealed

__all__ = ["Commands", "Keeper", "RunState", "goes_on_here", "read_state"]

WRITE_EVERY_S = 1.0
SILENT_AFTER_S = 120.0
"""A process on another machine that wrote nothing for so long is taken for gone."""


class Commands(NamedTuple):
    """By what a run goes on, as its user types it."""

    again: str
    """Where it was broken off."""
    past_until: str
    """After the stage that it was told to stop at."""
    reviewed: str
    """After its lessons were read."""
    changed: Callable[[str], str]
    """With another value of that key, to be filled in, where without it the run ends at the same place again: a higher cap."""

    @classmethod
    def always(cls, command: str) -> "Commands":
        """Return one command for all of them."""
        return cls(command, command, command, lambda _: command)


class RunState(NamedTuple):
    """What is known of a run or of one of its arms."""

    process: int
    host: str
    began_at: float
    """Seconds since 1970, as all times here."""
    command: str
    """What goes on with it."""
    expected: tuple[str, ...] = ()
    """Labels of the stages, in order."""
    label: str = ""
    """The stage under way; empty between stages and after the end."""
    label_at: float = 0.0
    what: str = ""
    """What is being counted in it."""
    n: int = 0
    total: int | None = None
    what_at: float = 0.0
    at: float = 0.0
    ending: str = ""
    """`done`, `until` (stopped where it was told to), `stopped` (goes on when started again), `failed`, `interrupted`; or
    nothing while it works."""
    why: str = ""

    @property
    def running(self) -> bool:
        """True where its process is at work."""
        if self.ending:
            return False
        if self.host != socket.gethostname():
            return time.time() - self.at < SILENT_AFTER_S
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return not _younger(self.process, self.began_at)

    @property
    def rate_s(self) -> float | None:
        """Items a second in the stage under way."""
        seconds = self.at - self.what_at
        return self.n / seconds if self.n and seconds > 0 else None

    @property
    def left_s(self) -> float | None:
        """Seconds that the stage's count will still take at this rate."""
        rate = self.rate_s
        return None if rate is None or self.total is None else max(0.0, (self.total - self.n) / rate)


_STATE = TypeAdapter(RunState)


def read_state(folder: Path) -> RunState | None:
    """Return what a run folder says of itself; None where it says nothing that can be read."""
    try:
        raw: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        state = _STATE.validate_python({k: v for k, v in raw.items() if k in RunState._fields})
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return state if state.process > 0 else None  # 0 and below name groups of processes


def goes_on_here(folder: Path, command: Callable[[str], str]) -> None:
    """Put another command in place of the one that goes on with a run, where its folder says any: it came from elsewhere."""
    if (state := read_state(folder)) is not None:
        write_sealed(folder / "state.json", state._replace(command=command(state.command))._asdict())


def _younger(process: int, began_at: float) -> bool:
    """Tell whether a process began after that time: its number was given to another one. Only Linux tells."""
    try:
        ticks = float(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return False
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK") > began_at + 5.0


class Keeper:
    """Writes the state of one run while it works, and passes progress on to whoever shows it. `commands` go on with it."""

    def __init__(self, folder: RunFolder, shown: Progress, commands: Commands, expected: Sequence[str]) -> None:
        self.folder, self.shown, self.commands = folder, shown, commands
        now = time.time()
        self.state = RunState(os.getpid(), socket.gethostname(), now, commands.again, tuple(expected), at=now)
        self._write()

    def stage(self, label: str) -> None:
        """Say which stage begins; empty: none is under way."""
        now = time.time()
        self.state = self.state._replace(label=label, label_at=now, what="", n=0, total=None, what_at=now)
        self._write()

    def goes_on_by(self, command: str) -> None:
        """Say by which command the run goes on, where that is another one than it was begun by."""
        self.state = self.state._replace(command=command)
        self._write()

    def begin(self, what: str, total: int | None) -> None:
        """Start a count."""
        self.state = self.state._replace(what=what, n=0, total=total, what_at=time.time())
        self._write()
        self.shown.begin(what, total)

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:
        """Count, and write now and then."""
        self.state = self.state._replace(n=self.state.n + n)
        if time.time() - self.state.at > WRITE_EVERY_S:
            self._write()
        self.shown.advance(n, spent_usd=spent_usd)

    def end(self) -> None:
        """Finish a count."""
        self.shown.end()

    @contextmanager
    def until_end(self) -> Iterator[None]:
        """Write down how what is done inside ended, whatever it was."""
        try:
            yield
        except OrcamathError as e:
            if key := e.cap if isinstance(e, CapReached) else e.key if isinstance(e, TooManyRejects) else "":
                self.goes_on_by(self.commands.changed(key))
            self._ended({0: "until", 4: "stopped"}.get(e.exit_code, "failed"), str(e))
            raise
        except BaseException as e:
            interrupted = isinstance(e, KeyboardInterrupt)
            said = "the same command goes on" if interrupted else str(e) or type(e).__name__
            self._ended("interrupted" if interrupted else "failed", said)
            raise
        self._ended("done")

    def _ended(self, ending: str, why: str = "") -> None:
        command = self.commands.past_until if ending == "until" else self.state.command
        self.state = self.state._replace(ending=ending, why=masked(why), command=command)
        self._write()

    def _write(self) -> None:
        self.state = self.state._replace(at=time.time())
        self.folder.write_json("state.json", self.state._asdict(), synced=False)
