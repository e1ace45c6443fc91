"""Stage `imitate`, iteration 1: the student imitates the teacher (paper, section 2.4).

Cross-entropy over answer tokens, no packing. In: lessons and a base model. Out: `model/`, a folder in transformers'
format with the chat template it was trained with."""

from orcamath.store.artifacts import Artifact, Output
from orcamath.store.stage import stage
from orcamath.student.facts import ImitateFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.settings import SftSettings

__all__ = ["ImitateFacts", "SftSettings", "imitate"]


@stage("imitate", version=4, settings=SftSettings, facts=ImitateFacts)
def imitate(out: Output, settings: SftSettings, lessons: Artifact, base: ModelFolder) -> ImitateFacts:
    """Fine-tune `base` on all lessons; writes the folder `model`. Raises ModelError, TooManyRejects, TrainingDiverged."""
    # here and not above: a run that ends before training needs no torch
    if settings.processes > 1:
        from orcamath.student.launch import launch

        return launch(out, settings, lessons, {"base": base}, ImitateFacts)
    from orcamath.student.supervised import train_on_lessons

    return train_on_lessons(out, settings, lessons, base)
