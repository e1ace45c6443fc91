"""The stage under way: where every model of this process books what it was asked, what never came through, what it cost.

A process makes one stage at a time, so a model finds the stage by itself, however deep it lies: in a judge of somebody's own,
in a list, in a closure, behind a backend that wraps another. Nobody is handed the books, so nobody can forget to hand them on.
`Store.stage` opens them; `Remembered` writes down calls and failures; a backend that costs money asks `meter` who pays.

What a stranger's code sends over a connection of its own passes neither, and cannot be booked.
"""

import threading
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from orcamath.store.budget import Book, Lease, Meter, Price

__all__ = ["Calls", "meter", "stage_under_way", "under_way"]


class Calls:
    """The books of one stage's model calls. In memory 8 bytes a call, and the text of each failure."""

    def __init__(self, stage: str, budget: Book | None = None) -> None:
        self.stage = stage
        self.failures: list[str] = []
        """Errors of calls that never came through on the wire: the stage is not sealed while there are any."""
        self._budget = budget
        self._keys = array("Q")
        self._known, self._n_known = set[int](), 0
        self._leases: dict[Price, Lease] = {}
        self._told: list[Price] = []
        self._lock = threading.Lock()

    @property
    def n(self) -> int:
        """How many distinct calls its models were asked, remembered ones among them."""
        return len(np.unique(np.frombuffer(self._keys, np.uint64))) if self._keys else 0

    @property
    def spent_usd(self) -> float:
        """What its models have cost so far, in this process."""
        return sum(lease.spent_usd for lease in self._leases.values())

    def asked(self, key: bytes) -> None:
        """Count a call."""
        self._keys.append(int.from_bytes(key[:8], "big"))

    def has_asked(self, key: bytes) -> bool:
        """Tell whether a call was counted: looked up where a reply is missing."""
        self._known.update(self._keys[self._n_known :])
        self._n_known = len(self._keys)
        return int.from_bytes(key[:8], "big") in self._known

    def failed(self, errors: Iterable[str]) -> None:
        """Book calls that never came through."""
        self.failures += errors

    @contextmanager
    def priced(self, price: Price | None) -> Iterator[None]:
        """Let what a recipe says of a model's price hold for every wire behind that model. None: each wire knows its own."""
        if price is None:
            yield
            return
        self._told.append(price)
        try:
            yield
        finally:
            self._told.pop()

    def lease(self, price: Callable[[], Price]) -> Lease | None:
        """Return the meter for a wire whose price is `price()`, unless the recipe says another; None without a budget."""
        if self._budget is None:
            return None
        known = self._told[-1] if self._told else price()
        with self._lock:
            if known not in self._leases:
                self._leases[known] = self._budget.meter(self.stage, known)
            return self._leases[known]

    def close(self) -> None:
        """Write down what was spent and give the rest back; what is asked later leases anew."""
        for lease in self._leases.values():
            lease.close()


_open: list[Calls] = []


@contextmanager
def stage_under_way(stage: str, budget: Book | None = None) -> Iterator[Calls]:
    """Open the books of a stage; until they are closed every model of the process writes into them."""
    calls = Calls(stage, budget)
    _open.append(calls)
    try:
        yield calls
    finally:
        _open.remove(calls)
        calls.close()


def under_way() -> Calls | None:
    """Return the books that are open, None between stages."""
    return _open[-1] if _open else None


def meter(price: Callable[[], Price]) -> Meter | None:
    """Return whom a wire asks before and tells after every call it makes; None where nobody keeps a budget.

    `price()` is what the wire's own settings say, asked only where it counts. Raises what it raises (RecipeError).
    """
    calls = under_way()
    return calls.lease(price) if calls is not None else None
