"""Where a recipe's names become open models, readers, judges: the tools that a workshop is given."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from orcamath.agents.driver import Agent
from orcamath.agents.settings import AgentSettings
from orcamath.extend import code_of, offered
from orcamath.families import boundary
from orcamath.held import held
from orcamath.ports import Chat, Closing, Judge, Message, Screen
from orcamath.recipe_settings import Recipe
from orcamath.records import Problem, digest
from orcamath.settings import ModelSettings, StudentSettings
from orcamath.sources.source import Reader, SourceSettings
from orcamath.stages.serving import ServerSettings
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.ledger import Ledger, Remembered
from orcamath.store.prices import declared_price
from orcamath.store.servers import Servers
from orcamath.student.facts import TrainedFacts
from orcamath.student.folder import ModelFolder
from orcamath.terminal import guarded
from orcamath.workshop import Player

if TYPE_CHECKING:
    from orcamath.plan.sizes import ModelSize
    from orcamath.student.losses import LossFunction

__all__ = ["DETACH", "Assembled", "open_chat", "size_of", "student_folder", "train_part"]

DETACH = "ORCAMATH_DETACH"
"""Variable by which a command tells this process, and those of arms, that no batch is waited for: it is of the command, and in no
recipe, or a run's own would say so for ever."""
log = logging.getLogger("orcamath")
Spreads = Callable[[ModelSettings, Chat, Callable[[ModelSettings], Chat] | None], Chat]
"""Puts many machines behind a model that was opened here; the last says what opens it there, if not its backend's name."""


def _here(_: ModelSettings, chat: Chat, _there: Callable[[ModelSettings], Chat] | None) -> Chat:
    return chat


def open_chat(settings: ModelSettings) -> Chat:
    """Open a model by its backend's name."""
    return held("backend", settings.backend)(settings)


def train_part(job: Path, say: Callable[[str], None] | None = None) -> None:
    """Do one process's part of a training (`student/launch.py`), whose loss is found by name or file.

    `say` hands a line to who launched it; left out, it is printed.
    """
    from orcamath.student.launch import say_aloud, work  # torch, which a recipe without a student needs not

    with guarded():
        work(job, lambda name: held("loss", name), boundary, say or say_aloud)


class Assembled:
    """The tools of a workshop (see `workshop.Tools`), everything opened once."""

    def __init__(self, store: Store, spread: Spreads = _here) -> None:
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
                told = {"folder": str(self.store.root / "batches")} | settings.options
                detached = {"detach": True} if DETACH in os.environ else {}
                settings = settings.model_copy(update={"options": told | detached})
            opened = self._spread(settings, open_chat(settings), None)
            self._tell_changed(settings, opened.fingerprint)
            self._chats[key] = Remembered(opened, self.ledger, declared_price(settings))
        return self._chats[key]

    def _tell_changed(self, settings: ModelSettings, fingerprint: str) -> None:
        """Say that replies of a backend of the user's stay although its code is another now: they were paid for."""
        code, known = code_of("backend", settings.backend), Servers(self.store.root)
        if code is None:
            return
        if known.doubt(fingerprint, settings.model, "code", {"code": code}) is not None:
            log.warning(
                "backend `%s`: its code changed since `%s` was asked first. Replies remembered under that name stay, beside new "
                "ones; if it answers otherwise now, give it another `fingerprint`, and everything is asked anew",
                settings.backend,
                fingerprint,
            )
        known.keep(fingerprint, "code", {"code": code})

    def close(self) -> None:
        """Close every model that holds on to something, and the ledger, whatever the others raise."""
        with ExitStack() as ends:
            ends.callback(self.ledger.close)
            for model in self._chats.values():
                if isinstance(model.chat, Closing):
                    ends.callback(model.chat.close)

    def base(self, settings: StudentSettings) -> ModelFolder:
        """Return the base model's folder: a member of the family, a local folder or GGUF file, or a hub name."""
        from orcamath.student.model import open_folder

        return open_folder(student_folder(settings), settings.revision)

    def model_of(self, trained: Artifact) -> ModelFolder:
        """Return the model folder inside a sealed training stage.

        Raises Damaged where its weights are gone or not what was sealed: the stage is set aside, and the next run makes it anew.
        """
        from orcamath.student.model import open_folder

        if gone := [f for f in trained.files if f.startswith("model/") and not (trained.path / f).exists()]:
            raise trained.damaged(f"`{trained.path / gone[0]}` is not there: the student")
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
            encoder = Encoder.of(model)
            return Player(Remembered(self._served(server, model, encoder.ends), self.ledger), encoder.pose)
        chat = self.chat(ModelSettings(backend="transformers_local", model=str(model.path), options=settings.options))
        return Player(chat, Shown(Encoder.of(model), tuple(examples)) if examples else Encoder.of(model).pose)

    def _served(self, server: ServerSettings, model: ModelFolder, ends: tuple[int, ...]) -> Chat:
        from orcamath.backends.student_server import ServedThere, StudentServer

        logs = self.store.root.resolve()
        # what a recipe adds to each request's body may change what is sampled
        sampled_by = f"{digest(server.body)[:12]}-{model.fingerprint}" if server.body else model.fingerprint
        here = StudentServer(server, model.path, sampled_by, ends=ends, log=logs / "student-server.log")
        there = ServedThere(server, model.path.resolve(), sampled_by, ends, logs)
        options = {"fingerprint": sampled_by}
        which = ModelSettings(
            backend="student_server", model=str(model.path), concurrency=server.concurrency, options=options
        )
        return self._spread(which, here, there)

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


def size_of(settings: StudentSettings) -> "ModelSize | None":
    """Return how large a student is: read where it lies here, by its name where it is on a hub, None where nothing tells."""
    path = Path(student_folder(settings)).expanduser()
    from orcamath.plan.sizes import size_by_name, size_on_disk

    return size_on_disk(path) if path.exists() else size_by_name(settings.base)


def student_folder(settings: StudentSettings) -> str:
    """Return the base's place: what a member of the family says, or what the recipe names (a folder, a file, a hub name)."""
    named = settings.base.endswith(".py") or offered("base", settings.base) is not None
    return str(held("base", settings.base)()) if named else settings.base
