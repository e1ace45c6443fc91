"""Where a recipe's names become open models, readers, judges: builds the workshop and runs a recipe in a folder."""

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orcamath.agents.driver import Agent
from orcamath.agents.settings import AgentSettings
from orcamath.cluster.settings import EngineSettings
from orcamath.errors import Stopped
from orcamath.experiment import first_students_own, run_arms
from orcamath.extend import offered
from orcamath.families import boundary
from orcamath.held import held
from orcamath.outline import outline
from orcamath.ports import Chat, Closing, Judge, Message, Screen, Silent, TrackedRun, Tracker
from orcamath.recipe_file import arms, dump
from orcamath.recipe_settings import Recipe
from orcamath.records import Problem, digest
from orcamath.report.progress import ArmsLine, Bars
from orcamath.settings import ModelSettings, StudentSettings
from orcamath.sources.source import Reader, SourceSettings
from orcamath.stages.practice import ServerSettings
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.budget import Budget
from orcamath.store.history import History, Pointers, reached_in
from orcamath.store.ledger import Ledger, Remembered
from orcamath.store.marks import MARKS, read_marks
from orcamath.store.names import arm_folder
from orcamath.store.prices import declared_price
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import Keeper
from orcamath.student.facts import TrainedFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.sizes import ModelSize, size_by_name, size_on_disk
from orcamath.terminal import clear_line, guarded, logged
from orcamath.workshop import Player, Readers, Workshop

if TYPE_CHECKING:
    from orcamath.cluster.crew import RayEngine
    from orcamath.student.losses import LossFunction

__all__ = ["Assembled", "open_chat", "run_recipe", "size_of", "student_folder"]


def open_chat(settings: ModelSettings) -> Chat:
    """Open a model by its backend's name."""
    return held("backend", settings.backend)(settings)


class Assembled:
    """The tools of a workshop (see `workshop.Tools`), everything opened once."""

    def __init__(self, store: Store, spread: Callable[[ModelSettings, Chat], Chat] = lambda _, chat: chat) -> None:
        """`spread` may put many machines behind a model that was opened here."""
        self.store = store
        self._spread = spread
        self.ledger = Ledger(store.root / "ledger")
        self._chats: dict[str, Remembered] = {}

    def chat(self, settings: ModelSettings) -> Remembered:
        """Open a model by its backend's name, the ledger in front of it."""
        key = digest(settings.model_dump(mode="json"))
        if key not in self._chats:
            if settings.backend == "openai_batch":  # its desk lies with the ledger, wherever the store is
                folder = {"folder": str(self.store.root / "batches")}
                settings = settings.model_copy(update={"options": folder | settings.options})
            opened = self._spread(settings, open_chat(settings))
            self._chats[key] = Remembered(opened, self.ledger, declared_price(settings))
        return self._chats[key]

    def close(self) -> None:
        """Close the ledger, and every model that holds on to something."""
        for model in self._chats.values():
            if isinstance(model.chat, Closing):
                model.chat.close()
        self.ledger.close()

    def base(self, settings: StudentSettings) -> ModelFolder:
        """Return the base model's folder: a member of the family, a local folder or GGUF file, or a hub name."""
        from orcamath.student.model import open_folder

        return open_folder(student_folder(settings), settings.revision)

    def model_of(self, trained: Artifact) -> ModelFolder:
        """Return the model folder inside a sealed training stage. Raises Damaged where its weights are not what was sealed."""
        from orcamath.student.model import open_folder

        model = open_folder(str(trained.path / "model"), None)
        sealed = trained.said(TrainedFacts).contents
        if sealed is not None and model.content not in sealed.values():
            raise trained.damaged(f"the student in `{model.path}`")
        return model

    def player(
        self,
        settings: StudentSettings,
        model: ModelFolder,
        server: ServerSettings | None = None,
        examples: Sequence[Message] = (),
    ) -> Player:
        """Open a student's folder for sampling; its prompts are the training prompts, token for token."""
        from orcamath.student.encode import Encoder, Shown

        if server is not None:
            from orcamath.backends.student_server import StudentServer

            encoder = Encoder.of(model)
            log = self.store.root / "student-server.log"
            served = StudentServer(server, model.path, model.fingerprint, ends=encoder.ends, log=log)
            return Player(Remembered(served, self.ledger), encoder.pose)
        chat = self.chat(ModelSettings(backend="transformers_local", model=str(model.path), options=settings.options))
        return Player(chat, Shown(Encoder.of(model), tuple(examples)) if examples else Encoder.of(model).pose)

    def judge(self, recipe: Recipe, *, on_benchmarks: bool = False) -> Judge:
        """Open the judge; rules decide alone where the recipe names no `judge_model`.

        On benchmarks a model extracts the answer, which is then compared; in practice it gives a verdict (both as in the paper).
        A prompt of the user's own is for one form, which is kept.
        """
        model = self.chat(recipe.judge_model) if recipe.judge_model is not None else None
        settings = recipe.judge
        if on_benchmarks and settings.prompt is None:
            settings = settings.model_copy(update={"form": "extract"})
        return held("judge", recipe.judge.name)(settings, model)

    def readers(self, sources: Iterable[SourceSettings]) -> Mapping[str, Reader]:
        """Find each source's reader."""
        return {s.name: held("source", s.name) for s in sources}

    def screens(self, names: Iterable[str]) -> list[Screen]:
        """Find the screens named; a name may stand for several."""
        return [screen for name in names for screen in held("screen", name)()]

    def agent(self, settings: AgentSettings) -> Agent[Problem, Problem]:
        """Find an agent of the user's, and make it."""
        return held("agent", settings.name)(settings)

    def loss(self, name: str) -> "LossFunction":
        """Find a loss."""
        return held("loss", name)


def size_of(settings: StudentSettings) -> ModelSize | None:
    """Return how large a student is: read where it lies here, by its name where it is on a hub, None where nothing tells."""
    path = Path(student_folder(settings)).expanduser()
    return size_on_disk(path) if path.exists() else size_by_name(settings.base)


def student_folder(settings: StudentSettings) -> str:
    """Return the base's place: what a member of the family says, or what the recipe names (a folder, a file, a hub name)."""
    named = settings.base.endswith(".py") or offered("base", settings.base) is not None
    return str(held("base", settings.base)()) if named else settings.base


def run_recipe(
    recipe: Recipe,
    folder: RunFolder,
    store: Store,
    *,
    until: str | None = None,
    announce: Callable[[str], None] = lambda _: None,
    quiet: bool = False,
    arm_of: str | None = None,
    command: str = "",
    readers: Readers | None = None,
    cluster: EngineSettings | None = None,
) -> None:
    """Run a recipe, and its arms where it has some, inside a run folder that is held; leave pointers for the report.

    `arm_of`: the id of the run whose arm this is; they share its book. `command`: what to type to go on, for whoever reads how
    the run stands. `readers`: who reads the lessons; left out, nobody is waited for, and no mark counts. `cluster`: whose
    machines make the model calls; this process where None.
    """
    if recipe.threads is not None:
        _use_threads(recipe.threads)
    shown = Silent() if quiet else Bars()
    own = arms(recipe)
    keeper = Keeper(folder, shown, command or f"orcamath run {recipe.name}", outline(recipe))
    history = History(store.root, arm_of or folder.id)
    with keeper.until_end(), _engine(cluster, folder) as engine, ExitStack() as line:

        def base() -> None:
            name = folder.path.name if arm_of else ""
            _run_base(
                recipe, folder, store, keeper, shown, until, announce, history, name, readers or Readers(), engine
            )
            if own:
                line.enter_context(ArmsLine(folder.path))

        run_one = _ArmRunner(folder.path, store.root, history.folder.name, None if engine is None else engine.shared)
        waits = recipe.review == "pause" and readers is not None and not readers.done
        beside = partial(first_students_own, base=recipe) if until is None and not waits else _none
        for arm in run_arms(own, run_one, recipe.workers, base=base, beside=beside):
            announce(f"arm `{arm.name}` done")


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
    from orcamath.cluster.crew import RayEngine

    engine = RayEngine(cluster, folder.id, open_chat)
    try:
        yield engine
    finally:
        engine.close()


def _run_base(
    recipe: Recipe, folder: RunFolder, store: Store, keeper: Keeper, shown: Silent | Bars, until: str | None,
    announce: Callable[[str], None], history: History, arm: str, readers: Readers, engine: "RayEngine | None",
) -> None:  # fmt: skip
    """Run the recipe itself, without its arms, which share their run's budget."""
    from orcamath.recipe import run

    trackers = _trackers(recipe, folder, arm)
    folder.write_text("recipe.yaml", dump(recipe))
    budget = Budget(history.adopted(folder.path), recipe.budget.cap_usd, recipe.budget.stages_usd)
    shown.money = lambda: (budget.spent_usd(), recipe.budget.cap_usd)
    if engine is not None:
        engine.keep_books(budget, recipe.budget.cap_usd, recipe.budget.stages_usd)
    tools = Assembled(store) if engine is None else Assembled(store, engine.spread)
    shop = Workshop(store, folder, tools, keeper, until, announce, budget=budget, trackers=trackers, keeper=keeper)
    shop.readers = readers
    shop.pointers = Pointers(folder, history, arm)
    ended = False
    try:
        run(recipe, shop)
        ended = True
    finally:
        keeper.end()
        shop.tell_reused()
        shop.close_trackers()
        tools.close()
        if engine is not None:
            engine.dismiss()
        budget.close()
        shop.leave_pointers(ended=ended)
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
        with guarded(), logged(say), boundary(), RunFolder(path, wait=True) as folder:
            run_recipe(
                recipe, folder, Store(self.store), announce=say, quiet=True, arm_of=self.run_id, cluster=self.cluster,
                readers=Readers(read_marks(self.folder / MARKS)),
            )  # fmt: skip
            students = (reached_in(folder.path) or {"students": []})["students"]
        if not students:
            raise Stopped(f"arm `{name}` trained no student; see `{path}/log.txt`")
        totals = [0] + [s["trained_tokens"] for s in students if s["iteration"] > 0]
        return tuple(b - a for a, b in itertools.pairwise(totals))


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: a killed run leaves no arm behind that goes on alone."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
