"""What trainings say of themselves: records without torch, for the stages `imitate` and `learn` and for their readers."""

from pydantic import Field

from orcamath.store.facts import Fact, Facts

__all__ = ["ImitateFacts", "LearnFacts", "OnlineFacts", "RoundFacts", "TrainedFacts"]


class TrainedFacts(Facts):
    """What every training says."""

    contents: dict[str, str] | None = None
    """Dtype → name of the trained weights' content; None where the training is older than such names."""
    rounded_away: float | None = None
    """Of what an adapter learnt, the share (of its norm) that does not show where the student runs in bfloat16. What is saved is
    float32 and holds it. None: no adapter."""
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
    """Scored by the reference, each answer once, and by the student for KTO's baseline at every step."""
    student: str = ""
    reference: str = ""
    """Fingerprints of the models it began from and was held against."""


class RoundFacts(Fact):
    """One online round."""

    right: int = 0
    judged: int = 0
    """Samples that were judged, and those of them that were right."""
    informative: int = 0
    """Problems with better and worse answers: only these pull."""
    steps: int = 0
    loss: float = 0.0
    clip_share: float = 0.0
    """Of the tokens, those held at the clip's edge; means over the round's steps, here and below."""
    kl: float = 0.0
    """From the policy that sampled, a token."""
    n_tokens: int = 0
    n_answer_tokens: int = 0
    n_sampled_tokens: int = 0


class OnlineFacts(TrainedFacts):
    """What `online` says."""

    loss: str = ""
    n_problems: int = 0
    """That rounds are taken from."""
    n_samples: int = 0
    n_sampled_tokens: int = 0
    rounds: tuple[RoundFacts, ...] = ()
    student: str = ""
    """Fingerprint of the model it began from."""
