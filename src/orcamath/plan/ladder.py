"""What a ladder of teachers will cost, rung by rung: as many problems as verification sends up, at each rung's own price.

In: what a rehearsal saw of the stage `teach`, and how many problems are still to come. Out: a `StagePlan` a rung, and what the
dearest teacher alone would take. The share that goes up is the one seen, once `ENOUGH` calls were answered on a rung; before that
it is anything from few to most.
"""

from collections.abc import Iterator

from orcamath.plan.calls import ENOUGH, StagePlan, put_together
from orcamath.plan.ranges import Range, around
from orcamath.plan.rehearsal import CallTally, StageForecast
from orcamath.recipe_settings import Recipe

__all__ = ["climbed", "dear_alone"]

GOES_UP = Range(0.05, 0.7)
"""Share of a rung's problems that verification sends up, where nothing is known of it."""


def climbed(arm: str, recipe: Recipe, seen: StageForecast, more: Range) -> Iterator[StagePlan]:
    """Yield a plan a rung, `teach 1` the cheapest. `more`: calls to the first rung for problems that are not there yet."""
    teachers = (*recipe.ladder, recipe.teacher)
    rungs = seen.rungs or [seen.calls, *(CallTally() for _ in recipe.ladder)]
    for n, (model, tally) in enumerate(zip(teachers, rungs, strict=True), start=1):
        yield put_together(
            arm,
            f"teach {n}",
            tally,
            more,
            model,
            longest=recipe.teach.max_new_tokens,
            rehearsed=True,
            kind="teach",
        )
        above = rungs[n].known + rungs[n].unknown + rungs[n].waiting if n < len(rungs) else 0
        up = around(above / tally.known).at_most(1.0) if tally.known >= ENOUGH else GOES_UP
        more = Range(0, 0) if seen.sealed else more.plus(tally.unknown + tally.waiting).times(up)


def dear_alone(arm: str, recipe: Recipe, seen: StageForecast | None, problems: Range) -> list[StagePlan]:
    """Return what `teach` would take of the dearest teacher alone, nothing remembered; empty without a ladder."""
    if seen is None or not recipe.ladder:
        return []
    calls = seen.rungs[0] if seen.rungs else seen.calls
    n = max(calls.known + calls.unknown, 1)
    one = CallTally(unknown=1, unknown_bytes=(calls.known_bytes + calls.unknown_bytes) // n)
    more = problems.times(recipe.teach.solutions).plus(-1)
    row = put_together(
        arm,
        "teach",
        one,
        more,
        recipe.teacher,
        longest=recipe.teach.max_new_tokens,
        rehearsed=False,
    )
    return [row]
