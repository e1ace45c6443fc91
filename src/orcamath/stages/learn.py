"""Stage `learn`, iterations 2, 3, …: the student learns from its right and wrong answers (paper, section 3.1).

By KTO, DPO or another loss. In: preferences, the student, the reference model. Out: `model/`, a folder in transformers' format.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orcamath.ports import Progress
from orcamath.store.artifacts import Artifact, Output
from orcamath.student.settings import LearnSettings

if TYPE_CHECKING:
    from orcamath.student.loop import Metric
    from orcamath.student.losses import Batch, Loss
    from orcamath.student.model import ModelFolder

__all__ = ["VERSION", "LearnSettings", "learn"]

VERSION = 2


def learn(
    out: Output,
    settings: LearnSettings,
    preferences: Artifact,
    student: "ModelFolder",
    reference: "ModelFolder",
    loss: "Callable[[Batch, Any], Loss]",
    progress: Progress,
    metric: "Metric",
    store: Path | None = None,
) -> None:
    """Train `student` on preferences against `reference`; writes the folder `model`.

    `store`: folder of remembered reference log-probs, which runs may share (default: this stage's scratch). Raises
    ModelError, DataError, TrainingDiverged.
    """
    # here and not above: a run that ends before training needs no torch
    if settings.processes > 1:
        from orcamath.student.launch import launch, loss_name

        models = {"student": student, "reference": reference}
        place = str(store.resolve()) if store else ""
        launch(out, settings, preferences, models, progress, metric, loss=loss_name(loss), store=place)
        return
    from orcamath.student.preference import train_on_preferences

    train_on_preferences(out, settings, preferences, student, reference, loss, progress, metric, store)
