"""The command `run`."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from orcamath.assemble import DETACH
from orcamath.checks.trouble import Checked
from orcamath.checks.whole import check
from orcamath.cluster.settings import EngineSettings
from orcamath.commands.asked import RunAsked
from orcamath.commands.ending import say
from orcamath.commands.reporting import report_on, reported
from orcamath.commands.reviewing import reviewers_of
from orcamath.commands.typed import without_option
from orcamath.errors import OrcamathError, PaysAgain, ToReview, UsageError
from orcamath.recipe_file import arms, load
from orcamath.recipe_settings import Recipe
from orcamath.running import run_recipe
from orcamath.store.artifacts import Store
from orcamath.store.history import History
from orcamath.store.leases import account_of, is_lost
from orcamath.store.names import run_name
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import Commands
from orcamath.text.money import spent_of

__all__ = ["commands_of", "run_in_folder", "run_loaded"]


def run_in_folder(recipe: str, asked: RunAsked, overrides: Sequence[str] = (), *, detach: bool = False) -> None:
    """Load a recipe, run it in its folder, and leave the report; the tables go to stdout. See `run_loaded`.

    Raises BatchWaiting where a batch is not done and `detach` says not to wait for it.
    """
    loaded, typed = load(recipe, overrides, limit=asked.limit), ["orcamath", *sys.argv[1:]]
    with _detached(loaded) if detach else nullcontext():
        path = run_loaded(loaded, asked, commands_of(typed))
    if asked.until is None:
        report_on(path, asked.store)


def run_loaded(loaded: Recipe, asked: RunAsked, commands: Commands) -> Path:
    """Check a recipe whole, hold its run folder and run it there; returns the folder. `commands` go on with it.

    Raises PaysAgain where a changed recipe would pay again for much of what it paid for, unless `pay_again`, and where a run
    with a cap has lost its book, unless `new_book`; AnotherModel where a server may not be who answered before, unless
    `same_model`; ToReview where the recipe waits for a reader, unless `reviewed`.
    """
    from orcamath.commands.answering import know_who_answers
    from orcamath.commands.promises import check_prices, leaving

    runs, until = asked.runs, asked.until
    _warn(check(loaded, asked.store, until=until, on_cluster=asked.cluster is not None), loaded.name)
    check_prices(loaded)
    path = runs / run_name(loaded.name if asked.name is None else asked.name, (p.name for p in runs.glob("*/")))
    with _reached(asked.cluster), RunFolder(path, wait=asked.wait) as folder:
        for line in leaving(loaded):
            say(line)
        book = History(asked.store, folder.id).adopted(path)
        if not asked.new_book:
            _know_the_book(loaded, folder, book)
        shared = Store(asked.store)
        _plan(loaded, shared, path, book, until=until, pay_again=asked.pay_again)
        know_who_answers(loaded, asked.store, same=asked.same_model)
        readers = reviewers_of(loaded, path, asked, goes_on=commands.reviewed)
        try:
            run_recipe(
                loaded,
                folder,
                shared,
                until=until,
                announce=say,
                commands=commands,
                reviewers=readers,
                cluster=asked.cluster,
            )
        except ToReview:
            say(f"report: {reported(path, asked.store)[1]}")
            raise
        finally:
            _say_spent(loaded, book)
    return path


def _say_spent(recipe: Recipe, book: Path) -> None:
    """Say what the run has spent, however it ended; a book that cannot be read is the next run's to tell."""
    with suppress(OrcamathError):
        if spent := sum(account_of(book).usd.values()):
            say(spent_of(spent, recipe.budget.cap_usd))


def _plan(loaded: Recipe, store: Store, path: Path, book: Path, *, until: str | None, pay_again: bool) -> None:
    """Look ahead. Raises RecipeError where the disk does not hold what comes, PaysAgain as `run_loaded` does."""
    from orcamath.commands.costs import confirm_paying_again, planned
    from orcamath.commands.disk import disk_of
    from orcamath.report.progress import Bars

    plan = planned(loaded, store, Bars(), fetches=True)
    _warn(disk_of(loaded, plan, path, store.root, until=until).checked(), loaded.name)
    if not pay_again:
        confirm_paying_again(loaded, book, plan, _asker())


def commands_of(typed: Sequence[str]) -> Commands:
    """Return by what a run goes on that was begun by this command line."""
    return Commands(
        again=shlex.join(typed),
        past_until=shlex.join(without_option("--until", typed)),
        reviewed=shlex.join([*typed, "--reviewed"]),
        changed=lambda key: f"{shlex.join(without_option('--set', typed, f'{key}='))} --set {shlex.quote(key)}=…",
    )


def _warn(checked: Checked, recipe: str) -> None:
    """Say what may go wrong. Raises RecipeError where something will."""
    for warning in checked.require(recipe):
        say(f"warning: {warning}")


def _reached(cluster: EngineSettings | None) -> AbstractContextManager[object]:
    """Reach the cluster, if any, before a run folder is made. Raises RecipeError without the extra, ModelError without one."""
    if cluster is None:
        return nullcontext()
    from orcamath.cluster.engine import connected

    return connected(cluster)


def _know_the_book(recipe: Recipe, folder: RunFolder, book: Path) -> None:
    """Raise PaysAgain where a run with a cap has a history and no book, or an empty one: nobody knows what is left."""
    capped = recipe.budget.cap_usd is not None or recipe.budget.stages_usd
    if capped and is_lost(book) and folder.read_json("stages.json") is not None:
        raise PaysAgain(
            f"the run `{folder.path.name}` was run before, and its book `{book}` is not there, or empty: is `--store` the right "
            f"one? Where the book is lost, `--new-book` counts from nothing, and the whole cap may be spent again"
        )


@contextmanager
def _detached(recipe: Recipe) -> Iterator[None]:
    """Have no model behind a batch API wait meanwhile, those of arms included. Raises UsageError where there is none."""
    models = (model for one in (recipe, *arms(recipe).values()) for model in one.models().values())
    if all(model.backend != "openai_batch" for model in models):
        raise UsageError(
            f"`--detach` is for models behind a batch API; none of `{recipe.name}`, arms included, has `backend: openai_batch`"
        )
    os.environ[DETACH] = "1"
    try:
        yield
    finally:
        del os.environ[DETACH]


def _asker() -> Callable[[str], bool] | None:
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        return None

    def ask(question: str) -> bool:
        say(question + " [y/N]")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    return ask
