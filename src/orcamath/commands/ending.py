"""How a command ends: what an interrupt, an error of ours and a full disk say, and with which exit code."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from orcamath.errors import NO_ROOM, OrcamathError
from orcamath.families import boundary

__all__ = ["ended", "interruptible", "say"]


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
    return str(e)
