"""Stage `online N`, in place of practising: rounds of sampling, judging and a few steps, the weights in memory throughout.

In: the gated lessons and problems, the student, the judge. Out: `model/`, and `rollouts`: every sample of every round with its
log-probs and verdict. These are not in the ledger, since no other run could ask for them: each round's policy is another model.
Sealed at its end; a broken-off one goes on from its last whole round.

Deviation: the paper's rounds are offline; this is what came after it (`losses.grpo`, `losses.dr_grpo`, `losses.rloo`).
"""

from typing import TYPE_CHECKING

from orcamath.errors import RecipeError, TooManyRejects
from orcamath.ports import Judge
from orcamath.stages.practice import PracticeSettings, exercises_of
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.stage import stage
from orcamath.student.facts import OnlineFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.settings import OnlineSettings

if TYPE_CHECKING:
    from orcamath.student.losses import LossFunction

__all__ = ["OnlineFacts", "OnlineSettings", "RoundsSettings", "online"]


class RoundsSettings(OnlineSettings):
    """How the student learns online, and on which problems."""

    practice: PracticeSettings = PracticeSettings()
    """Which problems, held against whose answer; the iteration's own section of that name. Samples are told above."""


@stage("online", version=4, settings=RoundsSettings, facts=OnlineFacts)
def online(
    out: Output, settings: RoundsSettings, gated: Artifact, student: ModelFolder, judge: Judge, loss: "LossFunction"
) -> OnlineFacts:
    """Train `student` on its own answers; writes `rollouts` and the folder `model`.

    Raises TooManyRejects without anything to practise, RecipeError where the loss reads no samples, TrainingDiverged, ModelError.
    """
    exercises = exercises_of(out, settings.practice, gated)
    if not exercises:
        raise TooManyRejects("no problem is left to practise on: see `practice.problems` and `practice.label`")
    # here and not above: a run that ends before training needs no torch
    from orcamath.student.losses import needs_of
    from orcamath.student.online import train_online

    if "samples" not in needs_of(loss):
        raise RecipeError(f"`online.loss: {settings.loss}` reads no samples of a round; take grpo, dr_grpo or rloo")
    return train_online(out, settings, exercises, student, judge, loss)
