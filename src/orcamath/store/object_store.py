"""A place in object storage where runs are kept, by any protocol that fsspec knows (extra `storage`).

In: `s3://bucket/there`, `gs://…`, `file:///mnt/share`. `objects/` holds each file once, under the hash of its content, whatever
run it is of; `runs/NAME/000001.json`, `000002.json`, … say what a run was made of each time it was pushed. Nothing in it is ever
written over. Who one is to the storage, its own package finds where it always does (environment, configuration): no part of it
is asked for, kept or said here.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orcamath.errors import NO_ROOM, DataError, OrcamathError, UsageError, WireDown
from orcamath.store.literals import masked
from orcamath.store.seals import hash_of

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["HASH", "ObjectStore"]

HASH = re.compile("[0-9a-f]{32}")
_VERSION = re.compile(r"(\d{6})\.json")


class ObjectStore:
    """One such place. Its methods may be called from several threads; each raises WireDown where the storage does not do it."""

    def __init__(self, url: str) -> None:
        """Raises UsageError for an address that holds a key, or whose protocol needs a package that is not here."""
        if masked(url) != url:
            raise UsageError(
                f"`{masked(url)}` says who one is, or holds a key: leave it out. The storage's own package finds it in the "
                f"environment or its configuration (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, …)"
            )
        self.url = url.rstrip("/")
        self.fs, self.root = _opened(self.url)
        self.fs.invalidate_cache()

    def put(self, path: Path, name: str) -> int:
        """Send a file whose content is called `name`, unless it is there; returns the bytes that went."""
        there, n_bytes = self._object(name), path.stat().st_size
        with self._told(f"take `{path}`"):
            if self._size(there) == n_bytes:
                return 0
            self.fs.makedirs(there.rpartition("/")[0], exist_ok=True)
            self.fs.put_file(str(path), there)  # one that a killed push left short is whole after this
            return n_bytes

    def get(self, name: str, path: Path) -> int:
        """Fetch what is called `name` into a new file, and check that it is that; returns its bytes. Raises DataError."""
        there = self._object(name)
        with self._told(f"give `{there}`"):
            if self._size(there) is None:
                raise DataError(f"`{self.url}` has no `objects/{there.rpartition('objects/')[2]}`: push the run again")
            self.fs.get_file(there, str(path))
        if hash_of(path) != name:
            path.unlink()
            raise DataError(
                f"`{there}` at `{self.url}` is not what was written: delete it there, and push the run again"
            )
        return path.stat().st_size

    def runs(self) -> list[str]:
        """Return the names of the runs that are kept here."""
        return [name for name in self._listed("runs") if not name.startswith(".")]

    def latest(self, run: str) -> str | None:
        """Return what the newest push of a run said; None where there was none."""
        numbers = self._numbers(run)
        if not numbers:
            return None
        with self._told(f"give `runs/{run}`"):
            return bytes(self.fs.cat_file(self._version(run, numbers[-1]))).decode("utf-8", "replace")

    def add(self, run: str, said: str) -> None:
        """Keep what a push says, behind what earlier ones said."""
        there = self._version(run, max(self._numbers(run), default=0) + 1)
        with self._told(f"take `runs/{run}`"):
            self.fs.makedirs(there.rpartition("/")[0], exist_ok=True)
            self.fs.pipe_file(there, said.encode())

    def _numbers(self, run: str) -> list[int]:
        return sorted(int(m[1]) for name in self._listed(f"runs/{run}") if (m := _VERSION.fullmatch(name)))

    def _listed(self, folder: str) -> list[str]:
        with self._told(f"list `{folder}`"):
            try:
                found = self.fs.ls(f"{self.root}/{folder}", detail=False)
            except FileNotFoundError:
                return []
        return sorted({str(name).rstrip("/").rpartition("/")[2] for name in found})

    def _size(self, there: str) -> int | None:
        try:
            return int(self.fs.info(there)["size"])
        except FileNotFoundError:
            return None

    def _object(self, name: str) -> str:
        return f"{self.root}/objects/{name[:2]}/{name}"

    def _version(self, run: str, number: int) -> str:
        return f"{self.root}/runs/{run}/{number:06}.json"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OrcamathError:
            raise
        except Exception as e:  # storages' own errors are many; each means that it was not done
            if isinstance(e, OSError) and e.errno in NO_ROOM:
                raise
            said = masked(" ".join(str(e).split()))[:300]
            raise WireDown(
                f"`{self.url}` did not {what} ({type(e).__name__}: {said}). What is through stays: the same command goes on"
            ) from e


def _opened(url: str) -> "tuple[AbstractFileSystem, str]":
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise UsageError("object storage needs the extra `storage`: pip install 'orcamath[storage]'") from None
    try:
        fs, root = url_to_fs(url)
    except (ImportError, ValueError) as e:  # a package that a protocol needs, a protocol that nobody knows
        raise UsageError(f"`{url}` cannot be opened: {e}") from e
    return fs, str(root).rstrip("/")
