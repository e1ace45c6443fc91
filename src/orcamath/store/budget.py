"""Money: a hard cap that holds through crashes and across processes, and the meter that every paid call goes through.

`Budget` is one SQLite file. A meter takes *leases* from it, blocks of money that are written down before they are used; a
call *reserves* the most it can cost (`most_tokens`) out of the lease before it is sent, and *settles* by the bill after.
What a crashed process had leased and not accounted for counts as spent, so the cap is never passed, only undershot.
Money is counted in whole nano-dollars, each call rounded up.
"""

import math
import os
import socket
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from orcamath.errors import SchemaTooNew
from orcamath.ports import Request, Usage

__all__ = ["NANO", "Budget", "Lease", "Meter", "Price", "most_tokens"]

NANO = 1_000_000_000
BUDGET_VERSION = 1
BLOCKS = 200
"""A lease grows by a two-hundredth of the cap: what one crash can lose, beside the calls in flight."""
TOKENS_A_MESSAGE = 16
"""What a chat template may add around one message."""

_TABLE = """CREATE TABLE leases (id INTEGER PRIMARY KEY, stage TEXT NOT NULL, holder TEXT NOT NULL,
            granted INTEGER NOT NULL, spent INTEGER NOT NULL, calls INTEGER NOT NULL, open INTEGER NOT NULL)"""


class Price(NamedTuple):
    """US dollars per million tokens."""

    prompt: float
    completion: float

    def nano(self, usage: Usage) -> int:
        """Return what a call costs, in nano-dollars, rounded up."""
        return math.ceil((usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) * 1000 - 1e-6)

    def usd(self, usage: Usage) -> float:
        """Return what a call costs, in dollars."""
        return (usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) / 1e6


def most_tokens(request: Request) -> Usage:
    """Return the most tokens that a call can be billed for: a token is at least one UTF-8 byte; thinking counts as output."""
    if request.token_ids is not None:
        n = len(request.token_ids) + TOKENS_A_MESSAGE
    else:
        n = sum(len(m.content.encode("utf-8", "surrogatepass")) + TOKENS_A_MESSAGE for m in request.messages)
    return Usage(n + TOKENS_A_MESSAGE, request.sampling.max_tokens)


class Meter(Protocol):
    """What a backend that costs money asks before and tells after every call on the wire."""

    @property
    def spent_usd(self) -> float:
        """Spent through this meter so far, in this process."""
        ...

    def reserve(self, request: Request) -> int | None:
        """Hold the most the call can cost, in nano-dollars; None where there is no room for it now."""
        ...

    def settle(self, held: int, billed: Usage | None, *, sent: bool) -> None:
        """Book what a call cost: `billed`; all that was held where nobody can tell; nothing where not `sent`."""
        ...


class Lease:
    """A stage's meter in one process. See `Meter`; `close` gives back what was not spent."""

    def __init__(self, budget: "Budget", stage: str, price: Price, number: int) -> None:
        self.stage, self.price = stage, price
        self._budget, self._number = budget, number
        self._granted = self._reserved = self._spent = self._calls = 0
        self._lock = threading.Lock()  # a stranger's backend may drive several wires at once

    @property
    def spent_usd(self) -> float:
        """Spent through this lease so far."""
        return self._spent / NANO

    def reserve(self, request: Request) -> int | None:
        """Hold the most this call can cost; the lease grows first where it must. None where the cap is in the way."""
        most = self.price.nano(most_tokens(request))
        with self._lock:
            lacking = self._spent + self._reserved + most - self._granted
            if lacking > 0:
                granted = self._budget.grant(self._number, self.stage, lacking, self._spent, self._calls)
                if granted < lacking:
                    return None
                self._granted += granted
            self._reserved += most
        return most

    def settle(self, held: int, billed: Usage | None, *, sent: bool) -> None:
        """Book one call. A bill above what was held is booked as it is: the money is gone."""
        with self._lock:
            self._reserved -= held
            if sent:
                self._spent += held if billed is None else self.price.nano(billed)
                self._calls += 1

    def close(self) -> None:
        """Write down what was spent and give the rest back."""
        self._budget.give_back(self._number, self._spent + self._reserved, self._calls)


class Budget:
    """The cap of one run, and of its stages, in one file that its processes share.

    `cap_usd` None sets no limit: spending is booked all the same. Raises SchemaTooNew on a file from a later version.
    """

    def __init__(self, path: Path, cap_usd: float | None, stage_caps_usd: Mapping[str, float] | None = None) -> None:
        self.path = path
        self.cap = None if cap_usd is None else math.floor(cap_usd * NANO)
        self.stage_caps = {stage: math.floor(usd * NANO) for stage, usd in (stage_caps_usd or {}).items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")  # a lease is on disk before it is used
        self._db.execute("BEGIN IMMEDIATE")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.execute(_TABLE)
            self._db.execute(f"PRAGMA user_version={BUDGET_VERSION}")
        self._db.execute("COMMIT")
        if version > BUDGET_VERSION:
            self._db.close()
            raise SchemaTooNew(
                f"the budget `{path}` has version {version}, known is {BUDGET_VERSION}: upgrade orcamath"
            )
        self._leases: list[Lease] = []

    def meter(self, stage: str, price: Price) -> Lease:
        """Open a lease for one stage; nothing is granted yet."""
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        values = (stage, holder)
        row = self._db.execute("INSERT INTO leases VALUES (NULL,?,?,0,0,0,1)", values).lastrowid
        assert row is not None
        lease = Lease(self, stage, price, row)
        self._leases.append(lease)
        return lease

    def spent_usd(self, stage: str | None = None) -> float:
        """Return what is spent for certain or leased to somebody, of the run or of one stage."""
        return self._committed(stage) / NANO

    def left_usd(self) -> float | None:
        """Return what may still be leased; None where there is no cap."""
        return None if self.cap is None else (self.cap - self._committed(None)) / NANO

    def grant(self, number: int, stage: str, lacking: int, spent: int, calls: int) -> int:
        """Add to a lease, by a block if the caps allow one, by less if not; returns how much, 0 if not even `lacking`."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            room = [lacking + _block(self.cap)]
            for cap, of in ((self.cap, None), (self.stage_caps.get(stage), stage)):
                if cap is not None:
                    room.append(cap - self._committed(of))
            granted = min(room)
            granted = granted if granted >= lacking else 0
            self._db.execute(
                "UPDATE leases SET granted=granted+?, spent=?, calls=? WHERE id=?", (granted, spent, calls, number)
            )
        finally:
            self._db.execute("COMMIT")
        return granted

    def give_back(self, number: int, spent: int, calls: int) -> None:
        """End a lease with what it really cost."""
        self._db.execute(
            "UPDATE leases SET granted=?, spent=?, calls=?, open=0 WHERE id=?", (spent, spent, calls, number)
        )

    def close(self) -> None:
        """Close this process's leases and the file."""
        for lease in self._leases:
            lease.close()
        self._leases = []
        self._db.close()

    def _committed(self, stage: str | None) -> int:
        query = "SELECT coalesce(sum(max(granted, spent)), 0) FROM leases WHERE ? IS NULL OR stage = ?"
        return int(self._db.execute(query, (stage, stage)).fetchone()[0])


def _block(cap: int | None) -> int:
    return NANO if cap is None else cap // BLOCKS
