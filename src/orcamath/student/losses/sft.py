"""Supervised fine-tuning: next-token cross-entropy over answer tokens only (paper, section 2.4)."""

from torch import Tensor

from orcamath.student.losses import Batch, Loss, needs
from orcamath.student.losses.nll import nll
from orcamath.student.settings import LossSettings

__all__ = ["loss", "sft"]


def sft(logp: Tensor, n_tokens: float) -> Tensor:
    """Return −Σ log π(y|x) / `n_tokens`; `logp`: [B] summed over answer tokens, `n_tokens` of the whole step."""
    return -logp.sum() / max(n_tokens, 1.0)


@needs()
def loss(batch: Batch, settings: LossSettings) -> Loss:  # noqa: ARG001
    """Cross-entropy of a micro-batch; negatives, where there are any, are left out."""
    return Loss(nll(batch.logp, batch.weight * batch.desirable, batch.totals.positive_tokens))
