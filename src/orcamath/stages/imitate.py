"""Stage `imitate`, iteration 1: the student imitates the teacher (paper, section 2.4).

Cross-entropy over answer tokens, no packing. In: lessons and a base model. Out: `model/`, a folder in transformers'
format with the chat template it was trained with."""

from typing import TYPE_CHECKING

from orcamath.ports import Progress
from orcamath.store.artifacts import Artifact, Output
from orcamath.student.settings import SftSettings

if TYPE_CHECKING:
    from orcamath.student.loop import Metric
    from orcamath.student.model import ModelFolder

__all__ = ["VERSION", "SftSettings", "imitate"]

VERSION = 1


def imitate(
    out: Output, settings: SftSettings, lessons: Artifact, base: "ModelFolder", progress: Progress, metric: "Metric"
) -> None:
    """Fine-tune `base` on all lessons; writes the folder `model`. Raises ModelError, DataError, TrainingDiverged."""
    # here and not above: a run that ends before training needs no torch
    if settings.processes > 1:
        from orcamath.student.launch import launch

        launch(out, settings, lessons, {"base": base}, progress, metric)
        return
    from orcamath.student.supervised import train_on_lessons

    train_on_lessons(out, settings, lessons, base, progress, metric)
