"""Negative log-likelihood of right answers only: next-token cross-entropy over answer tokens (paper, section 2.4).

What iteration 1 trains with, the control of later ones that learns nothing from wrong answers, and the term that
`nll_weight` adds to any loss.
"""

from torch import Tensor

from orcamath.student.losses import Batch, Loss, needs
from orcamath.student.settings import LossSettings

__all__ = ["loss", "nll"]


def nll(logp: Tensor, weight: Tensor, n_tokens: float) -> Tensor:
    """Return −Σ w·log π(y|x) / `n_tokens`: the mean per answer token, as in supervised training.

    `logp`, `weight`: [B]; `n_tokens`: answer tokens of the whole step by weight.
    """
    return -(weight * logp).sum() / max(n_tokens, 1.0)


@needs()
def loss(batch: Batch, settings: LossSettings) -> Loss:  # noqa: ARG001
    """NLL over the desirable responses of a micro-batch."""
    return Loss(nll(batch.logp, batch.weight * batch.desirable, batch.totals.positive_tokens))
