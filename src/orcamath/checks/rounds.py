"""Rounds that would find nothing to practise on, or leave out what the recipe says of them: told before anything is paid.

In: a recipe (an arm's too). Out: troubles by place.
"""

from orcamath.checks.trouble import Notes
from orcamath.recipe_settings import Recipe

__all__ = ["check_rounds"]


def check_rounds(recipe: Recipe, notes: Notes) -> None:
    """Check every round of practice, and a start from verdicts, which is one round of learning from preferences."""
    if recipe.start_from is not None and recipe.start_from.stage == "verdicts":
        _learnt_from_verdicts(recipe, notes)
        return
    for i, step in enumerate(recipe.iterations):
        practice = step.practice
        if step.more_sft is not None or practice.problems != "fresh":
            continue
        if practice.label == "teacher":
            what = "problems that were not taught have no teacher's answer, so none would be left; say `known_answer`"
            notes.trouble(f"iterations.{i}.practice.label", f"{what}, or `problems: lessons`")
        elif not practice.unconfirmed and recipe.confirm is None and recipe.start_from is None:
            what = "nothing confirms the known answers of problems that were not taught, so none would be left; set"
            more = "`confirm: {solutions: 2}`, or name what you trust: `unconfirmed: [gold]`"
            notes.trouble(f"iterations.{i}.practice.unconfirmed", f"{what} {more}")


def _learnt_from_verdicts(recipe: Recipe, notes: Notes) -> None:
    if len(recipe.iterations) > 1:
        what = f"`start_from: verdicts` is one round, and the recipe has {len(recipe.iterations)}: the next would need judged"
        notes.trouble("iterations", f"{what} answers of the new student; leave one")
    for i, step in enumerate(recipe.iterations[:1]):
        for way in ("more_sft", "online", "grow"):
            if getattr(step, way) is not None:
                what = "`start_from: verdicts` learns from preferences only, and would leave it out; take it away"
                notes.trouble(f"iterations.{i}.{way}", what)
