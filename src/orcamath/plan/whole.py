"""The plan of a recipe and its arms: the calls of each stage, then what training them takes."""

from collections.abc import Callable, Mapping
from heapq import nlargest
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from orcamath.errors import DataError
from orcamath.experiment import TO_LESSONS
from orcamath.plan.calls import (
    ANSWER_TOKENS,
    ASKING,
    BYTES_A_TOKEN,
    StagePlan,
    follow_ups,
    growth_of,
    longest_of_asking,
    put_together,
)
from orcamath.plan.expected import counted_with, seen_of
from orcamath.plan.growth import grown_later
from orcamath.plan.ladder import climbed, dear_alone
from orcamath.plan.ranges import Range
from orcamath.plan.rehearsal import CallTally, StageForecast, rehearsal
from orcamath.plan.sizes import ModelSize
from orcamath.plan.training import Lengths, TrainingPlan, exercises, measuring, served_hours, training_plans
from orcamath.ports import Progress
from orcamath.recipe_file import arms
from orcamath.recipe_settings import WORKERS, Iteration, Recipe, look_wanted
from orcamath.records import digest
from orcamath.settings import StudentSettings
from orcamath.sources.hub_rows import is_remote
from orcamath.stages.evaluate import EvaluateSettings
from orcamath.store.artifacts import Store
from orcamath.store.stage import StageLabel
from orcamath.workshop import Tools

__all__ = ["Plan", "plan"]

TEMPLATE_TOKENS = 16
NOT_DUPLICATES = Range(0.8, 1.0)
UNDECIDED = 0.05  # at most this share of answers is left over by a cascade's rules; measured: 0.25 % (docs/log.md)
DOUBTFUL = 0.1  # at most this share of exercises is asked again
ON_DATA = (*TO_LESSONS, "expected")
"""What decides on the calls up to the lessons: arms that share all of it share the calls."""


class Plan(NamedTuple):
    """All stages of a recipe and its arms."""

    stages: tuple[StagePlan, ...]
    training: tuple[TrainingPlan, ...]
    alone: tuple[StagePlan, ...] = ()
    """Where a ladder of teachers solves: what `teach` would cost with the dearest alone, for each arm. Not among the stages."""
    tflops: float = 312.0
    """The GPU's peak in 16 bits."""
    at_once: int = 1
    """How many arms are trained at the same time."""
    artifacts: Mapping[str, str] = MappingProxyType({})
    """Label → what the base's stages up to the lessons make, those that could be gone through here."""

    def only(self, wanted: Callable[[str, str], bool]) -> "Plan":
        """Return the plan of those stages that are `wanted`, by arm and stage."""
        stages = tuple(s for s in self.stages if wanted(s.arm, s.stage))
        return self._replace(stages=stages, training=tuple(t for t in self.training if wanted(t.arm, t.stage)))

    @property
    def usd(self) -> Range:
        """Dollars still to pay, of all stages."""
        return Range(sum(s.usd.low for s in self.stages), sum(s.usd.high for s in self.stages))

    @property
    def disk_mb(self) -> Range:
        """Megabytes that calls, samples and students will take, and the checkpoints of those trained at the same time."""
        parts = [*(s.disk_mb for s in self.stages), *(t.disk_mb for t in self.training if t.disk_mb is not None)]
        most: dict[str, float] = {}
        for t in self.training:
            most[t.arm] = max(most.get(t.arm, 0.0), t.checkpoints_mb)
        stays = sum(p.high for p in parts) - sum(t.checkpoints_mb for t in self.training)
        return Range(sum(p.low for p in parts), stays + sum(nlargest(self.at_once, most.values())))

    @property
    def served_gpu_hours(self) -> Range:
        """GPU hours of the calls to models on servers of one's own whose size is known."""
        known = [
            served_hours(s.prompt_tokens.plus(s.completion_tokens), s.own, self.tflops) for s in self.stages if s.own
        ]
        return Range(sum(h.low for h in known), sum(h.high for h in known))

    @property
    def gpu_hours(self) -> Range:
        """GPU hours of all training, practice and calls to one's own servers, where the model's size is known."""
        known = [t.gpu_hours for t in self.training if t.gpu_hours is not None] + [self.served_gpu_hours]
        return Range(sum(h.low for h in known), sum(h.high for h in known))

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        stages, training = [s._asdict() for s in self.stages], [t._asdict() for t in self.training]
        alone = {"dearest_teacher_alone": [s._asdict() for s in self.alone]} if self.alone else {}
        hours = {"gpu_hours": self.gpu_hours, "served_gpu_hours": self.served_gpu_hours}
        return {"stages": stages, "usd": self.usd, "training": training, **hours, **alone}


def plan(
    recipe: Recipe,
    store: Store,
    tools: Tools,
    size_of: Callable[[StudentSettings], ModelSize | None],
    progress: Progress,
    *,
    tflops: float = 312.0,
    fetches: bool = False,
) -> Plan:
    """Return what every stage of a recipe and of its arms will still take; nothing is sent.

    `tflops`: the GPU's peak in 16 bits. `fetches`: read sources from a hub too, as a run is about to; else `expected` stands in
    for them. Raises RecipeError where a price is not known or the recipe's files make no sense.
    """
    variants = arms(recipe)
    stages: list[StagePlan] = []
    training: list[TrainingPlan] = []
    alone: list[StagePlan] = []
    rehearsed: dict[str, dict[str, StageForecast]] = {}
    trained: set[str] = set()
    with rehearsal(store, tools, progress) as rehearse:
        for arm, told_of in {"": recipe, **variants}.items():
            here = fetches or _is_here(told_of)
            own = told_of.model_copy(update={"expected": None if here else counted_with(told_of)})
            key = digest({name: own.model_dump(mode="json")[name] for name in ON_DATA})
            new = key not in rehearsed
            if new:
                told = own.expected
                rehearsed[key] = seen_of(own, told, tools.agent) if told is not None else _rehearsed(own, rehearse)
            found = _Found(own, rehearsed[key])
            alone += dear_alone(arm, own, found.seen.get("teach"), found.taught) if new else []
            stages += [s for s in _stages(arm, found) if new or not s.rehearsed]
            size = size_of(own.student)
            training += training_plans(arm, own, found.lengths, size, tflops, trained, key)
            if answers := _measured(own, found.benchmarks, first=not arm):
                training.append(measuring(arm, own, answers, found.lengths, size, tflops))
    at_once = (recipe.workers or WORKERS) if variants else 1
    made = {label: seen.artifact for label, seen in next(iter(rehearsed.values())).items() if seen.artifact}
    return Plan(tuple(stages), tuple(training), tuple(alone), tflops, at_once, made)


def _rehearsed(recipe: Recipe, rehearse: Callable[[Recipe], dict[str, StageForecast]]) -> dict[str, StageForecast]:
    try:
        return rehearse(recipe)
    except DataError as e:
        if _is_here(recipe):
            raise
        fix = (
            "or say what to count with, such as `expected: {seeds: 7473, ask: 14946, edit: 7473, question_chars: 235}`"
        )
        raise DataError(f"{e}; {fix}") from e


def _is_here(recipe: Recipe) -> bool:
    """Tell whether sources and local models lie on this machine, so that a plan can read them instead of guessing."""
    read = (recipe.seeds, recipe.benchmarks, *((recipe.as_they_are,) if recipe.as_they_are is not None else ()))
    local = (model.model for model in recipe.models().values() if model.backend == "transformers_local")
    return not any(is_remote(s) for r in read for s in r.sources) and all(Path(m).expanduser().exists() for m in local)


class _Found:
    """What a rehearsal tells of the problems to come."""

    def __init__(self, recipe: Recipe, seen: dict[str, StageForecast]) -> None:
        self.recipe, self.seen = recipe, seen
        self.missing = Range(0, 0)
        told = recipe.expected
        for label in seen:
            name = StageLabel.read(label).name
            if name in ("ask", "edit") and told is not None:
                n = told.ask if name == "ask" else told.edit
                self.missing = self.missing.plus(Range(n, n))
            elif name in ("ask", "edit", "agent"):
                self.missing = self.missing.plus(growth_of(seen[label], recipe).plus(-seen[label].n_out))
        entry = next((seen[n] for n in ("collect", "problems", "lessons", "verdicts") if n in seen), None)
        self.here = entry.n_out if entry is not None else 0
        self.problems = self.missing.times(NOT_DUPLICATES if told is None else Range(1, 1)).plus(self.here)
        self.taught = self.problems.at_most(recipe.teach.max_problems) if "teach" in seen else self.problems
        read = seen.get("teach") or entry
        question = _tokens(read.question_bytes if read is not None else 0.0).plus(TEMPLATE_TOKENS)
        measured = read.answer_bytes if read is not None else 0.0
        answer = _tokens(measured) if measured else ANSWER_TOKENS["teach"]
        each_problem = recipe.teach.solutions if recipe.teach.keep == "all" and "teach" in seen else 1
        left = Range(*(max(p - t, 0) for p, t in zip(self.problems, self.taught, strict=True)))
        self.lengths = Lengths(self.taught.times(each_problem), left, question, answer, each_problem)
        self.benchmarks = (
            told.benchmarks if told is not None else seen["benchmarks"].n_out if "benchmarks" in seen else 0
        )


def _tokens(n_bytes: float) -> Range:
    return Range(n_bytes / BYTES_A_TOKEN.high, n_bytes / BYTES_A_TOKEN.low)


def _stages(arm: str, found: _Found) -> list[StagePlan]:
    recipe, seen, rows = found.recipe, found.seen, list[StagePlan]()
    writer = recipe.writer or recipe.teacher
    asking, editing = recipe.ask_me_anything, recipe.suggester_editor
    longest = {
        "ask": longest_of_asking(asking) if asking is not None else 0,
        "edit": editing.editor.max_new_tokens if editing is not None else 0,
        "teach": recipe.teach.max_new_tokens,
        "confirm": recipe.confirm.max_new_tokens if recipe.confirm is not None else 0,
    }
    own = [label for label in seen if StageLabel.read(label).name == "agent"]
    longest |= {label: seen[label].calls.longest for label in own}
    solver = recipe.solver or recipe.teacher
    models = {"ask": writer, "edit": writer, **dict.fromkeys(own, writer), "teach": recipe.teacher, "confirm": solver}
    for name, model in models.items():
        if name not in seen or (name == "teach" and recipe.teach.by == "seeds"):
            continue
        more = follow_ups(seen[name], recipe)
        if name == "teach" and not seen[name].sealed:
            begun = min(found.here, found.taught.high)
            more = Range(*(max(t - begun, 0) * recipe.teach.solutions for t in found.taught))
        if name == "teach" and recipe.ladder:
            rows += climbed(arm, recipe, seen[name], more)
            continue
        if name == "confirm" and recipe.confirm is not None and not seen[name].sealed:
            begun = seen[name].calls.known + seen[name].calls.unknown
            more = Range(*(max(n * recipe.confirm.solutions - begun, 0) for n in found.lengths.unlearned))
        kind = ASKING[asking.calls] if name == "ask" and asking is not None else StageLabel.read(name).name
        row = put_together(arm, name, seen[name].calls, more, model, longest=longest[name], rehearsed=True, kind=kind)
        rows.append(row)
    return rows + _later(arm, found)


def _practises(step: Iteration) -> bool:
    """Tell whether an iteration samples answers first, and then learns from them."""
    return step.more_sft is None and step.online is None


def _measured(recipe: Recipe, n: int, *, first: bool) -> int:
    """Return how many answers to so many benchmark problems are asked for at most; of the base only in the `first` arm."""
    sources = max(1, len(recipe.benchmarks.sources))

    def answers(how: EvaluateSettings) -> int:
        limits = [limit * sources for limit in (how.limit, how.sample_limit) if limit is not None]
        asked = n if how.limit is None else min(n, how.limit * sources)
        return asked + (how.samples * min([asked, *limits]) if how.samples > 1 else 0)

    bases = len(recipe.base_shown) * answers(recipe.evaluate.model_copy(update={"samples": 1})) if first else 0
    look = look_wanted(recipe) if first else None
    looks = 0 if look is None else answers(look.evaluate) * (1 if look.more_sft is None else 2)
    return bases + looks + answers(recipe.evaluate) * (len(recipe.iterations) + 1)  # at most: arms may share an M1


def _later(arm: str, found: _Found) -> list[StagePlan]:
    """Calls about students' answers: few where rules decide first, at most one an answer where they do not."""
    recipe, rows = found.recipe, list[StagePlan]()
    if growths := [step.grow for step in recipe.iterations if step.grow is not None]:
        rows += grown_later(arm, recipe, growths, found.lengths)
    practised = [(i.practice, exercises(i, found.lengths).high) for i in recipe.iterations if _practises(i)]
    attempts = sum(n * (p.samples if p.until is None else p.until.alike) for p, n in practised)
    attempts += sum(o.rounds * o.problems * o.samples for i in recipe.iterations if (o := i.online) is not None)
    if recipe.judge_model is not None and (answers := attempts + _measured(recipe, found.benchmarks, first=not arm)):
        judge = recipe.judge_model
        calls = Range(0, answers * (UNDECIDED if recipe.judge.name == "cascade" else 1.0))
        rows.append(
            put_together(arm, "judge", CallTally(), calls, judge, longest=recipe.judge.max_tokens, rehearsed=False)
        )
    if recipe.reask is not None and attempts:
        calls = Range(0, sum(n for _, n in practised) * DOUBTFUL * recipe.reask.solutions)
        longest = recipe.reask.max_new_tokens
        rows.append(put_together(arm, "reask", CallTally(), calls, recipe.teacher, longest=longest, rehearsed=False))
    return rows
