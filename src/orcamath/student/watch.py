"""What a person watches while a student learns from preferences, and what usually means that it goes wrong.

Sums are added up over micro-batches and processes before anything is divided, so a step's numbers are those of the whole step.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from orcamath.student.groups import Group

__all__ = ["WARNINGS", "Sums", "Watch", "looked_at", "warn", "watched"]

WARNINGS = {
    "chosen_logp_fell": "right answers have become less likely than under the reference: add nll_weight, or lower learning_rate",
}
FEW = 10
"""Steps before anything is said, and the run of steps that is looked at."""
log = logging.getLogger("orcamath")


class Sums(NamedTuple):
    """Counts and sums over a step's responses and pairs; log-ratios are log π/π_ref."""

    right: float = 0.0
    wrong: float = 0.0
    off_topic: float = 0.0
    logp_right: float = 0.0
    logp_wrong: float = 0.0
    ratio_right: float = 0.0
    ratio_wrong: float = 0.0
    ratio_own: float = 0.0
    """Over responses to the problem itself."""
    pairs: float = 0.0
    off_topic_pairs: float = 0.0

    def plus(self, other: "Sums") -> "Sums":
        """Add up field by field."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))


def looked_at(group: Group, logp: Sequence[float], reference: Sequence[float]) -> Sums:
    """Return one problem's sums. `logp`, `reference`: one number a response."""
    rows = list(zip(logp, reference, group.desirable, group.off_topic, strict=True))
    good = [(v, r) for v, r, d, _ in rows if d]
    bad = [(v, r) for v, r, d, _ in rows if not d]
    return Sums(
        len(good), len(bad), sum(group.off_topic), sum(v for v, _ in good), sum(v for v, _ in bad),
        sum(v - r for v, r in good), sum(v - r for v, r in bad), sum(v - r for v, r, _, off in rows if not off),
        sum(x for _, _, x in group.pairs), sum(x for _, loser, x in group.pairs if group.off_topic[loser]),
    )  # fmt: skip


def watched(sums: Sums, beta: float, z0: float | None, *, reference: bool) -> dict[str, float]:
    """Return a step's numbers. What has no answers to be the mean of, or no reference, is left out.

    `kl`: mean of log π_ref/π over answers to the step's own problems, an estimate of KL(π_ref‖π) an answer as far as these
    were sampled from the reference (a teacher's solution was not); it may be below 0. `z0` is KTO's own estimate of
    KL(π‖π_ref), clamped at 0. Rewards are β·log π/π_ref.
    """
    s, numbers = sums, {} if z0 is None else {"z0": z0}
    if s.right:
        numbers["logp_chosen"] = s.logp_right / s.right
    if s.wrong:
        numbers |= {"logp_rejected": s.logp_wrong / s.wrong, "off_topic_share": s.off_topic / (s.right + s.wrong)}
    if s.pairs:
        numbers["off_topic_pairs"] = s.off_topic_pairs / s.pairs
    if not reference:
        return numbers
    if s.right:
        numbers["reward_chosen"] = beta * s.ratio_right / s.right
    if s.wrong:
        numbers["reward_rejected"] = beta * s.ratio_wrong / s.wrong
    if s.right and s.wrong:
        numbers["margin"] = numbers["reward_chosen"] - numbers["reward_rejected"]
    own = s.right + s.wrong - s.off_topic
    if own:
        numbers["kl"] = 0.0 - s.ratio_own / own
    return numbers


class Watch:
    """Passes metrics on and warns, each warning once: from the first quarter of the steps on, and never in very short runs."""

    def __init__(self, metric: Callable[..., None], n_steps: int) -> None:
        self.metric = metric
        self.from_step = max(FEW, n_steps // 4)
        self.seen = 0
        self.chosen: list[float] = []
        self.said: list[str] = []

    def __call__(self, **numbers: float) -> None:
        """Take one step's numbers."""
        self.metric(**numbers)
        self.seen += 1
        if "reward_chosen" in numbers:
            self.chosen = [*self.chosen[1 - FEW :], numbers["reward_chosen"]]
        if self.seen < self.from_step:
            return
        if len(self.chosen) == FEW and sum(self.chosen) < 0:
            self._say("chosen_logp_fell")

    def _say(self, what: str) -> None:
        if what not in self.said:
            self.said.append(what)
            warn(what)


def warn(what: str) -> None:
    """Log one of the warnings in words."""
    log.warning("%s", WARNINGS[what])
