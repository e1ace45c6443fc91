"""Folders for tests that write thousands of small files and try what is done with them, not the disk they lie on."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["scratch"]

MEMORY = Path("/dev/shm")


def _place() -> Path | None:
    """Return where files lie in memory, if there is a GB of it; None is the system's folder for temporary files."""
    try:
        room = os.statvfs(MEMORY)
    except OSError:
        return None
    return MEMORY if room.f_bavail * room.f_frsize > 1e9 and os.access(MEMORY, os.W_OK) else None


@contextmanager
def scratch() -> Iterator[Path]:
    """Lend a folder that is gone afterwards. Other users of this machine may look into it."""
    with tempfile.TemporaryDirectory(dir=_place()) as made:
        Path(made).chmod(0o755)
        yield Path(made)
