"""Files that a crash leaves whole: written beside their place and renamed, or added to line by line.

A reader of a renamed file finds the old content, the new one or no file, never a part. A line that a crash cut short is lost, and
the one that is added after it is not.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["add_line", "aside_of", "folder_whole", "put_in_place", "remove", "sync", "write_whole"]


def write_whole(path: Path, content: bytes, *, synced: bool = True) -> None:
    """Write a file: data, then the name, then the folder.

    Not `synced`, a power cut may leave neither: for what is written every second and worth nothing then.
    """
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)  # a crash left it, or somebody's link
    with aside.open("xb") as f:
        f.write(content)
        if synced:
            f.flush()
            os.fsync(f.fileno())
    aside.replace(path)
    if synced:
        sync(path.parent)


def add_line(path: Path, line: str, *, synced: bool = False) -> None:
    """Add a line to a text file, made where there is none; behind a line that a crash cut short it begins a new one.

    `line`: without its line end. `synced`: it is on the disk on return.
    """
    with path.open("ab+") as f:
        if f.tell():
            f.seek(-1, os.SEEK_END)
            line = line if f.read(1) == b"\n" else f"\n{line}"
        f.write(f"{line}\n".encode())
        if synced:
            f.flush()
            os.fsync(f.fileno())


@contextmanager
def folder_whole(path: Path) -> Iterator[Path]:
    """Lend an empty folder `.NAME.writing` beside `path`; when the block ends well, it takes the place of what is there."""
    aside = aside_of(path)
    remove(aside)
    aside.mkdir(parents=True)
    yield aside
    put_in_place(aside, path)


def aside_of(path: Path) -> Path:
    """Return where to write what is to become `path`: beside it, out of sight."""
    return path.with_name(f".{path.name}.writing")


def put_in_place(aside: Path, path: Path) -> None:
    """Put what is complete where it belongs, in the place of what was there."""
    if aside.is_dir() or path.is_dir():
        remove(path)
    aside.replace(path)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file or a folder's list of names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
