"""The command line, put together from its verbs.

stdout is the result, stderr is progress. Exit codes: 0 done, 1 failed, 2 bad usage or recipe, 3 finished with too many
rejects, 4 stopped resumable, 130 interrupted. Everything heavy is imported inside the command that needs it.
"""

import typer

from orcamath.commands.ending import ended
from orcamath.verbs import data, models, runs

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for group in (runs, models, data):
    app.add_typer(group.app)


def main() -> None:
    """Run the command line; errors of ours are one message and an exit code, never a traceback."""
    ended(lambda: app(standalone_mode=False))
