"""Names in a recipe: families, stages, arms. In: a recipe (an arm's too). Out: troubles with the nearest name that exists."""

import math

from orcamath.checks.trouble import Notes
from orcamath.errors import nearest
from orcamath.families import find
from orcamath.recipe_settings import Recipe

__all__ = ["check_names", "check_stage", "labels_of"]

PAID_STAGES = ("ask", "edit", "teach", "judge", "reask", "evaluate")


def labels_of(recipe: Recipe) -> list[str]:
    """Return the labels of the stages that a recipe (without its arms) makes, in their order: the story, told by names."""
    start = recipe.start_from.stage if recipe.start_from is not None else None
    labels = ["benchmarks"]
    if start == "verdicts":
        return [*labels, "verdicts", "preferences 2", "learn 2", "evaluate M2"]
    if start is not None:
        labels.append(start)
    else:
        asking = ["ask"] if recipe.ask_me_anything is not None else []
        editing = ["edit"] if recipe.suggester_editor is not None else []
        labels += ["seeds", *asking, *editing, "collect"]
    if start != "lessons":
        labels.append("teach")
    labels += ["gate", "unseen", "imitate", "evaluate M1"]
    for number, step in enumerate(recipe.iterations, start=2):
        if step.more_sft is not None:
            labels.append(f"imitate {number}")
        else:
            again = [f"reask {number}"] if recipe.reask is not None else []
            labels += [f"practice {number}", f"judge {number}", *again, f"preferences {number}", f"learn {number}"]
        labels.append(f"evaluate M{number}")
    return labels


def check_names(recipe: Recipe, notes: Notes) -> None:
    """Look up every member of a family that the recipe names, and every stage that has a cap."""
    for i, step in enumerate(recipe.iterations):
        if step.more_sft is None:
            _member(notes, f"iterations.{i}.learn.loss", "loss", step.learn.loss)
    _member(notes, "judge.name", "judge", recipe.judge.name)
    for key in ("teacher", "writer", "judge_model"):
        if (model := getattr(recipe, key)) is not None:
            _member(notes, f"{key}.backend", "backend", model.backend)
    for key in ("seeds", "benchmarks"):
        for i, source in enumerate(getattr(recipe, key).sources):
            _member(notes, f"{key}.sources.{i}.name", "source", source.name)
    for stage, usd in recipe.budget.stages_usd.items():
        if stage not in PAID_STAGES:
            notes.trouble(
                f"budget.stages_usd.{stage}", f"no stage of that name costs money; {nearest(stage, PAID_STAGES)}"
            )
        if not math.isfinite(usd) or usd < 0:
            notes.trouble(f"budget.stages_usd.{stage}", f"{usd} is no amount of dollars")


def _member(notes: Notes, where: str, family: str, name: str) -> None:
    with notes.at(where):
        find(family, name)


def check_stage(until: str, recipe: Recipe, notes: Notes) -> None:
    """Check that the stage named by `--until` is one that the recipe makes."""
    labels = labels_of(recipe)
    known = dict.fromkeys([*labels, *(label.split(" ")[0] for label in labels)])
    if until not in known:
        notes.trouble("--until", f"`{recipe.name}` makes no stage `{until}`; {nearest(until, known)}")
