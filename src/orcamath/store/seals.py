"""How what was written is known again: hashes of files, and small JSON files that tell whether they are whole.

In: paths and plain values. Out: hashes, or the values read back. A state file is written beside its place, synced, renamed,
and its folder synced; it carries a hash of its own content under `seal`. One that cannot be read, or is not what was written,
counts as absent, and that is said in one line. Files of before there were seals are read as they are.
"""

import json
import logging
import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from orcamath.store.links import leads_out
from orcamath.store.placing import sync, write_whole
from orcamath.visible import escaped

__all__ = [
    "MANIFEST",
    "changed",
    "damaged_in",
    "hash_of",
    "number_of",
    "read_sealed",
    "seal",
    "seal_folder",
    "sealed_number",
    "unseal",
    "write_sealed",
]

MANIFEST = "manifest.json"
_NUMBER = struct.Struct("<d")
log = logging.getLogger("orcamath")
_PIECE = 1 << 20
_SEAL = re.compile("[0-9a-f]{32}")


def hash_of(path: Path) -> str:
    """Return blake2b-128 of a file's bytes, in hex."""
    h = blake2b(digest_size=16)
    with path.open("rb") as f:
        while piece := f.read(_PIECE):
            h.update(piece)
    return h.hexdigest()


def changed(path: Path, wanted: str) -> bool:
    """Tell whether a file is missing, lies elsewhere by a link (of its own or its folder's), or is no longer what was sealed.

    Read once a process for as long as nobody writes to it.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        return True
    if leads_out(path, path.parent.parent):
        return True
    return _hash_once(path, stat.st_ino, stat.st_size, stat.st_mtime_ns) != wanted


@lru_cache(maxsize=4096)
def _hash_once(path: Path, _inode: int, _size: int, _mtime_ns: int) -> str:
    return hash_of(path)


def seal(value: Mapping[str, object]) -> str:
    """Return a mapping as indented JSON with sorted keys, the hash of all else in it under `seal`."""
    return escaped(_dumped({**value, "seal": _hash(value)}))


def unseal(text: str) -> dict[str, object] | None:
    """Read what `seal` wrote, without the seal; None where it is no JSON mapping or its seal does not fit."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    wanted = value.pop("seal", None)
    if wanted is None:  # from before there were seals, unless the very word was hit
        return (
            None if any(len(k) == 4 and isinstance(v, str) and _SEAL.fullmatch(v) for k, v in value.items()) else value
        )
    return value if wanted == _hash(value) else None


def write_sealed(path: Path, value: Mapping[str, object]) -> None:
    """Write a state file, whole and synced."""
    write_whole(path, seal(value).encode())


def read_sealed(path: Path) -> dict[str, Any] | None:
    """Read a state file; None where it is absent, or unreadable, which is said."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, IsADirectoryError):
        text = ""
    value = unseal(text)
    if value is None:
        log.warning("`%s` is damaged (cut short, or not what was written): going on as if it were not there", path)
    return value


def seal_folder(folder: Path) -> None:
    """Leave a manifest with the hash of every file in a folder, and bring all of it to the disk."""
    (folder / MANIFEST).write_text(seal({f.name: hash_of(f) for f in folder.iterdir()}), encoding="utf-8")
    for path in [*folder.iterdir(), folder]:
        sync(path)


def damaged_in(folder: Path) -> str | None:
    """Return what in a folder of `seal_folder` is not what was written; None where all is (or there is no manifest yet)."""
    manifest = read_sealed(folder / MANIFEST)
    if manifest is None:
        return MANIFEST if (folder / MANIFEST).exists() else None
    return next((name for name, wanted in manifest.items() if changed(folder / name, wanted)), None)


def sealed_number(key: bytes, value: float) -> bytes:
    """Return a number as 16 bytes, the last eight a checksum of it and of the key it is kept under."""
    number = _NUMBER.pack(value)
    return number + blake2b(number, digest_size=8, key=key).digest()


def number_of(key: bytes, kept: object) -> float | None:
    """Return a kept number; None where it is not what was written. Plain floats are from before there were checksums."""
    if isinstance(kept, float):
        return kept
    if isinstance(kept, bytes) and len(kept) == 16:
        (value,) = _NUMBER.unpack(kept[:8])
        if kept == sealed_number(key, value):
            return float(value)
    log.warning("a remembered reference log-prob is damaged: it is computed again")
    return None


def _hash(value: Mapping[str, object]) -> str:
    # by way of JSON, so that what is hashed is what will be read; half a character, which damage may spell, was never written
    return blake2b(_dumped(json.loads(_dumped(value))).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _dumped(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
