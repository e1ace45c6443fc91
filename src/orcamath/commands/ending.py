"""How a command ends: what an interrupt, an error of ours and a full disk say, and with which exit code."""

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from orcamath.errors import NO_ROOM, OrcamathError
from orcamath.families import boundary

__all__ = ["ended", "interruptible", "say"]

_WHY = {
    errno.EROFS: "the disk is mounted read-only: nothing can be kept there",
    errno.EMFILE: "this process may open no more files: raise `ulimit -n`, or lower `concurrency`",
    errno.ENFILE: "this machine can open no more files: close other programs",
    errno.ENOLCK: "this file system has no locks: put `--store` and `--runs` on a local disk",
    errno.EACCES: "you have no right to that file or folder",
    errno.EPERM: "you have no right to that file or folder",
    errno.EIO: "the disk fails: copy what is there, and look at the machine's log",
}
"""What stopped the run is outside of our files: said as such, and nothing of ours is blamed."""


def say(line: str) -> None:
    """Write a line for people, to stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@contextmanager
def interruptible(
    meaning: str = "interrupted; all that was finished is kept, the same command goes on from there",
) -> Iterator[None]:
    """Say what an interrupt means; typer would only say that it aborted."""
    try:
        yield
    except KeyboardInterrupt:
        say(meaning)
        raise typer.Exit(130) from None


def ended(app: Callable[[], None]) -> None:
    """Run the command line; errors of ours are one message and an exit code, never a traceback."""
    try:
        with boundary():
            app()
    except OrcamathError as e:
        say(str(e) if e.exit_code == 0 else f"error: {e}")
        sys.exit(e.exit_code)
    except OSError as e:
        say(f"error: {_disk(e)}")
        sys.exit(4 if e.errno in NO_ROOM else 1)


def _disk(e: OSError) -> str:
    if e.errno in NO_ROOM:
        return f"the disk is full ({e}). What was sealed is kept; make room and run the same command again"
    return f"{e}: {_WHY[e.errno]}. What was sealed is kept" if e.errno in _WHY else str(e)
