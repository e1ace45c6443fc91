"""Direct preference optimisation (arXiv 2305.18290, equation 7)."""

import torch.nn.functional as F
from torch import Tensor

from orcamath.student.losses import Batch, Loss, needs
from orcamath.student.settings import LossSettings

__all__ = ["dpo", "loss"]


def dpo(margin: Tensor, beta: float) -> Tensor:
    """Return −log σ(β·margin), [P].

    `margin`: [P], log π(y_w|x)/π_ref(y_w|x) − log π(y_l|x)/π_ref(y_l|x).
    """
    return -F.logsigmoid(beta * margin)


@needs("pairs", "reference")
def loss(batch: Batch, settings: LossSettings) -> Loss:
    """Weighted mean over the step's pairs; every response was scored once."""
    ratio = batch.logp - batch.reference
    margin = ratio[batch.pairs[:, 0]] - ratio[batch.pairs[:, 1]]
    return Loss((batch.pair_weight * dpo(margin, settings.beta)).sum() / batch.totals.pairs)
