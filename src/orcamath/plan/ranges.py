"""A number that is only known between two ends."""

from typing import NamedTuple

__all__ = ["Range", "around"]

SPREAD = 0.15


class Range(NamedTuple):
    """From the least to the most that is expected."""

    low: float
    high: float

    def times(self, other: "Range | float") -> "Range":
        """Return the product, end by end."""
        low, high = other if isinstance(other, Range) else (other, other)
        return Range(self.low * low, self.high * high)

    def plus(self, other: "Range | float") -> "Range":
        """Return the sum, end by end."""
        low, high = other if isinstance(other, Range) else (other, other)
        return Range(self.low + low, self.high + high)

    def at_most(self, limit: float | None) -> "Range":
        """Return it with both ends no higher than `limit`."""
        return self if limit is None else Range(min(self.low, limit), min(self.high, limit))


def around(value: float) -> Range:
    """Return ± 15 % around something measured on a part."""
    return Range(value * (1 - SPREAD), value * (1 + SPREAD))
