"""A chapter of the recipe: practice in spells, as many samples of a problem as it takes to see it right and wrong.

In: the problems, the student. Out: what was practised and the verdicts, as one spell would leave them.
"""

from collections.abc import Sequence

from orcamath.ports import Pose
from orcamath.recipe_settings import Recipe
from orcamath.stages.aiming import Round
from orcamath.stages.judge import judge
from orcamath.stages.practice import PracticeSettings, practise
from orcamath.stages.spells import judged_together, practise_more, practised_together
from orcamath.store.artifacts import Artifact
from orcamath.store.ledger import Remembered
from orcamath.workshop import Workshop

__all__ = ["in_spells"]


def in_spells(
    number: int,
    settings: PracticeSettings,
    recipe: Recipe,
    shop: Workshop,
    lessons: Artifact,
    student: Remembered,
    pose: Pose,
    earlier: Sequence[Round],
) -> Round:
    """Sample and judge spell after spell, each seeing the sealed verdicts of those before, and put them together."""
    judged_by, spells = shop.tools.judge(recipe), list[Round]()
    for n in range(1, settings.n_spells + 1):
        which = f"{number}.{n}"
        if n == 1:
            practised = shop.stage(practise.of(which), settings, lessons, student, pose, earlier)
        else:
            practised = shop.stage(practise_more.of(which), settings, tuple(spells), student, pose)
        spells.append(Round(practised, shop.stage(judge.of(which), recipe.judge, practised, judged_by)))
    together = shop.stage(practised_together.of(number), settings, tuple(spells))
    return Round(together, shop.stage(judged_together.of(number), recipe.judge, together, tuple(spells)))
