"""What trainings say of themselves: records without torch, for the stages `imitate` and `learn` and for their readers."""

from pydantic import Field

from orcamath.store.facts import Facts

__all__ = ["ImitateFacts", "LearnFacts", "TrainedFacts"]


class TrainedFacts(Facts):
    """What every training says."""

    contents: dict[str, str] | None = None
    """Dtype → name of the trained weights' content; None where the training is older than such names."""
    n_steps: int = 0
    n_tokens: int = 0
    """Forwarded with gradient, every answer counted with its prompt."""
    n_answer_tokens: int = 0
    final_loss: float | None = None
    """Mean over the last tenth of the steps."""


class ImitateFacts(TrainedFacts):
    """What `imitate` says."""

    n_lessons: int = 0
    n_cut: int = 0
    """Lessons whose answer was cut off at `max_tokens`."""
    n_too_long: int = 0
    """Lessons left out, since their question alone does not fit."""
    base: str = ""
    """Fingerprint of the model it began from."""


class LearnFacts(TrainedFacts):
    """What `learn` says."""

    loss: str = ""
    n_problems: int = 0
    dropped: dict[str, int] = Field({})
    """Problems that nothing could be learnt from, by reason."""
    n_responses: int = 0
    n_pairs: int = 0
    n_off_topic: int = 0
    n_cut: int = 0
    n_tokens_without_gradient: int = 0
    """Scored for KTO's baseline."""
    student: str = ""
    reference: str = ""
    """Fingerprints of the models it began from and was held against."""
