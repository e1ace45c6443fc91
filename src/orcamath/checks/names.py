"""Names in a recipe: families, stages, arms. In: a recipe (an arm's too). Out: troubles with the nearest name that exists."""

import math
from collections.abc import Mapping

from orcamath.checks.trouble import Notes
from orcamath.errors import nearest
from orcamath.families import find
from orcamath.outline import outline
from orcamath.recipe_settings import Recipe
from orcamath.store.stage import StageLabel

__all__ = ["check_arms", "check_names", "check_stage", "made_until", "trains"]

PAID_STAGES = ("ask", "edit", "agent", "teach", "confirm", "judge", "reask", "online", "evaluate")
"""Stages that ask a model which may cost money, by the name under which they are booked: own agents are all `agent`, and a
judge's model is asked by `judge`, `online` and `evaluate`."""


def trains(recipe: Recipe, until: str | None) -> bool:
    """Tell whether a run up to `until` (None: all of it) has anything to do with the student."""
    return bool(made_until(recipe, until) & {"imitate", "learn", "practice", "online", "evaluate"})


def made_until(recipe: Recipe, until: str | None) -> set[str]:
    """Return the stages that a run up to `until` (None: all of it) makes, each by its label and by its name without the round."""
    labels = outline(recipe)
    last = next((i for i, label in enumerate(labels) if until in _called(label)), len(labels) - 1)
    return {name for label in labels[: last + 1] for name in _called(label)}


def _called(label: str) -> tuple[str, str]:
    """Return the two ways of naming a stage: with its round, and without."""
    return label, StageLabel.read(label).name


def check_names(recipe: Recipe, notes: Notes, *, student: bool = True) -> None:
    """Look up every member of a family that the recipe names, and every stage that has a cap; losses only with a `student`."""
    for i, step in enumerate(recipe.iterations):
        if student and step.online is not None:
            _loss(notes, f"iterations.{i}.online.loss", step.online.loss, online=True)
        elif student and step.more_sft is None:
            _loss(notes, f"iterations.{i}.learn.loss", step.learn.loss, online=False)
    _member(notes, "judge.name", "judge", recipe.judge.name)
    for key, model in recipe.models().items():
        _member(notes, f"{key}.backend", "backend", model.backend)
    for key in ("seeds", "as_they_are", "benchmarks"):
        for i, source in enumerate(reading.sources if (reading := getattr(recipe, key)) is not None else ()):
            _member(notes, f"{key}.sources.{i}.name", "source", source.name)
    for i, agent in enumerate(recipe.agents):
        _member(notes, f"agents.{i}.name", "agent", agent.name)
    for i, screen in enumerate(recipe.screens):
        _member(notes, f"screens.{i}", "screen", screen)
    for i, tracker in enumerate(recipe.trackers):
        _member(notes, f"trackers.{i}", "tracker", tracker)
    for stage, usd in recipe.budget.stages_usd.items():
        if stage not in PAID_STAGES:
            notes.trouble(
                f"budget.stages_usd.{stage}", f"no stage of that name costs money; {nearest(stage, PAID_STAGES)}"
            )
        if not math.isfinite(usd) or usd < 0:
            notes.trouble(f"budget.stages_usd.{stage}", f"{usd} is no amount of dollars")


def check_arms(recipe: Recipe, own: Mapping[str, Recipe], notes: Notes) -> None:
    """Check that the arms and students that a report is to compare are trained. `own`: the arms by name."""
    if recipe.unspoilt is not None and recipe.unspoilt not in own:
        notes.trouble("unspoilt", f"there is no arm `{recipe.unspoilt}`; {nearest(recipe.unspoilt, own)}")
    trained = {f"{arm}/M{n}" for arm, r in own.items() for n in range(1, len(r.iterations) + 2)}
    trained |= {f"M{n}" for n in range(1, len(recipe.iterations) + 2)}
    for i, hypothesis in enumerate(recipe.hypotheses.test):
        for key, student in (("student", hypothesis.student), ("against", hypothesis.against)):
            if student not in trained:
                notes.trouble(
                    f"hypotheses.test.{i}.{key}", f"no student `{student}` is trained; {nearest(student, trained)}"
                )


def _loss(notes: Notes, where: str, name: str, *, online: bool) -> None:
    """Look up a loss, and whether it reads what its stage has: samples of a round, or preferences."""
    with notes.at(where):
        found = find("loss", name).loss
        from orcamath.student.losses import needs_of  # losses have brought torch along by now

        if ("samples" in needs_of(found)) is not online:
            has, other = (
                ("samples", "`learn.loss`") if online else ("no samples of online rounds", "`online: {loss: …}`")
            )
            notes.trouble(where, f"`{name}` is no loss for a stage that has {has}; say it as {other}")


def _member(notes: Notes, where: str, family: str, name: str) -> None:
    with notes.at(where):
        find(family, name)


def check_stage(until: str, recipe: Recipe, notes: Notes) -> None:
    """Check that the stage named by `--until` is one that the recipe makes."""
    known = {name for label in outline(recipe) for name in _called(label)}
    if until not in known:
        notes.trouble("--until", f"`{recipe.name}` makes no stage `{until}`; {nearest(until, known)}")
