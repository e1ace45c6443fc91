"""What `status` prints: running, or stopped and why; what is under way and next; money; every arm; how to go on.

In: how a run stands (`view.live`). Out: plain lines for a terminal.
"""

from collections.abc import Iterator

from orcamath.text.money import dollars
from orcamath.view.live import ArmNow, RunNow, StageNow

__all__ = ["lines_of"]

SAID = {
    "running": "running",
    "done": "done",
    "until": "stopped where it was told to",
    "stopped": "stopped, goes on where it was",
    "failed": "failed",
    "interrupted": "interrupted",
    "gone": "not running; its process ended without a word",
    "waiting": "waiting",
}


def lines_of(now: RunNow) -> Iterator[str]:
    """Yield the lines."""
    base = now.arms[0]
    yield f"{now.name}: {SAID.get(now.stands, now.stands)}"
    if now.why and now.stands not in {"running", "done"}:
        yield from (f"  why        {line}" for line in now.why.split("\n"))
    for arm in now.arms:
        if (what := _under_way(arm)) is not None:
            yield f"  under way  {arm.name + ': ' if arm.name else ''}{what}"
    following = next(
        (f"{a.name + ': ' if a.name else ''}{s.label}" for a in now.arms for s in a.stages if s.stands == "to come"),
        None,
    )
    if following is not None and now.stands != "done":
        yield f"  next       {following}"
    if now.money.doubt:
        yield f"  spent      not known: {now.money.doubt}"
    elif now.money.spent or now.money.cap is not None:
        of = f" of {dollars(now.money.cap)}" if now.money.cap is not None else ""
        yield f"  spent      {dollars(now.money.spent)}{of}{_held(now)}"
    if now.stands not in {"running", "done"}:
        yield f"  go on      {now.command}"
    yield from _stages(base)
    for arm in now.arms[1:]:
        yield f"arm {arm.name}: {SAID.get(arm.stands, arm.stands)}" + (f" ({arm.why})" if arm.why else "")
        yield from _stages(arm)


def _held(now: RunNow) -> str:
    """Say what part of the money is not billed but held: it counts as spent, so that no cap is ever passed."""
    if not now.money.held:
        return ""
    whose = (
        "for calls under way" if now.stands == "running" else "for a process that was killed, whose bills nobody knows"
    )
    return f" ({dollars(now.money.held)} of it is held {whose})"


def _under_way(arm: ArmNow) -> str | None:
    label = next((s.label for s in arm.stages if s.stands == "now"), None)
    if label is None:
        return None
    of = f" of {arm.total:,}" if arm.total else ""
    count = f", {arm.what}: {arm.n:,}{of}" if arm.what else ""
    rate = f", {arm.rate_s:,.1f}/s" if arm.rate_s else ""
    left = f", {arm.left_s:,.0f} s left" if arm.left_s is not None else ""
    return label + count + rate + left


def _stages(arm: ArmNow) -> Iterator[str]:
    shared = [s.label for s in arm.stages if s.stands == "shared"]
    if shared:
        yield f"  {len(shared)} shared: {', '.join(shared)}"
    yield from (line for s in arm.stages if s.stands == "done" for line in _stage(s))
    later = [s.label for s in arm.stages if s.stands == "to come"]
    if later:
        yield f"  to come: {', '.join(later)}"


def _stage(stage: StageNow) -> Iterator[str]:
    rejected = f", {stage.rejected:,} rejected" if stage.rejected else ""
    yield f"  {stage.label:<14} {stage.made}{rejected} ({stage.seconds:,.1f} s)"
    yield from (f"  {'':<14} warning: {w}" for w in stage.warnings)
