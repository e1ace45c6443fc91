"""How a report writes durations, differences and p."""

import re

__all__ = ["duration", "minus", "p_value"]


def duration(seconds: float) -> str:
    """Write seconds as seconds, minutes or hours."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def minus(figures: str) -> str:
    """Write a true minus sign before digits."""
    return re.sub(r"-(?=[0-9])", "−", figures)


def p_value(p: float) -> str:
    """Write McNemar's p with no more digits than it is good for."""
    return "<\u00a00.001" if p < 0.001 else f"{p:.3f}"
