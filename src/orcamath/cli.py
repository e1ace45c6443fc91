"""The command line, put together from its verbs.

stdout is the result, stderr is progress. Exit codes: 0 done, 1 failed, 2 bad usage or recipe, 3 finished with too many
rejects, 4 stopped resumable, 130 interrupted. Everything heavy is imported inside the command that needs it.
"""

from collections.abc import Callable
from functools import cache
from typing import Annotated

import typer
from typer.main import get_command

from orcamath import __version__
from orcamath.commands.ending import ended
from orcamath.verbs import data, models, runs

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
for group in (runs, models, data):
    app.add_typer(group.app)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _orcamath(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Orca-Math: grow word problems from seeds, have them solved, train a small student, let it practise, measure it."""


def main() -> None:
    """Run the command line; errors of ours are one message and an exit code, never a traceback."""
    # one name for messages and completion, however it was started
    ended(lambda: _built()(prog_name="orcamath", standalone_mode=False))


@cache
def _built() -> Callable[..., int | None]:
    """Read the signatures of all commands, once a process."""
    return get_command(app)
