"""Preference losses, one file each: a pure function of log-probabilities with its equation, and `loss`, the family's entry.

A file `x.py` is the loss `x`. Its `loss(batch, settings)` gets one micro-batch and returns that part's share of the step's
loss: every sum is divided by the *step's* count (`batch.totals`), so the parts add up to the whole however it was cut.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeVar

from torch import Tensor

from orcamath.student.settings import LossSettings

__all__ = ["Batch", "Loss", "LossFunction", "Need", "Samples", "Totals", "is_share", "needs", "needs_of"]

Need = Literal["pairs", "reference", "z0", "samples"]
F = TypeVar("F", bound=Callable[..., "Loss"])


class Totals(NamedTuple):
    """Counts over the whole optimizer step, all micro-batches and processes."""

    responses: float
    """Sum of weights."""
    pairs: float
    """Sum of pair weights."""
    positive_tokens: float
    """Answer tokens of desirable responses, by weight."""


class Samples(NamedTuple):
    """What a round of sampling adds to a micro-batch: T answer tokens, each of one of the B responses, and their rewards."""

    logp: Tensor
    """[T] log π of each token, with gradient."""
    sampled: Tensor
    """[T] the same under the policy that sampled it."""
    owner: Tensor
    """[T] which response a token belongs to."""
    reward: Tensor
    """[B]"""
    mean: Tensor
    """[B] mean reward of all responses to its problem."""
    deviation: Tensor
    """[B] their standard deviation, with n − 1."""
    n: Tensor
    """[B] how many they are."""
    longest: int
    """Most tokens that a response may have."""


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
    samples: Samples | None = None
    """Where the responses were sampled in an online round."""

    @property
    def online(self) -> Samples:
        """The samples, for a loss that needs them."""
        assert self.samples is not None, "the loss declares `needs('samples')`, and is used where nothing is sampled"
        return self.samples


class Loss(NamedTuple):
    """A micro-batch's share of the step's loss."""

    total: Tensor
    """Scalar."""


LossFunction = Callable[[Batch, LossSettings], Loss]
"""What a loss's file defines as `loss`."""


def is_share(loss: Loss, batch: Batch) -> bool:
    """Tell whether a loss can be a part of the step's: a scalar tensor that leads back to the log-probs."""
    total: object = loss.total
    return isinstance(total, Tensor) and total.ndim == 0 and (total.requires_grad or not batch.logp.requires_grad)


def needs(*what: Need) -> Callable[[F], F]:
    """Declare what a loss reads, so that nothing else is computed. Without it a loss gets pairs and reference."""

    def mark(function: F) -> F:
        vars(function)["needs"] = frozenset(what)
        return function

    return mark


def needs_of(loss: Callable[..., Loss]) -> frozenset[Need]:
    """Return what a loss declared with `needs`."""
    declared: frozenset[Need] = getattr(loss, "needs", frozenset({"pairs", "reference"}))
    return declared
