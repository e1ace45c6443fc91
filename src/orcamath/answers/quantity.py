"""A number in a text: its exact value and where it stands."""

from fractions import Fraction
from typing import Literal, NamedTuple

__all__ = ["Form", "Quantity"]

Form = Literal["number", "fraction", "percent", "ratio", "clock", "word", "multiplier", "ordinal"]


class Quantity(NamedTuple):
    """A number in a text. `text == source[start:end]`."""

    value: Fraction
    text: str
    start: int
    end: int
    form: Form = "number"
    unit: str = ""
    """`$`, `€`, `£` or `%` where written; units in words are read by `units`."""

    @property
    def shown(self) -> Fraction:
        """The number as it stands on the page: 60 for `60%`."""
        return self.value * 100 if self.form == "percent" else self.value
