"""Money: a hard cap that holds through crashes and across processes, and the meter that every paid call goes through.

`Budget` is one SQLite file. A meter takes *leases* from it, blocks of money that are written down before they are used; a
call *reserves* the most it can cost (`most_tokens`) out of the lease before it is sent, and *settles* by the bill after.
What a crashed process had leased and not accounted for counts as spent, so the cap is never passed, only undershot.
Money is counted in whole nano-dollars, each call rounded up. Each lease is kept with a checksum.

A bill is what the endpoint says (`believed`), unless that cannot be: then it is our own count, and the lease notes it.
"""

import math
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from orcamath.errors import CapReached, SchemaTooNew
from orcamath.ports import Request, Usage
from orcamath.store.bill import NOTHING, Price, believed, most_tokens, prompt_bytes
from orcamath.store.leases import LEASE, NANO, checksum, committed, doubts_in
from orcamath.store.sqlite_errors import connect, explained, transaction
from orcamath.text.money import dollars

__all__ = [
    "NANO",
    "Book",
    "Booked",
    "Budget",
    "Lease",
    "Meter",
    "Price",
    "believed",
    "most_tokens",
    "prompt_bytes",
]

BUDGET_VERSION = 2
BLOCKS = 200
"""A lease grows by a two-hundredth of the cap: what one crash can lose, beside the calls in flight."""

_TABLE = """CREATE TABLE leases (id INTEGER PRIMARY KEY, stage TEXT NOT NULL, holder TEXT NOT NULL,
            granted INTEGER NOT NULL, spent INTEGER NOT NULL, calls INTEGER NOT NULL, open INTEGER NOT NULL)"""
_FROM_VERSION_1 = (
    "ALTER TABLE leases ADD COLUMN replaced INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE leases ADD COLUMN above INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE leases ADD COLUMN sum BLOB",
)
MOST_NANO = 10**15
"""More than a million dollars is not booked for one call, whatever its endpoint claims: the sums must stay numbers."""


class Meter(Protocol):
    """What a backend that costs money asks before and tells after every call on the wire."""

    @property
    def spent_usd(self) -> float:
        """Spent through this meter so far, in this process."""
        ...

    def reserve(self, request: Request, extra: Mapping[str, object] = NOTHING) -> int | None:
        """Hold the most the call can cost, in nano-dollars; None where there is no room for it now.

        `extra`: further fields of the body that is sent.
        """
        ...

    def settle(self, held: int, billed: Usage | None, *, sent: bool, replaced: bool = False) -> None:
        """Book what a call cost: `billed`; all that was held where nobody can tell; nothing where not `sent`.

        `replaced`: the bill is our own count, since the endpoint's could not be.
        """
        ...

    def reached(self, request: Request, extra: Mapping[str, object] = NOTHING) -> CapReached:
        """Return what to raise where there is no room for this call: cap, spent, and what it would cost."""
        ...


class Booked(Protocol):
    """A lease as the book knows it."""

    @property
    def number(self) -> int:
        """Its row."""
        ...

    @property
    def stage(self) -> str:
        """Whose money it is."""
        ...

    @property
    def books(self) -> tuple[int, int, int, int]:
        """Spent (nano-dollars), calls, bills replaced by our own count, bills above what was reserved."""
        ...


class Book(Protocol):
    """Where leases come from: the budget itself, or somebody who asks it from afar."""

    def meter(self, stage: str, price: Price) -> "Lease":
        """Open a lease for one stage; nothing is granted yet."""
        ...

    def grant(self, lease: "Lease", lacking: int) -> int:
        """Add to a lease; returns how much, in nano-dollars, 0 if not even `lacking`."""
        ...

    def give_back(self, lease: "Lease", spent: int) -> None:
        """End a lease with what it really cost."""
        ...

    def reached(self, stage: str, next_usd: float, unused: int) -> CapReached:
        """Return the error that says which cap is in the way; `unused`: of what is leased, in nano-dollars."""
        ...


class Lease:
    """A stage's meter in one process. See `Meter`; `close` gives back what was not spent."""

    def __init__(self, budget: Book, stage: str, price: Price, number: int) -> None:
        self.stage, self.price = stage, price
        self._budget, self.number = budget, number
        self._granted = self._reserved = self._spent = 0
        self.calls = self.replaced = self.above = 0
        self._lock = threading.Lock()  # a stranger's backend may drive several wires at once

    @property
    def spent_usd(self) -> float:
        """Spent through this lease so far."""
        return self._spent / NANO

    def reserve(self, request: Request, extra: Mapping[str, object] = NOTHING) -> int | None:
        """Hold the most this call can cost; the lease grows first where it must. None where the cap is in the way."""
        most = self.price.nano(most_tokens(request, extra))
        with self._lock:
            lacking = self._spent + self._reserved + most - self._granted
            if lacking > 0:
                granted = self._budget.grant(self, lacking)
                if granted < lacking:
                    return None
                self._granted += granted
            self._reserved += most
        return most

    def settle(self, held: int, billed: Usage | None, *, sent: bool, replaced: bool = False) -> None:
        """Book one call. A bill above what was held is booked as it is, and counted: the money is gone."""
        with self._lock:
            self._reserved -= held
            if sent:
                cost = held if billed is None else min(self.price.nano(billed), MOST_NANO)
                self._spent += cost
                self.calls += 1
                self.replaced += replaced
                self.above += cost > held

    def reached(self, request: Request, extra: Mapping[str, object] = NOTHING) -> CapReached:
        """Return the error that says cap, spent, and the price of the call there is no room for."""
        next_usd = self.price.nano(most_tokens(request, extra)) / NANO
        return self._budget.reached(self.stage, next_usd, self._granted - self._spent - self._reserved)

    @property
    def books(self) -> tuple[int, int, int, int]:
        """Spent (nano-dollars), calls, bills replaced by our own count, bills above what was reserved."""
        return self._spent, self.calls, self.replaced, self.above

    def close(self) -> None:
        """Write down what was spent and give the rest back; a later call leases anew."""
        with self._lock:
            self._granted = self._spent + self._reserved
            self._budget.give_back(self, self._granted)


class Budget:
    """The cap of one run, and of its stages, in one file that its processes share.

    `cap_usd` None sets no limit: spending is booked all the same. Raises SchemaTooNew on a file from a later version.
    """

    def __init__(self, path: Path, cap_usd: float | None, stage_caps_usd: Mapping[str, float] | None = None) -> None:
        self.path = path
        self.cap = None if cap_usd is None else math.floor(cap_usd * NANO)
        self.stage_caps = {stage: math.floor(usd * NANO) for stage, usd in (stage_caps_usd or {}).items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._leases: list[Lease] = []
        with explained(path, "the budget"):
            self._db = connect(path)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")  # a lease is on disk before it is used
            self._db.execute("PRAGMA wal_autocheckpoint=1")  # and in the file itself: a lost log takes nothing away
            self._open()

    def _open(self) -> None:
        with transaction(self._db):
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > BUDGET_VERSION:
                raise SchemaTooNew(
                    f"the budget `{self.path}` has version {version}, known is {BUDGET_VERSION}: upgrade orcamath"
                )
            if version == 0:
                self._db.execute(_TABLE)
            if version < 2:
                for statement in _FROM_VERSION_1:
                    self._db.execute(statement)
                for (number,) in self._db.execute("SELECT id FROM leases").fetchall():
                    self._summed(number)
                self._db.execute(f"PRAGMA user_version={BUDGET_VERSION}")

    def meter(self, stage: str, price: Price) -> Lease:
        """Open a lease for one stage; nothing is granted yet."""
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        with explained(self.path, "the budget"), transaction(self._db):
            row = self._db.execute(
                "INSERT INTO leases(stage, holder, granted, spent, calls, open) VALUES (?,?,0,0,0,1)", (stage, holder)
            ).lastrowid
            assert row is not None
            self._summed(row)
        lease = Lease(self, stage, price, row)
        self._leases.append(lease)
        return lease

    def spent_usd(self, stage: str | None = None) -> float:
        """Return what is spent for certain or leased to somebody, of the run or of one stage."""
        return self._committed(stage) / NANO

    def doubts(self) -> dict[str, tuple[int, int]]:
        """Return for each stage how many bills were replaced by our own count, and how many were above what was reserved."""
        return doubts_in(self._db)

    def reached(self, stage: str, next_usd: float, unused: int) -> CapReached:
        """Return the error that says which cap is reached, what is spent, and what the next call may cost."""
        caps = [("cap_usd", self.cap, None), (f"stages_usd.{stage}", self.stage_caps.get(stage), stage)]
        left = {f"budget.{name}": (cap, self._committed(of) - unused) for name, cap, of in caps if cap is not None}
        said = [
            f"`{n}` is {dollars(cap / NANO)}, of which {dollars(spent / NANO)} is spent or held for calls under way"
            for n, (cap, spent) in left.items()
        ]
        cap = min(left, key=lambda n: left[n][0] - left[n][1])
        return CapReached(
            f"stage `{stage}` stops: {'; '.join(said)}; the next call may cost {dollars(next_usd)}. All that came is kept: run "
            f"again with a higher cap (`--set {cap}=…`), or leave it",
            cap=cap,
        )

    def grant(self, lease: Booked, lacking: int) -> int:
        """Add to a lease, by a block if the caps allow one, by less if not; returns how much, 0 if not even `lacking`."""
        with explained(self.path, "the budget"), transaction(self._db):
            room = [lacking + _block(self.cap)]
            for cap, of in ((self.cap, None), (self.stage_caps.get(lease.stage), lease.stage)):
                if cap is not None:
                    room.append(cap - self._committed(of))
            granted = min(room)
            granted = granted if granted >= lacking else 0
            self._write("open=1, granted=granted+?", lease, granted)
        return granted

    def give_back(self, lease: Booked, spent: int) -> None:
        """End a lease with what it really cost."""
        with explained(self.path, "the budget"), transaction(self._db):
            self._write("open=0, granted=?", lease, spent)
            self._db.execute("UPDATE leases SET spent=? WHERE id=?", (spent, lease.number))
            self._summed(lease.number)

    def close(self) -> None:
        """Close this process's leases and the file."""
        for lease in self._leases:
            lease.close()
        self._leases = []
        self._db.close()

    def _write(self, how: str, lease: Booked, amount: int) -> None:
        query = f"UPDATE leases SET {how}, spent=?, calls=?, replaced=?, above=? WHERE id=?"  # noqa: S608
        self._db.execute(query, (amount, *lease.books, lease.number))
        self._summed(lease.number)

    def _summed(self, number: int) -> None:
        """Keep a lease's checksum with it."""
        row = self._db.execute(f"SELECT {LEASE} FROM leases WHERE id=?", (number,)).fetchone()  # noqa: S608
        self._db.execute("UPDATE leases SET sum=? WHERE id=?", (checksum(row), number))

    def _committed(self, stage: str | None) -> int:
        """Return what is spent or leased, in nano-dollars, of the run or of one stage. Raises DataError: see `committed`."""
        booked = committed(self._db, self.path)
        return booked.total() if stage is None else booked[stage]


def _block(cap: int | None) -> int:
    return NANO if cap is None else cap // BLOCKS
