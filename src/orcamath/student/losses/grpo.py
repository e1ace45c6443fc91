"""Group-relative policy optimisation (DeepSeekMath, arXiv 2402.03300, equation 3 without its KL term; TRL's `loss_type: grpo`).

A token's ratio to the policy that sampled it is clipped as in PPO; each answer is the mean over its tokens, each step the mean
over its answers. The advantage of an answer is its reward less the mean of its problem's answers, in their standard deviations.
"""

import torch
from torch import Tensor

from orcamath.student.losses import Batch, Loss, Samples, needs
from orcamath.student.settings import LossSettings

__all__ = ["advantage", "clipped", "loss"]

EPSILON = 1e-4
"""Added to the standard deviation, as TRL does."""


def advantage(samples: Samples) -> Tensor:
    """Return (r − mean) / (sd + 1e-4) of each answer within its problem, [B]; sd with n − 1."""
    return (samples.reward - samples.mean) / (samples.deviation + EPSILON)


def clipped(log_ratio: Tensor, gain: Tensor, clip: float) -> Tensor:
    """Return −min(ρA, clip(ρ, 1 ± ε)A), PPO's surrogate, elementwise: ρ = exp(log_ratio), A = gain."""
    ratio = torch.exp(log_ratio)
    return -torch.min(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)


@needs("samples")
def loss(batch: Batch, settings: LossSettings) -> Loss:
    """Mean over the step's answers of the mean over an answer's tokens."""
    s = batch.online
    each = clipped(s.logp - s.sampled, advantage(s)[s.owner], settings.clip)
    answers = torch.zeros_like(batch.logp).index_add(0, s.owner, each) / batch.length
    return Loss((batch.weight * answers).sum() / batch.totals.responses)
