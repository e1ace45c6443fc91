"""How a command ends: what an interrupt, an error of ours, a full disk and a fault of ours say, and with which exit code.

Whatever it is, it is one message; the traceback of a fault goes into a file of its own.
"""

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from orcamath.errors import NO_ROOM, OrcamathError, UsageError
from orcamath.families import boundary
from orcamath.signals import terminated_is_interrupted
from orcamath.store.literals import masked, shown, tells
from orcamath.terminal import guarded
from orcamath.visible import clip, visible

__all__ = ["ended", "from_options", "interruptible", "say", "told"]

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
_USAGE: Any = typer.BadParameter.__base__
"""What the parser of the command line raises: click's UsageError, of typer's own copy of click where it brings one."""
_MISNAMED = {
    errno.ENOENT: "there is nothing of that name; check the path",
    errno.EISDIR: "that is a folder; name a file, or move the folder away",
    errno.ENOTDIR: "the path leads through a file; check it",
    errno.EEXIST: "something of that name is there already; name another place",
    errno.ENAMETOOLONG: "the name is too long for this file system; shorten it",
}
"""What was named is not what the command can use."""


def say(line: str) -> None:
    """Write a line for people, to stderr; a key that was in what it repeats is not repeated."""
    sys.stderr.write(masked(line) + "\n")
    sys.stderr.flush()


@contextmanager
def interruptible(
    meaning: str = "interrupted; all that was finished is kept, the same command goes on from there",
) -> Iterator[None]:
    """Say what an interrupt means; typer would only say that it aborted. What a scheduler ends is interrupted."""
    try:
        with terminated_is_interrupted():
            yield
    except KeyboardInterrupt:
        say(meaning)
        raise typer.Exit(130) from None


@contextmanager
def from_options() -> Iterator[None]:
    """Say what is wrong with settings that were made of a command's options. Raises UsageError, one line a setting."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as e:
        lines = []
        for error in e.errors():
            option = "".join(
                f"`--{str(part).replace('_', '-')}` = {shown(error['input'], [str(part)])}: "
                for part in error["loc"][:1]
            )
            lines.append(option + error["msg"].removeprefix("Value error, "))
        raise UsageError("\n".join(lines)) from e


def ended(command: Callable[[], int | None]) -> None:
    """Run the command line, which returns its exit code or nothing; whatever ends it is one message, never a traceback."""
    with guarded():
        try:
            with boundary():
                code = command()
        except OrcamathError as e:
            say(str(e) if e.exit_code == 0 else f"error: {e}\nhelp: {e.help()}")
            code = e.exit_code
        except _USAGE as e:
            if type(e).__name__ != "NoArgsIsHelpError":  # the help was shown then
                say(_usage(e))
            code = e.exit_code
        except typer.Abort:
            say("nothing was done")
            code = 1
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 — whoever read our output has left
            code = 1
        except Exception as e:
            say(f"error: {told(e)}")
            code = 4 if isinstance(e, OSError) and e.errno in NO_ROOM else 1
        sys.exit(code)


def told(e: Exception) -> str:
    """Say in one message what an exception means. The traceback of a fault of ours is left in a file."""
    if isinstance(e, OrcamathError):
        return str(e)
    return _disk(e) if isinstance(e, OSError) else _fault(e)


def _usage(e: Any) -> str:
    """Return what the parser of the command line says, behind how the command is called."""
    called = [e.ctx.get_usage(), f"`{e.ctx.command_path} --help` has more"] if e.ctx is not None else []
    return "\n".join([*called, f"error: {e.format_message()}"])


def _disk(e: OSError) -> str:
    if e.errno in NO_ROOM:
        return f"the disk is full ({e}). What was sealed is kept; make room and run the same command again"
    what = f"`{e.filename}`: {e.strerror}" if e.filename is not None and e.strerror else e.strerror or str(e)
    if e.errno in _MISNAMED:
        return f"{what}: {_MISNAMED[e.errno]}"
    return f"{what}: {_WHY[e.errno]}. What was sealed is kept" if e.errno in _WHY else what


def _fault(e: Exception) -> str:
    """Say of an exception that nobody raised on purpose what it is, and leave its traceback in a file."""
    what = clip(" ".join(f"{type(e).__name__}: {e}".split()), 300)
    said = f"{what}. This is a fault of orcamath's, not of yours; what was sealed is kept. Please report it"
    try:
        handle, path = tempfile.mkstemp(prefix="orcamath-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as f:
            f.write(visible(_without_keys("".join(traceback.format_exception(e)))))
    except OSError as full:
        return f"{said} (its traceback could not be kept: {full})"
    return f"{said} with `{path}`, which holds the traceback"


def _without_keys(text: str) -> str:
    from orcamath.backends.wire_keys import Secrets

    return masked(Secrets.of([value for name, value in os.environ.items() if tells(name)]).hide(text))
