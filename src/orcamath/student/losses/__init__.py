"""Preference losses, one file each: a pure function of log-probabilities with its equation, and `loss`, the family's entry.

A file `x.py` is the loss `x`. Its `loss(batch, settings)` gets one micro-batch and returns that part's share of the step's
loss: every sum is divided by the *step's* count (`batch.totals`), so the parts add up to the whole however it was cut.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeVar

from torch import Tensor

from orcamath.student.settings import LossSettings

__all__ = ["Batch", "Loss", "LossFunction", "Need", "Totals", "needs", "needs_of"]

Need = Literal["pairs", "reference", "z0"]
F = TypeVar("F", bound=Callable[..., "Loss"])


class Totals(NamedTuple):
    """Counts over the whole optimizer step, all micro-batches and processes."""

    responses: float
    """Sum of weights."""
    pairs: float
    """Sum of pair weights."""
    positive_tokens: float
    """Answer tokens of desirable responses, by weight."""


class Batch(NamedTuple):
    """One micro-batch: B responses, P pairs. Log-probs are natural, summed over answer tokens."""

    logp: Tensor
    """[B] log π(y|x), with gradient."""
    reference: Tensor
    """[B] log π_ref(y|x)."""
    length: Tensor
    """[B] answer tokens."""
    desirable: Tensor
    """[B] bool."""
    weight: Tensor
    """[B]"""
    pairs: Tensor
    """[P, 2] indices into B: winner, loser."""
    pair_weight: Tensor
    """[P]"""
    z0: Tensor
    """Scalar ≥ 0, without gradient: KL(π‖π_ref) as estimated over the step."""
    totals: Totals


class Loss(NamedTuple):
    """A micro-batch's share of the step's loss."""

    total: Tensor
    """Scalar."""


LossFunction = Callable[[Batch, LossSettings], Loss]
"""What a loss's file defines as `loss`."""


_NEEDS: dict[Callable[..., object], frozenset[Need]] = {}


def needs(*what: Need) -> Callable[[F], F]:
    """Declare what a loss reads, so that nothing else is computed. Without it a loss gets pairs and reference."""

    def mark(function: F) -> F:
        _NEEDS[function] = frozenset(what)
        return function

    return mark


def needs_of(loss: Callable[..., Loss]) -> frozenset[Need]:
    """Return what a loss declared with `needs`."""
    return _NEEDS.get(loss, frozenset({"pairs", "reference"}))
