"""Calls a command in this process, as a shell would: arguments in, exit code and both streams out."""

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from orcamath.cli import main


class Done(NamedTuple):
    code: int
    out: str
    err: str


def call(*args: str) -> Done:
    """Run `orcamath ARGS`."""
    before, sys.argv = sys.argv, ["orcamath", *args]
    code = 0
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as e:
            code = int(e.code or 0)
        finally:
            sys.argv = before
    return Done(code, out.getvalue(), err.getvalue())


def call_in(folder: Path, *args: str) -> Done:
    """Run `orcamath ARGS` in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return call(*args)
    finally:
        os.chdir(before)
