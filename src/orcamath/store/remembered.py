"""A model with the ledger in front of it: what every stage holds instead of a bare model."""

from collections.abc import Iterable, Iterator, Set
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from orcamath.errors import DiskFull
from orcamath.ports import Batched, Chat, Progress, Reply, Request
from orcamath.store.budget import Price
from orcamath.store.under_way import Calls, under_way

__all__ = ["Memory", "Remembered"]

LOOK_EVERY = 16
"""Requests between two looks at how much room is left."""


class Memory(Protocol):
    """The part of the ledger that is needed here."""

    def get(self, key: bytes) -> Reply | None:
        """Return a reply, or None."""
        ...

    def has(self, key: bytes) -> bool:
        """Tell whether a key is known."""
        ...

    def put(self, request: Request, fingerprint: str, reply: Reply) -> None:
        """Keep a reply."""
        ...

    def put_together(self, fingerprint: str, replies: Iterable[tuple[Request, Reply]]) -> None:
        """Keep replies, all or none."""
        ...

    def commit(self) -> None:
        """Make durable what was kept."""
        ...

    def roomy(self) -> bool:
        """Tell whether more can be kept."""
        ...

    def full(self) -> DiskFull:
        """Return what to raise when not."""
        ...


@dataclass
class _Chunk:
    """What has come back of one fixed chunk."""

    left: int
    whole: bool = True
    came: list[tuple[Request, Reply]] = field(default_factory=list)


@dataclass
class _Asked:
    """A request under way, and the chunks that wait for it (none where calls stand alone)."""

    request: Request
    chunks: list[_Chunk] = field(default_factory=list)


class Remembered:
    """Asks a model what is not known yet, knows it from then on, and books it on the stage under way."""

    def __init__(self, chat: Chat, ledger: Memory, price: Price | None = None) -> None:
        """`price`: what the recipe says that its tokens cost; None where the backend is to know."""
        self.chat = chat
        self.ledger = ledger
        self.price = price

    @property
    def fingerprint(self) -> str:
        """The model's."""
        return self.chat.fingerprint

    @property
    def batched(self) -> bool:
        """Whether its calls lie with a provider for hours, so that many are better handed in at once."""
        return isinstance(self.chat, Batched)

    def reply(self, request: Request) -> Reply | None:
        """Return the remembered reply to a request; None where it never came through."""
        return self.ledger.get(request.key(self.fingerprint))

    def handed_in(self) -> Set[bytes]:
        """Return the keys of calls that lie in a provider's batch: paid for, not remembered yet."""
        return self.chat.handed_in() if isinstance(self.chat, Batched) else frozenset()

    def fill(self, requests: Iterable[Request], progress: Progress | None = None) -> list[str]:
        """Bring every request into the ledger; returns the errors of those that failed on the wire.

        The stage under way has calls, failures and money in its books then.

        Known calls are not sent, equal ones in flight are sent once. A model with fixed chunks gets a chunk whole or
        not at all, and a chunk is remembered whole or not at all, so that its numbers do not depend on what an earlier
        run already had. Raises DiskFull when room runs short, after keeping what was under way.
        """
        calls = under_way()
        with calls.priced(self.price) if calls is not None else nullcontext():
            failures = _Fill(self.chat, self.ledger, progress, calls).run(requests)
        if calls is not None:
            calls.failed(failures)
        return failures


class _Fill:
    """One pass of `fill`: what is under way, and what has come back of every chunk."""

    def __init__(self, chat: Chat, ledger: Memory, progress: Progress | None, calls: Calls | None) -> None:
        self.chat, self.ledger, self.progress, self.calls = chat, ledger, progress, calls
        self.under_way: dict[bytes, _Asked] = {}
        self.failures: list[str] = []
        self.full = False
        self.spent = self.spent_usd()

    def run(self, requests: Iterable[Request]) -> list[str]:
        whole = self.chat.chunk is not None
        try:
            with closing(self.chat(self.missing_chunks(requests) if whole else self.missing(requests))) as replies:
                for reply in replies:
                    asked = self.under_way[reply.key]
                    if reply.error is not None:
                        self.failures.append(reply.error)
                    if asked.chunks:
                        self.keep_chunk(asked.chunks.pop(0), asked.request, reply)
                    elif reply.error is None:
                        self.ledger.put(asked.request, self.chat.fingerprint, reply)
                    if not asked.chunks:
                        del self.under_way[reply.key]
                    self.advance(1)
        finally:
            self.ledger.commit()
        if self.full:
            raise self.ledger.full()
        return self.failures

    def missing(self, requests: Iterable[Request]) -> Iterator[Request]:
        """Yield what is neither known nor under way."""
        n, fingerprint = 0, self.chat.fingerprint
        for request in requests:
            key = self.key(request, fingerprint)
            if key in self.under_way or self.ledger.has(key):
                self.advance(1)
                continue
            if n % LOOK_EVERY == 0 and not self.ledger.roomy():
                self.full = True
                return
            n += 1
            self.under_way[key] = _Asked(request)
            yield request

    def missing_chunks(self, requests: Iterable[Request]) -> Iterator[Request]:
        """Yield every chunk in which something is not known, whole."""
        source, fingerprint = iter(requests), self.chat.fingerprint
        while chunk := list(islice(source, self.chat.chunk)):
            keys = [self.key(request, fingerprint) for request in chunk]
            if all(self.ledger.has(key) for key in keys):
                self.advance(len(chunk))
                continue
            if not self.ledger.roomy():
                self.full = True
                return
            begun = _Chunk(len(chunk))
            for request, key in zip(chunk, keys, strict=True):
                self.under_way.setdefault(key, _Asked(request)).chunks.append(begun)
                yield request

    def keep_chunk(self, chunk: _Chunk, request: Request, reply: Reply) -> None:
        """Hold a reply back until its chunk is complete; a chunk with a failure in it is not kept."""
        chunk.left -= 1
        chunk.whole &= reply.error is None
        chunk.came.append((request, reply))
        if not chunk.left and chunk.whole:
            self.ledger.put_together(self.chat.fingerprint, chunk.came)

    def key(self, request: Request, fingerprint: str) -> bytes:
        key = request.key(fingerprint)
        if self.calls is not None:
            self.calls.asked(key)
        return key

    def spent_usd(self) -> float:
        return self.calls.spent_usd if self.calls is not None else 0.0

    def advance(self, n: int) -> None:
        if self.progress is not None:
            before, self.spent = self.spent, self.spent_usd()
            self.progress.advance(n, spent_usd=self.spent - before)
