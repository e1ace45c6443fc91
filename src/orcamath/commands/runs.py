"""Commands on runs: run, report, status."""

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orcamath.assemble import run_recipe
from orcamath.checks.whole import check
from orcamath.cluster.settings import EngineSettings
from orcamath.commands.ending import say
from orcamath.commands.reviewing import readers_of
from orcamath.errors import PaysAgain, ToReview, UsageError
from orcamath.recipe_settings import Recipe
from orcamath.store.artifacts import Store
from orcamath.store.history import History
from orcamath.store.leases import is_lost
from orcamath.store.names import run_name
from orcamath.store.run_folder import RunFolder

if TYPE_CHECKING:
    from orcamath.report.fold import Results

__all__ = ["ancestry_of", "plain_of", "report_on", "reported", "run_in_folder", "run_loaded", "status_of"]


def run_in_folder(
    recipe: str, *, runs: Path, store: Path, name: str | None, until: str | None, limit: int | None,
    overrides: Sequence[str], wait: bool, pay_again: bool = False, detach: bool = False, new_book: bool = False,
    same_model: bool = False, reviewed: bool = False, cluster: EngineSettings | None = None,
) -> None:  # fmt: skip
    """Load a recipe, run it in its folder, and leave the report; the tables go to stdout. See `run_loaded`.

    Raises BatchWaiting where a batch is not done and `detach` says not to wait for it.
    """
    from orcamath.recipe_file import load

    loaded, command = load(recipe, overrides, limit=limit), shlex.join(["orcamath", *sys.argv[1:]])
    path = run_loaded(
        _detached(loaded) if detach else loaded, runs=runs, store=store, name=name, until=until, wait=wait,
        pay_again=pay_again, new_book=new_book, same_model=same_model, command=command,
        goes_on=f"{command} --reviewed",
        reviewed=reviewed, limited=limit is not None, cluster=cluster,
    )  # fmt: skip
    if until is None:
        report_on(path, store)


def run_loaded(
    loaded: Recipe, *, runs: Path, store: Path, name: str | None, until: str | None, command: str, goes_on: str,
    wait: bool = False, pay_again: bool = False, new_book: bool = False, same_model: bool = False, reviewed: bool = False,
    limited: bool = False, cluster: EngineSettings | None = None,
) -> Path:  # fmt: skip
    """Check a recipe whole, hold its run folder and run it there; returns the folder. `command` is what goes on
    with it, `goes_on` the same after its lessons were read.

    Raises PaysAgain where a changed recipe would pay again for much of what it paid for, unless `pay_again`, and where a run
    with a cap has lost its book, unless `new_book`; AnotherModel where a server may not be who answered before, unless
    `same_model`; ToReview where the recipe waits for a reader, unless `reviewed`. A `limited` run shows what there is to read.
    """
    from orcamath.commands.answering import know_who_answers
    from orcamath.commands.costs import confirm_paying_again
    from orcamath.commands.promises import check_prices, leaving
    from orcamath.report.progress import Bars

    for warning in check(loaded, store, until=until).require(loaded.name):
        say(f"warning: {warning}")
    check_prices(loaded)
    path = runs / run_name(loaded.name if name is None else name, (p.name for p in runs.glob("*/")))
    with RunFolder(path, wait=wait) as folder:
        for line in leaving(loaded):
            say(line)
        book = History(store, folder.id).adopted(path)
        if not new_book:
            _know_the_book(loaded, folder, book)
        if not pay_again:
            confirm_paying_again(loaded, book, Store(store), Bars(), _asker())
        know_who_answers(loaded, store, same=same_model)
        readers = readers_of(loaded, path, until=until, limited=limited, reviewed=reviewed, goes_on=goes_on)
        try:
            run_recipe(
                loaded,
                folder,
                Store(store),
                until=until,
                announce=say,
                command=command,
                readers=readers,
                cluster=cluster,
            )
        except ToReview:
            say(f"report: {reported(path, store)[1]}")
            raise
    return path


def _know_the_book(recipe: Recipe, folder: RunFolder, book: Path) -> None:
    """Raise PaysAgain where a run with a cap has a history and no book, or an empty one: nobody knows what is left."""
    capped = recipe.budget.cap_usd is not None or recipe.budget.stages_usd
    if capped and is_lost(book) and folder.read_json("stages.json") is not None:
        raise PaysAgain(
            f"the run `{folder.path.name}` was run before, and its book `{book}` is not there, or empty: is `--store` the right "
            f"one? Where the book is lost, `--new-book` counts from nothing, and the whole cap may be spent again"
        )


def _detached(recipe: Recipe) -> Recipe:
    """Tell every model behind a batch API not to wait. Raises UsageError where there is none."""
    batches = {role: m for role, m in recipe.models().items() if m.backend == "openai_batch"}
    if not batches:
        raise UsageError(
            f"`--detach` is for models behind a batch API; none of `{recipe.name}` has `backend: openai_batch`"
        )
    told = {role: m.model_copy(update={"options": {**m.options, "detach": True}}) for role, m in batches.items()}
    return recipe.model_copy(update=told)


def _asker() -> Callable[[str], bool] | None:
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        return None

    def ask(question: str) -> bool:
        say(question + " [y/N]")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    return ask


def report_on(path: Path, store: Path, *, as_json: bool = False) -> None:
    """Fold a run's results, write report.html into its folder, and print the tables (or JSON) to stdout."""
    from orcamath.report.table import show
    from orcamath.terminal import console

    results, page = reported(path, store)
    if as_json:
        sys.stdout.write(json.dumps(plain_of(results, page), indent=1) + "\n")
        return
    width = None if sys.stdout.isatty() else 160
    show(results, console(width=width))
    sys.stdout.write(f"report: {page}\n")


def reported(path: Path, store: Path) -> "tuple[Results, Path]":
    """Fold a run's results and write report.html into its folder; returns both."""
    from orcamath.report.fold import fold
    from orcamath.report.page import write

    results, page = fold(path, Store(store)), path / "report.html"
    write(results, page)
    return results, page


def plain_of(results: "Results", page: Path) -> dict[str, Any]:
    """Return a report's score table and findings as JSON values."""
    from orcamath.store.facts import Fact

    told = {
        "name": results.name,
        "rows": [r._asdict() for r in results.rows],
        "findings": [t._asdict() for t in results.settled],
        "report": str(page),
    }
    plain: dict[str, Any] = json.loads(json.dumps(told, default=Fact.plain))
    return plain


def status_of(path: Path, store: Path, *, as_json: bool = False) -> str:
    """Tell how a run and its arms stand: running, or stopped and why; what is under way, next, spent, sealed."""
    from orcamath.commands.standing import lines_of
    from orcamath.view.live import now_of

    if not (path / "recipe.yaml").exists():
        raise UsageError(f"`{path}` is no run; `orcamath run` makes one, `orcamath runs` lists them")
    now = now_of(path, Store(store))
    return json.dumps(now.plain(), indent=1) if as_json else "\n".join(lines_of(now))


def ancestry_of(record: str, path: Path, store: Path, *, full: bool, as_json: bool) -> str:
    """Show a problem's ancestry and all that came of it, in this run and its arms."""
    from orcamath.report.arms import artifacts_of
    from orcamath.view.ancestry import ancestry
    from orcamath.view.text import rendered

    found = ancestry(artifacts_of(path, Store(store)), record)
    return json.dumps(found.plain(), indent=1) if as_json else rendered(found, full=full)
