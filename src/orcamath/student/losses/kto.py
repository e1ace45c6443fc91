"""Kahneman-Tversky optimisation (arXiv 2402.01306, equation 8): each response by itself is good or bad against a baseline.

The baseline z0 = max(0, mean log π(y'|x)/π_ref(y'|x)) is taken over responses y' of *other* problems in the whole step (or over
the step's own, `z0: own`), and carries no gradient. The constant λ_y is kept, so the loss is never negative.
"""

import torch
from torch import Tensor

from orcamath.student.losses import Batch, Loss, needs
from orcamath.student.settings import LossSettings

__all__ = ["kto", "loss"]


def kto(ratio: Tensor, desirable: Tensor, z0: Tensor, beta: float, weight_d: float, weight_u: float) -> Tensor:
    """Return λ_D(1 − σ(β(r − z0))) for desirable, λ_U(1 − σ(β(z0 − r))) for undesirable responses, [B].

    `ratio`: [B] r = log π(y|x)/π_ref(y|x); `desirable`: [B] bool; `z0`: scalar ≥ 0 without gradient.
    """
    gain = beta * (ratio - z0)
    return torch.where(desirable, weight_d * torch.sigmoid(-gain), weight_u * torch.sigmoid(gain))


@needs("reference", "z0")
def loss(batch: Batch, settings: LossSettings) -> Loss:
    """Weighted mean over the step's responses."""
    each = kto(
        batch.logp - batch.reference,
        batch.desirable,
        batch.z0,
        settings.beta,
        settings.desirable_weight,
        settings.undesirable_weight,
    )
    return Loss((batch.weight * each).sum() / batch.totals.responses)
