"""Is a run about to pay for something a second time? That is what an edited prompt does: its calls have new keys."""

from collections.abc import Callable
from typing import NamedTuple

from orcamath.plan.calls import StagePlan
from orcamath.plan.whole import Plan
from orcamath.store.stage import StageLabel

__all__ = ["PaidBefore", "paid_before"]

SHARE_OF_CAP = 0.05


class PaidBefore(NamedTuple):
    """Money that bought replies which the recipe, as it is now, does not ask for."""

    usd: float
    """Of it, what would be paid again."""
    stages: tuple[str, ...]


def paid_before(now: Plan, spent_usd: Callable[[str], float], cap_usd: float | None) -> PaidBefore | None:
    """Return what going on would pay again, where that is more than 5 % of the cap; None where it is not, or without a cap.

    `spent_usd(stage)`: what this run has spent on a stage so far. What of it is not found among the remembered calls of the
    stage (at today's price) was spent on other calls; it is paid again as far as the stage still has something to pay.
    Calls that timed out, and leases lost in a crash, count too: they were spent and brought nothing.
    """
    if cap_usd is None:
        return None
    stages: dict[str, list[StagePlan]] = {}
    for s in now.stages:
        if s.rehearsed and not s.waiting:  # of the others nobody knows yet what is remembered, or what it cost
            stages.setdefault(StageLabel.read(s.stage).name, []).append(s)
    again = {}
    for name, parts in stages.items():
        lost = spent_usd(name) - sum(s.remembered_usd for s in parts)
        again[name] = min(max(lost, 0.0), sum(s.usd.high for s in parts))
    total = sum(again.values())
    return (
        PaidBefore(total, tuple(n for n, usd in again.items() if usd > 0)) if total > SHARE_OF_CAP * cap_usd else None
    )
