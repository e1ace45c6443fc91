"""GRPO done right (arXiv 2503.20783): no standard deviation and no mean over an answer's own length (TRL's `loss_type: dr_grpo`
with `scale_rewards: none`).

Dividing by the deviation weighs problems that are nearly always right or wrong more than others; dividing by an answer's length
makes long wrong answers cheap. Tokens are summed instead, and divided by the length that any answer may have.
"""

from torch import Tensor

from orcamath.student.losses import Batch, Loss, Samples, needs
from orcamath.student.losses.grpo import clipped
from orcamath.student.settings import LossSettings

__all__ = ["advantage", "loss"]


def advantage(samples: Samples) -> Tensor:
    """Return r − mean of each answer within its problem, [B]."""
    return samples.reward - samples.mean


@needs("samples")
def loss(batch: Batch, settings: LossSettings) -> Loss:
    """Sum over the step's answer tokens, divided by its answers and the most tokens that one may have."""
    s = batch.online
    each = clipped(s.logp - s.sampled, advantage(s)[s.owner], settings.clip)
    return Loss((batch.weight[s.owner] * each).sum() / (batch.totals.responses * s.longest))
