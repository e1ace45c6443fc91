"""Run a recipe and its arms in a run folder that is held, and leave what the report reads."""

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from orcamath.assemble import Assembled, open_chat, train_part
from orcamath.cluster.settings import EngineSettings
from orcamath.errors import Stopped, TooManyRejects
from orcamath.experiment import first_students_own, run_arms
from orcamath.families import boundary
from orcamath.held import held
from orcamath.machines import HERE
from orcamath.outline import outline
from orcamath.ports import Silent, TrackedRun, Tracker
from orcamath.recipe_file import arms, dump
from orcamath.recipe_settings import WORKERS, Recipe
from orcamath.records import digest
from orcamath.report.progress import ArmsLine, Bars
from orcamath.store.artifacts import Store
from orcamath.store.budget import Budget
from orcamath.store.history import History, Pointers, reached_in
from orcamath.store.marks import MARKS, read_marks
from orcamath.store.names import arm_folder
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import Commands, Keeper
from orcamath.terminal import clear_line, guarded, logged
from orcamath.workshop import Reviewers, Workshop

if TYPE_CHECKING:
    from orcamath.cluster.engine import RayEngine


__all__ = ["run_recipe"]


def run_recipe(
    recipe: Recipe,
    folder: RunFolder,
    store: Store,
    *,
    until: str | None = None,
    announce: Callable[[str], None] = lambda _: None,
    quiet: bool = False,
    arm_of: str | None = None,
    commands: Commands | None = None,
    reviewers: Reviewers | None = None,
    cluster: EngineSettings | None = None,
) -> None:
    """Run a recipe, and its arms where it has some, inside a run folder that is held; leave pointers for the report.

    `arm_of`: the id of the run whose arm this is; they share its book. `commands`: by what the run goes on, as `status`
    shows it. `reviewers`: who reads the lessons; left out, nobody is waited for, and no mark counts. `cluster`: whose
    machines make the model calls and train; this one where None.
    """
    if recipe.threads is not None:
        _use_threads(recipe.threads)
    shown = Silent() if quiet else Bars()
    own = arms(recipe)
    keeper = Keeper(folder, shown, commands or Commands.always(f"orcamath run {recipe.name}"), outline(recipe))
    history = History(store.root, arm_of or folder.id)
    with keeper.until_end(), _engine(cluster, folder) as engine, ExitStack() as line:

        def base() -> None:
            name = folder.path.name if arm_of else ""
            _run_base(
                recipe, folder, store, keeper, shown, until, announce, history, name, reviewers or Reviewers(), engine
            )
            if own:
                line.enter_context(ArmsLine(folder.path))

        run_one = _ArmRunner(folder.path, store.root, history.folder.name, None if engine is None else engine.shared)
        waits = recipe.review == "pause" and reviewers is not None and not reviewers.done
        beside = partial(first_students_own, base=recipe) if until is None and not waits else _none
        for arm in run_arms(own, run_one, _arms_at_once(recipe, cluster, len(own)), base=base, beside=beside):
            announce(f"arm `{arm.name}` done")


def _arms_at_once(recipe: Recipe, cluster: EngineSettings | None, n_arms: int) -> int:
    """Return how many arms run at once: `workers`, or one where the recipe does not say and they would share GPUs here."""
    if recipe.workers is not None:
        return recipe.workers
    if not n_arms or cluster is not None or find_spec("torch") is None:
        return WORKERS
    from orcamath.student.processes import n_gpus

    return 1 if n_gpus() else WORKERS


def _use_threads(n: int) -> None:
    """Have torch compute with `n` threads, here and in processes that are started from here; the user's own variable wins."""
    if "OMP_NUM_THREADS" in os.environ:
        return
    os.environ["OMP_NUM_THREADS"] = str(n)  # read by torch when it is first imported
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(n)


def _none(_: Recipe) -> bool:
    return False


@contextmanager
def _engine(cluster: EngineSettings | None, folder: RunFolder) -> "Iterator[RayEngine | None]":
    if cluster is None:
        yield None
        return
    from orcamath.cluster.engine import RayEngine

    engine = RayEngine(cluster, folder.id, open_chat, train_part)
    try:
        yield engine
    finally:
        engine.close()


def _run_base(
    recipe: Recipe,
    folder: RunFolder,
    store: Store,
    keeper: Keeper,
    shown: Silent | Bars,
    until: str | None,
    announce: Callable[[str], None],
    history: History,
    arm: str,
    reviewers: Reviewers,
    engine: "RayEngine | None",
) -> None:
    """Run the recipe itself, without its arms, which share their run's budget."""
    from orcamath.recipe import run

    trackers = _trackers(recipe, folder, arm)
    folder.write_text("recipe.yaml", dump(recipe))
    budget = Budget(history.adopted(folder.path), recipe.budget.cap_usd, recipe.budget.stages_usd)
    shown.money = lambda: (budget.spent_usd(), recipe.budget.cap_usd)
    if engine is not None:
        store.machines = engine.machines
        engine.keep_books(budget, recipe.budget.cap_usd, recipe.budget.stages_usd)
    tools = Assembled(store) if engine is None else Assembled(store, engine.spread)
    shop = Workshop(store, folder, tools, keeper, until, announce, budget=budget, trackers=trackers, keeper=keeper)
    shop.reviewers = reviewers
    shop.pointers = Pointers(folder, history, arm, digest("recipe", recipe.identity()))
    ended = False
    with ExitStack() as ends:  # each, whatever the others raise; the last that is named comes first
        ends.callback(lambda: shop.leave_pointers(ended=ended))
        ends.callback(budget.close)
        if engine is not None:
            ends.callback(setattr, store, "machines", HERE)
            ends.callback(engine.dismiss)
        for end in (tools.close, shop.close_trackers, shop.tell_reused, keeper.end):
            ends.callback(end)
        run(recipe, shop)
        ended = True
    keeper.stage("")


def _trackers(recipe: Recipe, folder: RunFolder, arm: str) -> list[Tracker]:
    """Open the trackers that a recipe names. Raises RecipeError where one needs a package that is not here."""
    if not recipe.trackers:
        return []
    path = folder.path
    group = path.parent.parent.name if arm else path.name
    told: dict[str, str | int | float] = {
        "recipe": recipe.name,
        "student": recipe.student.base,
        "loss": recipe.learn.loss,
        "beta": recipe.learn.beta,
    }
    run = TrackedRun(f"{group}/{arm}" if arm else group, group, folder.id, path, told)
    return [held("tracker", name)(run) for name in recipe.trackers]


class _ArmRunner:
    """Runs one arm in a process of its own; picklable."""

    def __init__(self, folder: Path, store: Path, run_id: str, cluster: EngineSettings | None) -> None:
        self.folder, self.store, self.run_id, self.cluster = folder, store, run_id, cluster

    def __call__(self, name: str, recipe: Recipe) -> tuple[int, ...]:
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()

        def say(line: str) -> None:
            clear_line(f"  [{name}] {line}\n")

        path = self.folder / "arms" / arm_folder(name)
        with guarded(), logged(say), boundary(), _named(name), RunFolder(path, wait=True) as folder:
            run_recipe(
                recipe,
                folder,
                Store(self.store),
                announce=say,
                quiet=True,
                arm_of=self.run_id,
                cluster=self.cluster,
                reviewers=Reviewers(read_marks(self.folder / MARKS)),
            )
            students = (reached_in(folder.path) or {"students": []})["students"]
        if not students:
            raise Stopped(f"arm `{name}` trained no student; see `{path}/log.txt`")
        totals = [0] + [s["trained_tokens"] for s in students if s["iteration"] > 0]
        return tuple(b - a for a, b in itertools.pairwise(totals))


@contextmanager
def _named(arm: str) -> "Iterator[None]":
    """Say in which arm nothing was left, and change its own setting: the base's is another."""
    try:
        yield
    except TooManyRejects as e:
        # another seed has the settings of its arm, or of the recipe itself
        own = "" if arm.startswith("seed ") else arm.partition(" · seed ")[0]
        raise TooManyRejects(f"arm `{arm}`: {e}", key=f"variants.{own}.{e.key}" if own and e.key else e.key) from e


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: a killed run leaves no arm behind that goes on alone."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
