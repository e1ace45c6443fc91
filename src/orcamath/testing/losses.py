"""The laws of a loss, with torch: see `members.check_loss`."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from orcamath.student.losses import Batch, Samples, Totals
from orcamath.student.settings import LossSettings

__all__ = ["check_values"]

_LOGP = (-2.5, -2.0, -2.2, -3.0)
_REFERENCE = (-3.0, -2.5, -2.0, -1.0)
_LENGTH = (2.0, 3.0, 4.0, 5.0)
_DESIRABLE = (True, False, True, False)


def _batch(logp: Tensor, rows: Sequence[int]) -> Batch:
    """Rows of two problems, each with a right answer (even) and a wrong one (odd); counts are the whole step's."""

    def row(values: Sequence[object]) -> Tensor:
        return torch.tensor([values[i] for i in rows])

    pairs = [(rows.index(i), rows.index(i + 1)) for i in (0, 2) if i in rows]
    return Batch(
        logp[list(rows)],
        row(_REFERENCE).to(logp),
        row(_LENGTH).to(logp),
        row(_DESIRABLE),
        torch.ones(len(rows)).to(logp),
        torch.tensor(pairs),
        torch.ones(len(pairs)).to(logp),
        torch.tensor(0.25).to(logp),
        Totals(4.0, 2.0, 6.0),
        _sampled(logp, rows),
    )


def _sampled(logp: Tensor, rows: Sequence[int]) -> Samples:
    """The same rows as answers of an online round, every token of one as likely as the others; the policy has moved since."""
    owner = torch.tensor([place for place, i in enumerate(rows) for _ in range(int(_LENGTH[i]))])
    which = torch.tensor(list(rows))[owner]
    length = torch.tensor(_LENGTH).to(logp)[which]
    half = torch.full((len(rows),), 0.5).to(logp)
    return Samples(
        logp[which] / length,
        torch.tensor(_REFERENCE).to(logp)[which] / length,
        owner,
        torch.tensor([float(_DESIRABLE[i]) for i in rows]).to(logp),
        half,
        half * 2**0.5,
        half * 4,
        8,
    )


def check_values(loss: Callable[..., Any], settings: object = None) -> None:
    """Raise AssertionError where a law is broken."""
    settings = settings if settings is not None else LossSettings()
    logp = torch.tensor(_LOGP, dtype=torch.float64, requires_grad=True)

    def value(x: Tensor, *parts: Sequence[int]) -> Tensor:
        return torch.stack([loss(_batch(x, rows), settings).total for rows in parts]).sum()

    whole = value(logp, (0, 1, 2, 3))
    assert loss(_batch(logp, (0, 1, 2, 3)), settings).total.shape == (), "the loss is a scalar"
    assert bool(torch.isfinite(whole)), f"the loss is finite, not {float(whole)}"
    assert whole.requires_grad, "the loss depends on the log-probs"
    assert torch.autograd.gradcheck(lambda x: value(x, (0, 1, 2, 3)), (logp,)), "its gradient is its slope"
    for parts, law in (
        (((0, 1), (2, 3)), "divide by the step's totals: the parts of a step must add up to the whole"),
        (((2, 3, 0, 1),), "the order of a step's rows does not matter"),
    ):
        assert torch.allclose(value(logp, *parts), whole, atol=1e-12, rtol=0), law
