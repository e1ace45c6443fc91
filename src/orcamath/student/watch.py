"""What a person watches while a student learns from preferences, and what usually means that it goes wrong.

Sums are added up over micro-batches and processes before anything is divided, so a step's numbers are those of the whole step.
"""

import logging
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from orcamath.student.groups import Group

__all__ = ["Sums", "Watch", "looked_at", "warn", "watched"]

WARNINGS = {
    "chosen_logp_fell": "a problem's right answers together have less than half of their probability under the reference: add "
    "nll_weight, or lower learning_rate",
    "update_rounded": "most of what the adapter learnt is too small to show where the student runs in bfloat16 (the weights that "
    "are saved hold it): raise learning_rate, or sample in float32 (`student.options: {dtype: float32}`)",
}
HALF = math.log(0.5)
"""A fall below this is said. Answers that were sampled from the reference fall by its KL to the student in the mean, whatever is
learned, so a small one says nothing; where likelihood is displaced (arXiv 2410.08847) it is many nats."""
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
    answered: float = 0.0
    """Problems that have a right answer."""
    mass_right: float = 0.0
    """Over these problems: log of Σπ over right answers less that of Σπ_ref."""

    def plus(self, other: "Sums") -> "Sums":
        """Add up field by field."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))


def looked_at(group: Group, logp: Sequence[float], reference: Sequence[float]) -> Sums:
    """Return one problem's sums. `logp`, `reference`: one number a response."""
    rows = list(zip(logp, reference, group.desirable, group.off_topic, strict=True))
    good = [(v, r) for v, r, d, _ in rows if d]
    bad = [(v, r) for v, r, d, _ in rows if not d]
    return Sums(
        right=len(good),
        wrong=len(bad),
        off_topic=sum(group.off_topic),
        logp_right=sum(v for v, _ in good),
        logp_wrong=sum(v for v, _ in bad),
        ratio_right=sum(v - r for v, r in good),
        ratio_wrong=sum(v - r for v, r in bad),
        ratio_own=sum(v - r for v, r, _, off in rows if not off),
        pairs=sum(x for _, _, x in group.pairs),
        off_topic_pairs=sum(x for _, loser, x in group.pairs if group.off_topic[loser]),
        answered=bool(good),
        mass_right=_log_sum([v for v, _ in good]) - _log_sum([r for _, r in good]) if good else 0.0,
    )


def _log_sum(logs: Sequence[float]) -> float:
    """Return log Σ exp."""
    top = max(logs)
    return top + math.log(sum(math.exp(x - top) for x in logs))


def watched(sums: Sums, beta: float, z0: float | None, *, reference: bool) -> dict[str, float]:
    """Return a step's numbers. What has no answers to be the mean of, or no reference, is left out.

    `kl`: mean of log π_ref/π over answers to the step's own problems, an estimate of KL(π_ref‖π) an answer as far as these
    were sampled from the reference (a teacher's solution was not); it may be below 0. `z0` is KTO's own estimate of
    KL(π‖π_ref), clamped at 0. Rewards are β·log π/π_ref. `right_mass`: mean over problems of log Σπ/Σπ_ref, the sums over
    a problem's right answers; where one of two ways to be right takes over from the other, it rises while `reward_chosen`,
    which counts every answer alike, falls.
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
        numbers["right_mass"] = s.mass_right / s.answered
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
        self.mass: list[float] = []
        self.said: list[str] = []

    def __call__(self, *, step: int, **numbers: float) -> None:
        """Take the numbers of a step, the first being 0; a training that was broken off goes on with a later one."""
        self.metric(step=step, **numbers)
        if "right_mass" in numbers:
            self.mass = [*self.mass[1 - FEW :], numbers["right_mass"]]
        if step + 1 < self.from_step or self.said:
            return
        if len(self.mass) == FEW and sum(self.mass) / FEW < HALF:
            self.said.append("chosen_logp_fell")
            warn("chosen_logp_fell")


def warn(what: str) -> None:
    """Log one of the warnings in words."""
    log.warning("%s", WARNINGS[what])
