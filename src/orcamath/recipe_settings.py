"""The recipe as one typed value: every stage's own settings, gathered. Reading it from a file is `recipe_file`.

A stage's settings and their defaults live beside the stage; here is only what belongs to the run as a whole.
"""

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, ValidationInfo, field_validator, model_validator

from orcamath.agents.ask_me_anything import AskSettings
from orcamath.agents.settings import AgentSettings
from orcamath.agents.writer_size import WriterSize, sized
from orcamath.judges.settings import JudgeSettings
from orcamath.records import Settings, later, outside_digest
from orcamath.settings import ModelSettings, StudentSettings
from orcamath.sources.choosing import BenchmarksSettings, SeedsSettings
from orcamath.stages.collect import CollectSettings
from orcamath.stages.confirm import ConfirmSettings
from orcamath.stages.edit import EditSettings
from orcamath.stages.evaluate import EvaluateSettings
from orcamath.stages.gate import GateSettings
from orcamath.stages.grow import GrowSettings
from orcamath.stages.imitate import SftSettings
from orcamath.stages.learn import LearnSettings
from orcamath.stages.online import OnlineSettings
from orcamath.stages.practice import PracticeSettings
from orcamath.stages.preferences import PreferSettings
from orcamath.stages.readiness import ReadinessSettings
from orcamath.stages.reask import ReaskSettings
from orcamath.stages.start_from import StartSettings
from orcamath.stages.teach import TeachSettings
from orcamath.stages.unseen import UnseenSettings

__all__ = [
    "RECIPE_VERSION",
    "WORKERS",
    "BudgetSettings",
    "ExpectedSettings",
    "HypothesesSettings",
    "Hypothesis",
    "Iteration",
    "Recipe",
    "look_wanted",
]

WORKERS = 2
"""Arms that run side by side where nobody says how many."""
RECIPE_VERSION = 1
"""Of a recipe's form: raised when a key is renamed or means something else (see `recipe_versions`)."""


class Iteration(Settings):
    """One round after M1: practise, be judged, learn. Or, as a control, more of the first lesson."""

    practice: PracticeSettings = PracticeSettings()
    preferences: PreferSettings = PreferSettings()
    learn: LearnSettings = LearnSettings()
    grow: GrowSettings | None = None
    """Before practising: grow again, out of problems that earlier rounds showed to be too easy (hardened) or too hard (asked
    about). The new ones are taught, and practised on from here on."""
    online: OnlineSettings | None = None
    """Instead of practising and learning in turn: rounds of sampling, judging and a few steps, the weights in memory."""
    more_sft: SftSettings | None = None
    """Instead of practising: go on imitating the same lessons. The control for the compute that practice takes."""

    @model_validator(mode="after")
    def _one_way_of_learning(self) -> "Iteration":
        if self.online is not None and self.more_sft is not None:
            raise ValueError(
                "`online` and `more_sft` are two ways to learn: an iteration has one; make it two iterations"
            )
        ignored = [name for name in ("aim", "until") if getattr(self.practice, name) is not None]
        if self.online is not None and ignored:
            raise ValueError(
                f"`practice.{ignored[0]}` is not read by `online`, which draws its problems anew each round: set it to null here"
            )
        return self


class BudgetSettings(Settings):
    """What a run may spend on models that cost money. Local models and servers of your own cost nothing."""

    cap_usd: float | None = outside_digest(None, ge=0, allow_inf_nan=False)
    """Hard cap of the whole run in US dollars; None: no limit, spending is booked all the same."""
    stages_usd: dict[str, float] = outside_digest({})
    """Caps of single stages: `ask`, `edit`, `agent`, `teach`, `confirm`, `judge`, `reask`, `online`, `evaluate`."""


class Hypothesis(Settings):
    """A statement about two students of a run, written down before they are measured."""

    id: str
    statement: str
    student: str
    """`ARM/M2`, or `M1` for the base recipe's own."""
    against: str
    """Another one, named likewise; seeds are compared one by one."""
    kind: Literal["superior", "not_worse", "inside"] = "superior"
    """What is claimed of student − against: above 0, above −margin, or between −margin and margin."""
    margin: float = Field(default=0.0, ge=0)
    """In points."""
    measure: Literal["greedy", "sampled"] = "greedy"
    min_seeds: int = Field(default=1, ge=1)
    """With fewer seeds it stays undecided."""
    mechanism: str = ""
    """The cause; hypotheses that share one are one finding, however many they are."""


class HypothesesSettings(Settings):
    """The rule by which a report decides the recipe's hypotheses (see `report.hypotheses`)."""

    test: tuple[Hypothesis, ...] = ()
    max_of_a_family: int = Field(default=10, ge=1)
    """Problems of one family that count, in the benchmark's order."""
    min_families: dict[str, int] = Field(default_factory=dict)
    """Level → families it must have among these problems; else everything stays undecided."""
    confidence: float = Field(default=0.95, gt=0, lt=1)


class ExpectedSettings(Settings):
    """What the plan takes for sources that are not here to be read: how many problems, and how long they are."""

    seeds: int = Field(ge=1)
    as_they_are: int = Field(default=0, ge=0)
    """Problems that are taught and not grown from."""
    ask: int = Field(default=0, ge=0)
    """Problems that Ask-Me-Anything will add."""
    edit: int = Field(default=0, ge=0)
    """Problems that Suggester & Editor will add."""
    question_chars: int = Field(ge=1)
    benchmarks: int = Field(default=0, ge=0)
    """Problems to measure on: what a paid judge is asked about."""


class Recipe(Settings):
    """From seeds to report. What is here is the whole program's input (with the files and models it names)."""

    name: str
    version: int = outside_digest(RECIPE_VERSION, ge=RECIPE_VERSION, le=RECIPE_VERSION)
    """Of the recipe's form. Older ones are read, newer ones refused."""
    about: str = outside_digest("")
    """What the report says at its top."""
    start_from: StartSettings | None = None
    """Begin at a later stage, from the user's own file."""
    seeds: SeedsSettings = SeedsSettings()
    as_they_are: SeedsSettings | None = None
    """Problems that are taught too, and that no agent grows from (paper: DMath's)."""
    expected: ExpectedSettings | None = outside_digest(None)
    """What `orcamath plan` counts with where a source or a local teacher is not on this machine, instead of fetching it.
    `--set expected=null` fetches."""
    benchmarks: BenchmarksSettings = BenchmarksSettings()
    budget: BudgetSettings = BudgetSettings()
    writer: ModelSettings | None = None
    """The model that plays the agents; the teacher where left out."""
    writer_size: WriterSize = outside_digest("large")
    """How much the writer can do in one call: sets what the two sections below leave out (`agents.writer_size`). `orcamath
    doctor RECIPE --writer` finds it. `large` is the paper's way."""
    teacher: ModelSettings = ModelSettings()
    ladder: tuple[ModelSettings, ...] = ()
    """Cheaper teachers, asked before `teacher`, the cheapest first: only what verification does not accept goes up."""
    ask_me_anything: AskSettings | None = AskSettings()
    suggester_editor: EditSettings | None = EditSettings()
    agents: tuple[AgentSettings, ...] = ()
    """Agents of your own beside the two; `ask_me_anything: null` and `suggester_editor: null` leave only these."""
    collect: CollectSettings = CollectSettings()
    teach: TeachSettings = TeachSettings()
    review: Literal["pause"] | None = outside_digest(None)
    """`pause`: stop after teaching (exit code 4) for a person to read the lessons; `orcamath run … --reviewed` goes on. What was
    marked bad is not trained on, with or without it."""
    solver: ModelSettings | None = None
    """The model that confirms labels; the teacher where left out."""
    confirm: ConfirmSettings | None = None
    """Have problems that were not taught solved too, so that their known answers may label practice."""
    gate: GateSettings = GateSettings()
    unseen: UnseenSettings = UnseenSettings()
    """Benchmark problems of near-duplicate clusters that were trained on are left out, or kept."""
    screens: tuple[str, ...] = Field((), json_schema_extra={"family": "screen"})
    """Further rules a question must pass to be trained on; members of the family `screen`."""
    student: StudentSettings = StudentSettings()
    base_shown: tuple[NonNegativeInt, ...] = ()
    """Measure the untrained base too, once for each number of lessons shown before the question: `[0, 4]`. Greedily only:
    a base that was not told how to end runs into the token limit, and samples of that cost more than all the rest."""
    imitate: SftSettings = SftSettings()
    """Iteration 1: supervised fine-tuning on the lessons."""
    readiness: ReadinessSettings | None = later(None)
    """Before any practice, look on problems held apart whether it has something to find."""
    practice: PracticeSettings = PracticeSettings()
    judge: JudgeSettings = JudgeSettings()
    judge_model: ModelSettings | None = None
    reask: ReaskSettings | None = None
    """Ask the teacher again where all of a problem's samples agree with each other and not with it."""
    preferences: PreferSettings = PreferSettings()
    learn: LearnSettings = LearnSettings()
    iterations: tuple[Iteration, ...] = ()
    """Iterations 2, 3, …; each starts from the sections above and overrides what it names."""
    reference: Literal["previous", "first"] = "previous"
    """The reference model of iteration 3 and later; the paper does not say which it used."""
    evaluate: EvaluateSettings = EvaluateSettings()
    unspoilt: str | None = outside_digest(None)
    """The arm whose M1 had lessons that nothing was wrong with: practice is shown as the share of the way there from M1, too."""
    variants: dict[str, dict[str, Any]] = outside_digest({})
    """Arms that share stages with each other: name → what it overrides."""
    match_tokens_of: str | None = None
    """For a control arm: train on as many counted tokens, iteration by iteration, as that arm did."""
    repeat: tuple[int, ...] = outside_digest(())
    """Seeds of training, such as [0, 1, 2]: M1 and every arm are trained once with each, and the report averages over them
    problem by problem. Empty: once, with the seeds that the sections name."""
    repeat_bases: dict[int, str] = outside_digest({})
    """Another base for some of the seeds, such as {4: bases/1, 5: bases/2}, so that what shows does not hang on one base. The
    first seed has `student.base`; an arm that names a base of its own keeps it."""
    repeat_lessons: bool = outside_digest(False)
    """With another seed choose other lessons and other problems to practise on too, not only another order of training."""
    hypotheses: HypothesesSettings = outside_digest(HypothesesSettings())
    """What the run is to decide, and by which rule."""
    threads: int | None = outside_digest(None, ge=1)
    """CPU threads a process; None leaves it to torch. A small model is fastest on one, and arms share the cores."""
    trackers: tuple[str, ...] = Field((), json_schema_extra={"family": "tracker", "outside_digest": True})
    """Where the training's numbers go besides `metrics.jsonl`: `tensorboard`, `trackio`, `wandb`, or a file of your own."""
    workers: int | None = outside_digest(None, ge=1)
    """Arms that run side by side, one process each. Left out it is two, on a machine with GPUs one, since each arm uses them."""

    @model_validator(mode="before")
    @classmethod
    def _by_writer_size(cls, raw: object) -> object:
        return sized(raw) if isinstance(raw, dict) else raw

    @field_validator("agents")
    @classmethod
    def _each_name_once(cls, agents: tuple[AgentSettings, ...]) -> tuple[AgentSettings, ...]:
        names = [agent.title for agent in agents]
        if twice := {n for n in names if names.count(n) > 1 or n in ("seed", "ask_me_anything", "suggester_editor")}:
            raise ValueError(f"`{min(twice)}` is the name of another origin; give it a name of its own with `called`")
        return agents

    @field_validator("iterations")
    @classmethod
    def _grown_from_something(cls, iterations: tuple[Iteration, ...]) -> tuple[Iteration, ...]:
        practised = [step.more_sft is None and step.online is None for step in iterations]
        if any(step.grow is not None and not any(practised[:i]) for i, step in enumerate(iterations)):
            raise ValueError("`grow` chooses by earlier rounds of practice, and there is none before; say it later")
        return iterations

    @field_validator("repeat")
    @classmethod
    def _each_seed_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("names a seed twice; the same seed trains the same student")
        return seeds

    @field_validator("repeat_bases")
    @classmethod
    def _of_later_seeds(cls, bases: dict[int, str], info: ValidationInfo) -> dict[int, str]:
        if "repeat" not in info.data:  # it was refused itself
            return bases
        later = info.data["repeat"][1:]
        if astray := set(bases) - set(later):
            raise ValueError(f"seed {min(astray)} is none of {list(later)}, the seeds of `repeat` after its first")
        return bases

    def models(self) -> dict[str, ModelSettings]:
        """Return the models that are asked, by role."""
        roles = {"writer": self.writer, "teacher": self.teacher, "solver": self.solver, "judge_model": self.judge_model}
        roles |= {f"ladder.{i}": rung for i, rung in enumerate(self.ladder)}
        return {role: model for role, model in roles.items() if model is not None}


def look_wanted(recipe: Recipe) -> ReadinessSettings | None:
    """Return how readiness is looked for; None where the recipe does not say, or no student of it practises."""
    return recipe.readiness if any(step.more_sft is None for step in recipe.iterations) else None
