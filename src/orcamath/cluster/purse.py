"""The run's cap where calls are made on other machines: workers lease money from the driver, who alone opens the budget's file.

A lease is written down before it is used, so what a dead worker had leased and not accounted for counts as spent.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orcamath.errors import CapReached
from orcamath.store.budget import Budget, Lease, Price

__all__ = ["DriverPurse", "Leased"]


class _Books(NamedTuple):
    """A lease as the budget's file knows it, told from afar."""

    number: int
    stage: str
    books: tuple[int, int, int, int]


class DriverPurse:
    """The driver's side: what a worker may ask of the budget, in plain values."""

    def __init__(self, path: Path, cap_usd: float | None, stage_caps_usd: Mapping[str, float]) -> None:
        self.budget = Budget(path, cap_usd, stage_caps_usd)

    def meter(self, stage: str, price: Price) -> int:
        """Open a lease and return its number."""
        return self.budget.meter(stage, price).number

    def grant(self, number: int, stage: str, books: tuple[int, int, int, int], lacking: int) -> int:
        """Add to a lease; returns how much, in nano-dollars."""
        return self.budget.grant(_Books(number, stage, books), lacking)

    def give_back(self, number: int, stage: str, books: tuple[int, int, int, int], spent: int) -> None:
        """End a lease with what it really cost."""
        self.budget.give_back(_Books(number, stage, books), spent)

    def reached(self, stage: str, next_usd: float, unused: int) -> CapReached:
        """Return the error that says which cap is in the way."""
        return self.budget.reached(stage, next_usd, unused)


class Leased:
    """The worker's side: a `Book` whose money lies with the driver."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        """`ask(method, *arguments)` calls a method of the purse and waits for what it returns."""
        self._ask = ask

    def meter(self, stage: str, price: Price) -> Lease:
        """Open a lease for one stage; nothing is granted yet."""
        number: int = self._ask("meter", stage, price)
        return Lease(self, stage, price, number)

    def grant(self, lease: Lease, lacking: int) -> int:
        """Add to a lease; returns how much, in nano-dollars."""
        granted: int = self._ask("grant", lease.number, lease.stage, lease.books, lacking)
        return granted

    def give_back(self, lease: Lease, spent: int) -> None:
        """End a lease with what it really cost."""
        self._ask("give_back", lease.number, lease.stage, lease.books, spent)

    def reached(self, stage: str, next_usd: float, unused: int) -> CapReached:
        """Return the error that says which cap is in the way."""
        reached: CapReached = self._ask("reached", stage, next_usd, unused)
        return reached
