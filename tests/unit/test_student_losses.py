"""Losses against values computed by hand, and their laws."""

import math

import pytest
import torch

from orcamath.student.losses import Batch, Totals, apo_zero, dpo, ipo, kto, nll, rpo
from orcamath.student.settings import LossSettings

MEMBERS = [apo_zero, dpo, ipo, kto, nll, rpo]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def batch(logp: torch.Tensor, z0: float = 0.25) -> Batch:
    """Four responses, two of them right; all four pairs."""
    return Batch(
        logp,
        torch.tensor([-3.0, -2.0, -2.5, -1.0], dtype=logp.dtype),
        torch.tensor([2, 4, 3, 5], dtype=logp.dtype),
        torch.tensor([True, True, False, False]),
        torch.ones(4, dtype=logp.dtype),
        torch.tensor([[0, 2], [0, 3], [1, 2], [1, 3]]),
        torch.ones(4, dtype=logp.dtype),
        torch.tensor(z0, dtype=logp.dtype),
        Totals(4.0, 4.0, 6.0),
    )


LOGP = (-2.5, -2.2, -2.0, -2.0)
RATIO = (0.5, -0.2, 0.5, -1.0)
PAIRS = ((0, 2), (0, 3), (1, 2), (1, 3))
BY_HAND = {
    "dpo": sum(-math.log(sigmoid(0.3 * (RATIO[w] - RATIO[n]))) for w, n in PAIRS) / 4,
    "rpo": sum(-math.log(sigmoid(0.3 * (RATIO[w] - RATIO[n]))) - 2 * LOGP[w] / (2, 4)[w] for w, n in PAIRS) / 4,
    "ipo": sum((RATIO[w] / (2, 4)[w] - RATIO[n] / (0, 0, 3, 5)[n] - 1 / 0.6) ** 2 for w, n in PAIRS) / 4,
    "apo_zero": sum(1 - sigmoid(0.3 * RATIO[w]) + sigmoid(0.3 * RATIO[n]) for w, n in PAIRS) / 4,
    "kto": (
        sum(1.5 * (1 - sigmoid(0.3 * (RATIO[i] - 0.25))) for i in (0, 1))
        + sum(0.5 * (1 - sigmoid(0.3 * (0.25 - RATIO[i]))) for i in (2, 3))
    )
    / 4,
    "nll": (2.5 + 2.2) / 6,
}
SETTINGS = LossSettings(beta=0.3, rpo_alpha=2.0, desirable_weight=1.5, undesirable_weight=0.5)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: m.__name__.split(".")[-1])
def test_value_by_hand(member: object) -> None:
    name = member.__name__.split(".")[-1]  # type: ignore[attr-defined]
    value = member.loss(batch(torch.tensor(LOGP, dtype=torch.float64)), SETTINGS).total  # type: ignore[attr-defined]
    assert float(value) == pytest.approx(BY_HAND[name], abs=1e-12)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: m.__name__.split(".")[-1])
def test_gradient_is_the_slope(member: object) -> None:
    logp = torch.tensor(LOGP, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: member.loss(batch(x), SETTINGS).total, (logp,))  # type: ignore[attr-defined]


@pytest.mark.parametrize("member", [dpo, rpo, apo_zero, kto], ids=lambda m: m.__name__.split(".")[-1])
def test_right_answers_are_pushed_up_and_wrong_ones_down(member: object) -> None:
    logp = torch.tensor(LOGP, requires_grad=True)
    member.loss(batch(logp), SETTINGS).total.backward()  # type: ignore[attr-defined]
    assert logp.grad is not None
    assert bool((logp.grad[:2] < 0).all())
    assert bool((logp.grad[2:] > 0).all())


def test_an_untrained_student_has_dpos_log_2() -> None:
    assert float(dpo.dpo(torch.zeros(1), 0.1)) == pytest.approx(math.log(2))


def test_kto_of_an_untrained_student_is_half_of_each_weight() -> None:
    value = kto.kto(torch.zeros(2), torch.tensor([True, False]), torch.tensor(0.0), 0.1, 2.0, 4.0)
    assert value.tolist() == [1.0, 2.0]


def test_ipo_as_printed_does_not_divide_by_length() -> None:
    value = ipo.loss(
        batch(torch.tensor(LOGP, dtype=torch.float64)), SETTINGS.model_copy(update={"ipo_per_token": False})
    )
    assert float(value.total) == pytest.approx(sum((RATIO[w] - RATIO[n] - 1 / 0.6) ** 2 for w, n in PAIRS) / 4)
