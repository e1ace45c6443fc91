"""REINFORCE leave-one-out (arXiv 2402.14740, equation 8): an answer's baseline is the mean reward of its problem's other answers.

The whole answer is one action: its ratio to the policy that sampled it is clipped, as in TRL's RLOO trainer.
"""

from torch import Tensor

from orcamath.student.losses import Batch, Loss, Samples, needs
from orcamath.student.losses.grpo import clipped
from orcamath.student.settings import LossSettings

__all__ = ["advantage", "loss"]


def advantage(samples: Samples) -> Tensor:
    """Return r − the mean of the others, which is (r − mean)·n / (n − 1), [B]; 0 for an answer that stands alone."""
    return (samples.reward - samples.mean) * samples.n / (samples.n - 1).clamp(min=1)


@needs("samples")
def loss(batch: Batch, settings: LossSettings) -> Loss:
    """Mean over the step's answers."""
    s = batch.online
    sampled = batch.logp.new_zeros(batch.logp.shape).index_add(0, s.owner, s.sampled)
    each = clipped(batch.logp - sampled, advantage(s), settings.clip)
    return Loss((batch.weight * each).sum() / batch.totals.responses)
