"""The verbs. No logic: each command gathers its arguments and calls the room that does the work."""

import typer

__all__ = ["app", "main"]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _orcamath() -> None:
    """Grow word problems, teach, practise, judge, learn, report: Orca-Math (arXiv 2402.14830) end to end."""


@app.command()
def version() -> None:
    """Print the version."""
    from orcamath import __version__

    typer.echo(__version__)


def main() -> None:
    """Run the command line."""
    app()
