"""How much more can be written here, before it is needed: free disk, SQLite's own ceiling, the process's file-size limit."""

import os
import resource
import sqlite3
from pathlib import Path

__all__ = ["room_bytes"]


def room_bytes(path: Path, db: sqlite3.Connection | None) -> int:
    """Return the bytes that may still be added to the SQLite file `path` (its write-ahead log included)."""
    place = os.statvfs(path.parent)
    room = place.f_bavail * place.f_frsize
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit != resource.RLIM_INFINITY:
        files = (path, path.with_name(path.name + "-wal"))
        room = min(room, limit - max((f.stat().st_size for f in files if f.exists()), default=0))
    if db is not None:
        (most,), (used,), (page,) = (
            db.execute(f"PRAGMA {name}").fetchone() for name in ("max_page_count", "page_count", "page_size")
        )
        room = min(room, (most - used) * page)
    return max(room, 0)
