"""`runs/NAME/`: the resolved recipe, facts, metrics, log, report and pointers into the store. One process at a time."""

import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import IO, Any

from orcamath.errors import RunBusy

__all__ = ["RunFolder"]


class RunFolder:
    """A run's own folder, held by lock. Use it as a context manager; `wait` waits for the holder instead of raising."""

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        self.path = path
        self.wait = wait
        self._lock: IO[str] | None = None

    def __enter__(self) -> "RunFolder":
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / ".lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if self.wait else fcntl.LOCK_NB))
        except OSError as e:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            lock.close()
            raise RunBusy(
                f"the run folder `{self.path}` is in use by {holder}. Wait for it with `--wait`, or give this run "
                f"another name with `--name`"
            ) from e
        lock.seek(0)
        lock.truncate()
        lock.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        lock.flush()
        self._lock = lock
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def write_text(self, name: str, text: str) -> Path:
        """Write one file whole: a reader sees the old or the new one."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        """Write a JSON file whole."""
        return self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False))

    def read_json(self, name: str) -> Any:
        """Read a JSON file of this run; None where there is none."""
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def log(self, line: str) -> None:
        """Append one dated line to `log.txt`, for people."""
        with (self.path / "log.txt").open("a", encoding="utf-8") as f:
            f.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def metric(self, **numbers: Any) -> None:
        """Append one line to `metrics.jsonl`, for programs."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as f:
            f.write(json.dumps(numbers) + "\n")
