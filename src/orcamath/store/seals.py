"""How what was written is known again: hashes of files, and small JSON files that tell whether they are whole.

In: paths and plain values. Out: hashes, or the values read back. A state file is written beside its place, synced, renamed,
and its folder synced; it carries a hash of its own content under `seal`. One that cannot be read, or is not what was written,
counts as absent, and that is said in one line. Files of before there were seals are read as they are.
"""

import json
import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

__all__ = ["changed", "hash_of", "read_state", "seal", "sync", "unseal", "write_state", "write_whole"]

log = logging.getLogger("orcamath")
_PIECE = 1 << 20


def hash_of(path: Path) -> str:
    """Return blake2b-128 of a file's bytes, in hex."""
    h = blake2b(digest_size=16)
    with path.open("rb") as f:
        while piece := f.read(_PIECE):
            h.update(piece)
    return h.hexdigest()


def changed(path: Path, wanted: str) -> bool:
    """Tell whether a file is missing or no longer what was sealed; read once a process for as long as nobody writes to it."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return True
    return _hash_once(path, stat.st_ino, stat.st_size, stat.st_mtime_ns) != wanted


@lru_cache(maxsize=4096)
def _hash_once(path: Path, _inode: int, _size: int, _mtime_ns: int) -> str:
    return hash_of(path)


def seal(value: Mapping[str, Any]) -> str:
    """Return a mapping as indented JSON with sorted keys, the hash of all else in it under `seal`."""
    return _dumped({**value, "seal": _hash(value)})


def unseal(text: str) -> dict[str, Any] | None:
    """Read what `seal` wrote, without the seal; None where it is no JSON mapping or its seal does not fit."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    wanted = value.pop("seal", None)
    return value if wanted is None or wanted == _hash(value) else None


def write_state(path: Path, value: Mapping[str, Any]) -> None:
    """Write a state file, whole and synced."""
    write_whole(path, seal(value).encode())


def read_state(path: Path) -> dict[str, Any] | None:
    """Read a state file; None where it is absent, or unreadable, which is said."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    value = unseal(text)
    if value is None:
        log.warning("`%s` is damaged (cut short, or not what was written): going on as if it were not there", path)
    return value


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds the old or the new one, whatever crashes: data, then the name, then the folder."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Bring a file or a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _hash(value: Mapping[str, Any]) -> str:
    # by way of JSON, so that what is hashed is what will be read
    return blake2b(_dumped(json.loads(_dumped(value))).encode(), digest_size=16).hexdigest()


def _dumped(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
