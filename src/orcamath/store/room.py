"""How much more can be written here, before it is needed: free disk, SQLite's own ceiling, the process's file-size limit.

And on what: SQLite's write-ahead log wants the memory of one machine (sqlite.org/wal.html), so network disks are no place for it.
"""

import os
import re
import resource
import sqlite3
import tempfile
from pathlib import Path

from orcamath.errors import ModelError

__all__ = ["network_type", "own_folder", "room_bytes"]

_NETWORK = frozenset(
    "9p afs beegfs ceph cifs fuse.ceph fuse.glusterfs fuse.juicefs fuse.s3fs fuse.sshfs gpfs lustre nfs nfs4 smb3 smbfs".split()
)
_MOUNTS = Path("/proc/self/mounts")


def network_type(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """Return the type of the network file system that a path lies on, or will; None where it is none, or nobody says."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return None
    real = path.resolve()
    found, longest = "", -1
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        where = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), place))  # a space is written \\040
        if real.is_relative_to(where) and len(where.parts) >= longest:
            found, longest = kind, len(where.parts)
    return found if found in _NETWORK else None


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


def own_folder() -> Path:
    """Return a folder of this user's alone on this machine's own disk. Raises ModelError where it is another's."""
    folder = Path(tempfile.gettempdir()) / f"orcamath-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ModelError(
            f"`{folder}` is not a folder of this user alone (mode 700): remove it, or set TMPDIR on this node"
        )
    return folder
