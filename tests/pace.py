"""Bounds in seconds hold for an ordinary core, and on a slower one for as much work: what is slow there is all else as well.

A bound is at least five times what the thing takes on an ordinary core, and a fifth of what the fault takes that it is there for:
a core may be slow for a moment and fast in the next, when its pace is taken.
"""

import time

__all__ = ["within"]

USUAL_S = 0.04
"""CPU seconds of `_work` on an ordinary core."""


def within(took_s: float, bound_s: float) -> bool:
    """Tell whether something took less than `bound_s`, or than that many times as much as this core is slower, just now."""
    return took_s < bound_s or took_s < bound_s * _work() / USUAL_S


def _work() -> float:
    began, total = time.process_time(), 0
    for i in range(1_000_000):
        total += i
    return time.process_time() - began
