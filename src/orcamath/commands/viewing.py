"""The command `view`: open a run and serve it to this machine's browser until it is interrupted."""

import asyncio
import sys
import webbrowser
from pathlib import Path

from orcamath.commands.ending import say, told
from orcamath.errors import UsageError
from orcamath.extend import default_of
from orcamath.store.artifacts import Store
from orcamath.store.run_folder import touched

__all__ = ["newest", "view_run"]


def newest(runs: Path) -> Path:
    """Return the run that something was written to last. Raises UsageError where there is none."""
    found = [p.parent for p in runs.glob("*/recipe.yaml")]
    if not found:
        raise UsageError(f"there is no run in `{runs}`; `orcamath run {default_of('recipe')}` makes one")
    return max(found, key=touched)


def view_run(folder: Path | None, runs: Path, store: Path, *, port: int, browser: bool) -> None:
    """Serve a run, the newest of `runs` where none is given; the address goes to stdout. Raises UsageError."""
    from orcamath.view.opened import Opened
    from orcamath.view.server import serve_view

    opened = Opened(folder or newest(runs), Store(store))

    def announce(address: str) -> None:
        sys.stdout.write(address + "\n")
        sys.stdout.flush()
        say(f"looking at `{opened.folder}`; end with Ctrl-C. The address holds a secret: whoever has it sees the run")
        if browser and sys.stdout.isatty():
            webbrowser.open(address)

    try:
        asyncio.run(serve_view(opened, port, announce, told))
    except OSError as e:
        raise UsageError(
            f"cannot listen on 127.0.0.1:{port} ({e.strerror}); leave `--port` out to take a free one"
        ) from e
