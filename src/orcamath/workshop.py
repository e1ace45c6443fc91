"""What a recipe works with: the store, the models, and one way to run a stage. Built by `assemble`, handed to `recipe`.

The recipe says what is made of what; the workshop keeps the books of which stage came out of where and how long it took.
"""

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, Protocol, TypeVar

from orcamath.agents.driver import Agent
from orcamath.agents.settings import AgentSettings
from orcamath.errors import OrcamathError
from orcamath.ports import Judge, Message, Pose, Progress, Screen, Tracker
from orcamath.recipe_settings import Recipe
from orcamath.records import Problem, Settings
from orcamath.settings import ModelSettings, StudentSettings
from orcamath.sources.source import Reader, SourceSettings
from orcamath.stages.serving import ServerSettings
from orcamath.store.artifacts import Artifact, Identified, Output, Store
from orcamath.store.budget import Budget
from orcamath.store.facts import Facts
from orcamath.store.history import Pointers, StagePointer, StudentPointer
from orcamath.store.ledger import Remembered
from orcamath.store.marks import Mark
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import Keeper
from orcamath.store.stage import Stage
from orcamath.student.facts import TrainedFacts
from orcamath.student.folder import ModelFolder

if TYPE_CHECKING:
    from orcamath.student.losses import LossFunction

__all__ = ["Measured", "Player", "Reviewers", "StageDone", "Tools", "UntilReached", "Workshop", "identified"]

log = logging.getLogger("orcamath")
S = TypeVar("S", bound=Settings)
P = ParamSpec("P")


class UntilReached(OrcamathError):
    """The stage named by `--until` is sealed; the run ends here, on purpose."""

    exit_code = 0


class Player(NamedTuple):
    """A student ready to answer: its remembered samples and how a question is posed to it."""

    chat: Remembered
    pose: Pose


class Measured(NamedTuple):
    """One student and what it scored."""

    name: str
    iteration: int
    model: Artifact | None
    """None for the base, which was not trained here."""
    scored: Artifact
    trained_tokens: int
    """Counted tokens it was trained on since the base, all iterations together."""


class StageDone(NamedTuple):
    """A stage's result as the run folder remembers it."""

    label: str
    artifact: Artifact
    seconds: float
    """Wall time when it was made, in this run or an earlier one."""


class Tools(Protocol):
    """What only the top layer can resolve: names to models, readers, judges, losses."""

    def chat(self, settings: ModelSettings) -> Remembered:
        """Open a model, the ledger in front of it."""
        ...

    def base(self, settings: StudentSettings) -> ModelFolder:
        """Find the base student: a folder and its fingerprint."""
        ...

    def player(
        self,
        settings: StudentSettings,
        model: ModelFolder,
        server: ServerSettings | None = None,
        examples: Sequence[Message] = (),
    ) -> Player:
        """Let a student answer, in this process or behind a server of its own; after worked examples where some are given."""
        ...

    def model_of(self, trained: Artifact) -> ModelFolder:
        """Return the model folder inside a sealed training stage."""
        ...

    def judge(self, recipe: Recipe, *, on_benchmarks: bool = False) -> Judge:
        """Open the judge, in its form for practice or for benchmarks."""
        ...

    def readers(self, sources: Iterable[SourceSettings]) -> Mapping[str, Reader]:
        """Find the reader of every source named."""
        ...

    def screens(self, names: Iterable[str]) -> list[Screen]:
        """Find the screens named."""
        ...

    def agent(self, settings: AgentSettings) -> Agent[Problem, Problem]:
        """Find an agent of the user's."""
        ...

    def loss(self, name: str) -> "LossFunction":
        """Find a loss by name."""
        ...


@dataclass(frozen=True)
class Reviewers:
    """The people who read a run's lessons before anything is trained on them, and what they marked."""

    marks: Mapping[str, Mark] = field(default_factory=dict)
    """What they marked, by id."""
    done: bool = True
    """Whether a recipe that waits for them goes on."""
    goes_on: str = "orcamath run RECIPE --reviewed"
    """The command that says they are done."""
    on_stage: Callable[[str, Artifact], None] = lambda _label, _artifact: None
    """Called with every stage as soon as it is there."""


@dataclass
class Workshop:
    """Runs stages, and remembers for the report which were run, with what result, and how long they took."""

    store: Store
    folder: RunFolder | None
    """None where nothing but the result is kept, as by `orcamath evaluate`."""
    tools: Tools
    progress: Progress
    until: str | None = None
    announce: Callable[[str], None] = lambda _: None
    done: list[StageDone] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    budget: Budget | None = None
    """The run's money, out of which stages pay their calls."""
    trackers: list[Tracker] = field(default_factory=list)
    """Where a training's numbers go besides `metrics.jsonl`."""
    label: str = ""
    """The stage under way."""
    pointers: Pointers | None = None
    """Writes `stages.json` after every stage: what the run has reached."""
    reused: list[str] = field(default_factory=list)
    """Labels of stages that were there already, not told yet."""
    keeper: Keeper | None = None
    """Writes `state.json`: how the run stands."""
    reviewers: Reviewers = field(default_factory=Reviewers)

    def stage(self, stage: Stage[S, P], settings: S, *inputs: P.args, **named: P.kwargs) -> Artifact:
        """Return the sealed result of a stage, making it first where it is not there yet.

        The digest is made of the stage's name and version, the settings with the contents they point to, and every input
        that has a fingerprint. Raises UntilReached after the stage that `--until` names.
        """
        self.label = label = stage.label
        if self.keeper is not None:
            self.keeper.stage(label)

        def make(out: Output) -> Facts:
            self.tell_reused()
            return stage(out, settings, *inputs, **named)

        artifact = self.store.stage(
            stage.name,
            stage.version,
            settings,
            _named(settings, inputs, named),
            make,
            budget=self.budget,
            progress=self.progress,
            metric=self.metric,
        )
        self.done.append(StageDone(label, artifact, artifact.seconds))
        self.leave_pointers()
        how = "reused" if artifact.reused else f"{artifact.seconds:.1f} s"
        if self.folder is not None:
            self.folder.log(f"{label}: {artifact.path.name} ({how})")
        if artifact.reused:
            self.reused.append(label)
        else:
            self.announce(f"{label}: {_summary(artifact)} ({how})")
        for warning in artifact.said(Facts).warnings:
            self.announce(f"warning: {label}: {warning}")
        self.reviewers.on_stage(label, artifact)
        if self.until in {stage.name, label}:
            self.tell_reused()
            raise UntilReached(f"stopped after `{label}`, as `--until` asked; the same command without it goes on")
        return artifact

    def sealed(self, stage: Stage[S, P], settings: S, *inputs: P.args, **named: P.kwargs) -> Artifact | None:
        """Return what `stage` would find, or None where it would have to make it."""
        name = self.store.digest_of(stage.name, stage.version, settings, _named(settings, inputs, named))
        found = self.store.find(stage.name, name)
        return found if found is not None and found.changed_table() is None else None

    def tell_reused(self) -> None:
        """Say in one line which stages were there already."""
        if self.reused:
            n = len(self.reused)
            self.announce(f"{n} stage{'s' if n > 1 else ''} reused: {', '.join(self.reused)}")
            self.reused.clear()

    def leave_pointers(self, *, ended: bool = False) -> None:
        """Write where everything made so far lies, for the report, the viewer and garbage collection."""
        stages = [
            StagePointer(label=d.label, artifact=d.artifact.path.name, seconds=d.seconds, reused=d.artifact.reused)
            for d in self.done
        ]
        students = [
            StudentPointer(
                name=m.name,
                iteration=m.iteration,
                model=m.model.path.name if m.model is not None else None,
                scored=m.scored.path.name,
                trained_tokens=m.trained_tokens,
            )
            for m in self.measured
        ]
        if self.pointers is not None:
            self.pointers.leave(stages, students, ended=ended)

    def measure(self, name: str, iteration: int, trained: Artifact | None, scored: Artifact) -> None:
        """Put a student on the list of those measured."""
        before = self.measured[-1].trained_tokens if self.measured else 0
        tokens = before + (trained.said(TrainedFacts).n_tokens if trained is not None else 0)
        self.measured.append(Measured(name, iteration, trained, scored, tokens))

    def metric(self, **numbers: object) -> None:
        """Append numbers of a training step to the run's `metrics.jsonl`, and hand them to its trackers."""
        if self.folder is not None:
            self.folder.metric(stage=len(self.done), **numbers)
        step = numbers.get("step")
        told = {name: float(n) for name, n in numbers.items() if name != "step" and isinstance(n, int | float)}
        for tracker in list(self.trackers):
            try:
                tracker.add(self.label, step if isinstance(step, int) else 0, told)
            except (Exception, SystemExit) as e:  # whatever it is, a training of hours does not end by it
                self.trackers = [other for other in self.trackers if other is not tracker]
                log.warning(
                    "the tracker %s failed and gets nothing more; `metrics.jsonl` has every number", _told(tracker, e)
                )

    def close_trackers(self) -> None:
        """Let every tracker write out what it still holds."""
        for tracker in self.trackers:
            try:
                tracker.close()
            except (Exception, SystemExit) as e:  # as above: what was trained is sealed
                log.warning("the tracker %s could not be closed", _told(tracker, e))
        self.trackers.clear()


def _told(tracker: Tracker, error: BaseException) -> str:
    """Say which of several trackers it was, where in its code, and what it raised."""
    kind = type(tracker)
    (_, *theirs) = traceback.extract_tb(error.__traceback__)  # the first is the call of ours
    at = f"`{theirs[0].filename}`, line {theirs[0].lineno}: " if theirs else f"`{kind.__module__}`: "
    return f"`{kind.__qualname__}` ({at}{type(error).__name__}: {error})"


def _named(settings: Settings, inputs: Iterable[object], named: Mapping[str, object]) -> list[Identified | str]:
    """Return what the digest is made of besides name, version and fields."""
    return [*identified([*inputs, *named.values()]), *settings.contents()]


def identified(inputs: Iterable[object]) -> Iterator[Identified]:
    """Yield those of a stage's inputs, also in lists, whose content has a name."""
    for thing in inputs:
        if isinstance(thing, list | tuple) and not isinstance(thing, Identified):
            yield from identified(thing)
        elif isinstance(thing, Identified):
            yield thing


def _summary(artifact: Artifact) -> str:
    tables = [f"{n:,} {table}" for table, n in artifact.manifest["tables"].items() if table != "rejected"]
    rejected = artifact.manifest["tables"].get("rejected", 0)
    return ", ".join([*tables, *([f"{rejected:,} rejected"] if rejected else [])]) or "sealed"
