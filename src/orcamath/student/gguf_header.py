"""The header of a GGUF file, read without its weights: seconds faster than a reader that keeps every place of it."""

import mmap
import struct
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, TypeVar

from orcamath.errors import ModelError

__all__ = ["gguf_header", "gguf_tensors"]

_STRING, _ARRAY = 8, 9
MAX_TEXT = 1 << 26
MIN_TENSOR = 24
"""Bytes that a tensor's entry takes at least."""
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


_T = TypeVar("_T")


def gguf_header(path: Path) -> dict[str, Any]:
    """Return the header's keys and values; strings as text, arrays as tuples. Raises ModelError."""
    return _read(path, _checked_keys)


def _checked_keys(reader: "_Reader", n_tensors: int, n_keys: int) -> dict[str, object]:
    """Read the keys, and refuse more layers than there are tensors: whoever builds them would not come to an end."""
    found = reader.keys(n_keys)
    layers = [v for k, v in found.items() if k.endswith(".block_count")]
    if any(type(v) is not int or v > n_tensors for v in layers):
        raise ValueError(f"it claims {layers} layers and has {n_tensors} tensors")
    return found


def gguf_tensors(path: Path) -> dict[str, int]:
    """Return the names of a file's tensors and how many numbers each holds. Raises ModelError."""

    def named(reader: "_Reader", n_tensors: int, n_keys: int) -> dict[str, int]:
        reader.keys(n_keys)
        return dict(reader.tensor() for _ in range(n_tensors))

    return _read(path, named)


def _read(path: Path, wanted: Callable[["_Reader", int, int], _T]) -> _T:
    try:
        with path.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
            magic, version, n_tensors, n_keys = struct.unpack_from("<4sIQQ", data)
            if magic != b"GGUF" or version not in (2, 3):
                raise ValueError(f"it begins with {magic!r}, version {version}")
            if n_tensors * MIN_TENSOR > len(data):
                raise ValueError(f"it claims {n_tensors} tensors in {len(data):,} bytes")
            return wanted(_Reader(data, 24), n_tensors, n_keys)
    except (OSError, ValueError, KeyError, OverflowError, MemoryError, RecursionError, struct.error) as e:
        raise ModelError(
            f"`{path}` is no GGUF file that can be read ({type(e).__name__}: {e}); download it again"
        ) from e


class _Reader:
    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data, self.at = data, at

    def keys(self, n: int) -> dict[str, Any]:
        out = {}
        for _ in range(n):
            key = self.text()
            out[key] = self.value(self.number("I"))
        return out

    def tensor(self) -> tuple[str, int]:
        name, n_dimensions = self.text(), self.number("I")
        n = prod(self.number("Q") for _ in range(n_dimensions))
        self.at += struct.calcsize("<IQ")  # its type, and where it lies
        return name, n

    def number(self, kind: str) -> Any:
        form = f"<{kind}"
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self) -> str:
        length = self.number("Q")
        start, self.at = self.at, self.at + length
        if length > MAX_TEXT or self.at > len(self.data):
            raise ValueError(f"it claims a text of {length:,} bytes")
        return self.data[start : self.at].decode("utf-8", errors="replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.number(_NUMBERS[kind])
        inner, n = self.number("I"), self.number("Q")
        if inner in (_STRING, _ARRAY):
            return tuple(self.value(inner) for _ in range(n))
        form = f"<{n}{_NUMBERS[inner]}"
        start, self.at = self.at, self.at + struct.calcsize(form)
        return struct.unpack_from(form, self.data, start)
