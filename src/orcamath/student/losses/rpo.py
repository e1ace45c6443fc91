"""DPO with the winner's negative log-likelihood beside it (arXiv 2404.19733, equation 1), which keeps it from falling."""

from torch import Tensor

from orcamath.student.losses import Batch, Loss, needs
from orcamath.student.losses.dpo import dpo
from orcamath.student.settings import LossSettings

__all__ = ["loss", "rpo"]


def rpo(margin: Tensor, winner_logp: Tensor, winner_length: Tensor, beta: float, alpha: float) -> Tensor:
    """Return −log σ(β·margin) − α·log π(y_w|x)/|y_w|, [P]; all arguments [P]."""
    return dpo(margin, beta) - alpha * winner_logp / winner_length


@needs("pairs", "reference")
def loss(batch: Batch, settings: LossSettings) -> Loss:
    """Weighted mean over the step's pairs."""
    winner, loser = batch.pairs[:, 0], batch.pairs[:, 1]
    ratio = batch.logp - batch.reference
    each = rpo(
        ratio[winner] - ratio[loser], batch.logp[winner], batch.length[winner], settings.beta, settings.rpo_alpha
    )
    return Loss((batch.pair_weight * each).sum() / batch.totals.pairs)
