"""A chapter of the recipe: students are measured, and before practice is paid for it is seen whether it has something to find.

In: a student, benchmarks. Out: what it scored, on the workshop's list where a table is to show it.
"""

from orcamath.errors import NotReady
from orcamath.recipe_settings import Recipe, look_wanted
from orcamath.stages.evaluate import EvaluateSettings, evaluate, turns_shown
from orcamath.stages.imitate import imitate
from orcamath.stages.readiness import ReadinessFacts, readiness
from orcamath.store.artifacts import Artifact
from orcamath.workshop import Workshop

__all__ = ["look_before_practice", "measure_base", "measure_student"]


def measure_base(n_shown: int, recipe: Recipe, shop: Workshop, lessons: Artifact, tests: Artifact) -> None:
    """Greedy answers of the untrained base, after so many worked lessons."""
    base = shop.tools.base(recipe.student)
    chat, pose = shop.tools.player(recipe.student, base, examples=turns_shown(lessons, n_shown))
    judged_by = shop.tools.judge(recipe, on_benchmarks=True)
    settings = recipe.evaluate.model_copy(update={"samples": 1, "sample_limit": None})
    scored = shop.stage(evaluate.of(f"base {n_shown}"), settings, tests, chat, pose, judged_by)
    shop.measure(f"M0, {n_shown} shown" if n_shown else "M0", 0, None, scored)


def measure_student(
    name: str, iteration: int, recipe: Recipe, shop: Workshop, trained: Artifact, tests: Artifact
) -> None:
    """Greedy answers on the held-out benchmarks, judged against gold (one model call an answer)."""
    shop.measure(name, iteration, trained, _scored(name, recipe.evaluate, recipe, shop, trained, tests))


def look_before_practice(recipe: Recipe, shop: Workshop, lessons: Artifact, trained: Artifact, tests: Artifact) -> None:
    """See on problems held apart whether practice has something to find, and stop where it has not and the recipe says so."""
    settings = look_wanted(recipe)
    if settings is None:
        return
    measured = [_scored("M1 apart", settings.evaluate, recipe, shop, trained, tests)]
    if settings.more_sft is not None:
        more = shop.stage(imitate.of("once more"), settings.more_sft, lessons, shop.tools.model_of(trained))
        measured.append(_scored("M1 once more", settings.evaluate, recipe, shop, more, tests))
    found = shop.stage(readiness, settings, measured).said(ReadinessFacts)
    if settings.policy == "stop" and not found.ready:
        raise NotReady(
            f"not ready to practise: {'; '.join(found.warnings)}. All is kept; `--set readiness.policy=report` goes on"
        )


def _scored(
    name: str, how: EvaluateSettings, recipe: Recipe, shop: Workshop, trained: Artifact, tests: Artifact
) -> Artifact:
    chat, pose = shop.tools.player(recipe.student, shop.tools.model_of(trained))
    return shop.stage(evaluate.of(name), how, tests, chat, pose, shop.tools.judge(recipe, on_benchmarks=True))
