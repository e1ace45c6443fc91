"""Identity preference optimisation (arXiv 2310.12036, equation 17): regress the margin to a fixed target.

Deviation: by default log-ratios are divided by the responses' lengths, as other implementations do on the authors' word;
otherwise the squared loss grows with length. `ipo_per_token: false` is the equation as printed.
"""

from torch import Tensor

from orcamath.student.losses import Batch, Loss, needs
from orcamath.student.settings import LossSettings

__all__ = ["ipo", "loss"]


def ipo(margin: Tensor, tau: float) -> Tensor:
    """Return (margin − 1/(2τ))², [P]; `margin`: [P], as in DPO."""
    return (margin - 1 / (2 * tau)) ** 2


@needs("pairs", "reference")
def loss(batch: Batch, settings: LossSettings) -> Loss:
    """Weighted mean over the step's pairs; τ is `beta`."""
    ratio = batch.logp - batch.reference
    if settings.ipo_per_token:
        ratio = ratio / batch.length
    margin = ratio[batch.pairs[:, 0]] - ratio[batch.pairs[:, 1]]
    return Loss((batch.pair_weight * ipo(margin, settings.beta)).sum() / batch.totals.pairs)
