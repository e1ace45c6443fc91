"""How every benchmark speaks: what it says under way goes to stderr, its figures to stdout, as one JSON object with `--json`."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

__all__ = ["report", "resident"]


def report(
    doc: str | None,
    options: Callable[[argparse.ArgumentParser], None],
    measure: Callable[[argparse.Namespace], Any],
) -> Any:
    """Run a benchmark as a program: read `options`, `measure`, print the figures and nothing else on stdout; returns them."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object on one line")
    options(parser)
    args = parser.parse_args()
    with _stdout_as_stderr():
        figures = measure(args)
    sys.stdout.write(json.dumps(figures, indent=None if args.json else 1, ensure_ascii=False) + "\n")
    return figures


def resident(what: str, process: int | str = "self") -> float:
    """Return VmRSS or VmHWM of a process, in GB. Unlike `ru_maxrss` it begins anew with the program, not with its parent's."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024 / 1e9


@contextmanager
def _stdout_as_stderr() -> Iterator[None]:
    """Send what is printed inside to stderr, by libraries and child processes too: the file descriptor moves as well."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
