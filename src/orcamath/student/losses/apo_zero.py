"""Anchored preference optimisation, the `zero` form (arXiv 2408.06266, equation 7).

Pushes winners up and losers down by themselves, for a student that is worse than its winners.
"""

import torch
from torch import Tensor

from orcamath.student.losses import Batch, Loss, needs
from orcamath.student.settings import LossSettings

__all__ = ["apo_zero", "loss"]


def apo_zero(winner: Tensor, loser: Tensor, beta: float) -> Tensor:
    """Return 1 − σ(β·winner) + σ(β·loser), [P]; arguments: [P] log-ratios against the reference."""
    return 1 - torch.sigmoid(beta * winner) + torch.sigmoid(beta * loser)


@needs("pairs", "reference")
def loss(batch: Batch, settings: LossSettings) -> Loss:
    """Weighted mean over the step's pairs."""
    ratio = batch.logp - batch.reference
    each = apo_zero(ratio[batch.pairs[:, 0]], ratio[batch.pairs[:, 1]], settings.beta)
    return Loss((batch.pair_weight * each).sum() / batch.totals.pairs)
