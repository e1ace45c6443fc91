"""What later rounds of growing will cost at most: they depend on students that are not trained yet.

In: the recipe's `grow` sections. Out: a `StagePlan` each for agents and teacher, from nothing to as many as may be picked.
"""

from collections.abc import Iterator, Sequence

from orcamath.plan.calls import (
    ASK_GROWTH,
    ASKING,
    EDIT_GROWTH,
    FURTHER_CALLS,
    StagePlan,
    longest_of_asking,
    put_together,
)
from orcamath.plan.ranges import Range
from orcamath.plan.rehearsal import CallTally
from orcamath.plan.training import Lengths
from orcamath.recipe_settings import Recipe
from orcamath.settings import ModelSettings
from orcamath.stages.grow import GrowSettings

__all__ = ["grown_later"]


def grown_later(arm: str, recipe: Recipe, growths: Sequence[GrowSettings], lengths: Lengths) -> Iterator[StagePlan]:
    """Yield what all rounds cost: two calls an easy problem and round of editing, as many a hard one as its agent makes, then
    the solutions."""
    writer, most = recipe.writer or recipe.teacher, lengths.lessons.plus(lengths.unlearned).high
    picked = sum(min(g.max_problems, most) for g in growths)
    made, calls = 0.0, list[tuple[str, str, ModelSettings, float, int]]()
    if recipe.suggester_editor is not None:
        rounds, longest = recipe.suggester_editor.rounds, recipe.suggester_editor.editor.max_new_tokens
        calls.append(("edit", "edit", writer, 2 * picked * sum(EDIT_GROWTH.high**n for n in range(rounds)), longest))
        made += picked * sum(EDIT_GROWTH.high**n for n in range(1, rounds + 1))
    if (asking := recipe.ask_me_anything) is not None:
        n = picked * (1 + FURTHER_CALLS[asking.calls].high)
        calls.append(("ask", ASKING[asking.calls], writer, n, longest_of_asking(asking)))
        made += picked * ASK_GROWTH.high
    calls.append(("teach", "teach", recipe.teacher, made * recipe.teach.solutions, recipe.teach.max_new_tokens))
    for stage, kind, model, n, longest in calls:
        yield put_together(
            arm,
            f"{stage} (grown later)",
            CallTally(),
            Range(0, n),
            model,
            longest=longest,
            rehearsed=False,
            kind=kind,
        )
