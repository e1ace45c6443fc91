"""Locks between processes: a file that says who holds it. Taken, refused with the holder's name, or waited for and said so.

The kernel lets go of a lock when its process ends, however it ends. The file stays: removing it would let a third process
lock a file that nobody else sees.
"""

import errno
import fcntl
import logging
import os
import socket
import time
from pathlib import Path
from typing import IO

from orcamath.errors import OrcamathError

__all__ = ["SAY_EVERY_S", "holder_of", "take", "wait_for"]

SAY_EVERY_S = 10.0
_LOOK_EVERY_S = 0.1
log = logging.getLogger("orcamath")


def take(path: Path) -> IO[str] | None:
    """Lock a file and write down who holds it; None where another process does. Close it to let go.

    Raises OrcamathError where this place has no locks, OSError where the file cannot be opened.
    """
    handle = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        handle.flush()
    except BlockingIOError:
        handle.close()
        return None
    except OSError as e:
        handle.close()
        if e.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
        raise OrcamathError(
            f"`{path}` cannot be locked ({e}): this file system has no locks, or no more of them. Nothing is wrong with the "
            f"files; put `--store` and `--runs` on a local disk"
        ) from e
    return handle


def wait_for(path: Path, what: str) -> IO[str]:
    """Lock a file as soon as it is free; says every ten seconds for whom it waits. `what` is what it is needed for."""
    said = time.monotonic()
    while (handle := take(path)) is None:
        if time.monotonic() - said >= SAY_EVERY_S:
            said = time.monotonic()
            log.warning("waiting to %s: %s is at it", what, holder_of(path))
        time.sleep(_LOOK_EVERY_S)
    return handle


def holder_of(path: Path) -> str:
    """Return who holds a lock, as it wrote down itself."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "another process"
    except OSError:
        return "another process"
