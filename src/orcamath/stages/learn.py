"""Stage `learn`, iterations 2, 3, …: the student learns from its right and wrong answers (paper, section 3.1).

By KTO, DPO or another loss. In: preferences, the student, the reference model. Out: `model/`, a folder in transformers' format.
"""

from typing import TYPE_CHECKING

from orcamath.store.artifacts import Artifact, Output
from orcamath.store.stage import stage
from orcamath.student.facts import LearnFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.settings import LearnSettings

if TYPE_CHECKING:
    from orcamath.student.losses import LossFunction

__all__ = ["LearnFacts", "LearnSettings", "learn"]


@stage("learn", version=4, settings=LearnSettings, facts=LearnFacts)
def learn(
    out: Output,
    settings: LearnSettings,
    preferences: Artifact,
    student: ModelFolder,
    reference: ModelFolder,
    loss: "LossFunction",
) -> LearnFacts:
    """Train `student` on preferences against `reference`; writes the folder `model`.

    Reference log-probs are remembered where all runs may find them. Raises ModelError, DataError, TrainingDiverged.
    """
    # here and not above: a run that ends before training needs no torch
    if settings.processes > 1:
        from orcamath.student.launch import launch, loss_name

        models = {"student": student, "reference": reference}
        return launch(out, settings, preferences, models, LearnFacts, loss_name(loss))
    from orcamath.student.preference import train_on_preferences

    return train_on_preferences(out, settings, preferences, student, reference, loss)
