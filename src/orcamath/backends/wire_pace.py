"""How fast one endpoint is asked: slots that adapt (AIMD), pauses it demands, its limits a minute, and a circuit breaker.

The first call goes alone: a wrong key, model or address is found by it. Then additive increase, multiplicative decrease (Chiu
& Jain 1989): every answer adds 1/limit to the limit (1 until something is cut: slow start, Jacobson 1988), a throttle or a
timeout cuts it to 0.7, once for all calls sent before the cut. A server that queues (two slots, sixty-four calls) does not
say so, it answers later and later: an answer that takes more than `SLOW` times as long as the quickest one and more than
half of the timeout cuts the limit too, before calls are lost. After `MAX_FAILURES` wire failures without one answer between,
one call at a time probes; after `MAX_PROBES` vain ones the run stops, resumable.
"""

import asyncio
import random
import time
from collections import deque

from orcamath.errors import WireDown

__all__ = ["Bucket", "Pace", "backoff", "bounded"]

MAX_FAILURES = 20
MAX_PROBES = 5
CUT = 0.7
FIRST_LIMIT = 8
IDLE_S = 60.0
"""After so long without an answer the next call goes alone again."""
SLOW = 2.0
"""An answer that takes so many times the quickest one's time was waiting for its turn."""
BURST_S = 5.0
"""How many seconds of a limit a minute may be used at once."""
LONGEST_WAIT_S = 900.0
_jitter = random.Random()


def backoff(attempt: int, first_s: float, longest_s: float = 60.0) -> float:
    """Return a wait drawn from [0, min(longest, first · 2^attempt)] (full jitter)."""
    return _jitter.uniform(0, min(longest_s, first_s * 2 ** min(attempt, 20)))


def bounded(retry_after: float | None) -> float:
    """Return how long an endpoint asks to wait, 0 where it does not. Raises WireDown where that is too long to sit through."""
    if retry_after is not None and retry_after > LONGEST_WAIT_S:
        raise WireDown(f"the endpoint asks to wait {retry_after / 60:,.0f} minutes: run again after that")
    return retry_after or 0.0


class Bucket:
    """A limit a minute. `wait(n)` takes n and returns how long to wait first."""

    def __init__(self, per_minute: float) -> None:
        self.per_s = per_minute / 60
        self.free_at = 0.0

    def wait(self, n: float, now: float) -> float:
        """Take `n` at time `now` (seconds); returns seconds until they may be used."""
        self.free_at = max(self.free_at, now - BURST_S) + n / self.per_s
        return max(self.free_at - now, 0.0)


class Pace:
    """One endpoint's pace; lives as long as the endpoint, so that a second stage starts at the right speed."""

    def __init__(
        self,
        ceiling: int,
        *,
        requests_per_minute: float | None,
        tokens_per_minute: float | None,
        pause_s: float,
        timeout_s: float = 120.0,
    ) -> None:
        self.ceiling, self.timeout_s = ceiling, timeout_s
        self.known = False
        """Whether the endpoint has answered lately."""
        self._answered_at = -IDLE_S
        self._growing = True
        self._quickest = timeout_s
        self.limit = float(min(ceiling, FIRST_LIMIT))
        self.sending = 0
        self.pause_s = pause_s
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._paused_until = 0.0
        self._cut_at = -1.0
        self._requests = Bucket(requests_per_minute) if requests_per_minute else None
        self._tokens = Bucket(tokens_per_minute) if tokens_per_minute else None
        self.failures = 0
        self.down = False
        self._down_at = 0.0
        self._probing = False
        self._probes = 0

    def start(self) -> None:
        """Forget who waits: a new event loop begins."""
        self.sending, self._probing = 0, False
        self.known = time.monotonic() - self._answered_at < IDLE_S
        self._waiters.clear()
        self._paused_until = self._cut_at = -1.0  # loop clocks may differ

    async def turn(self, n_tokens: int) -> float:
        """Wait until one call may be sent, and take its slot (give it back with `left`); returns the loop's time."""
        loop = asyncio.get_running_loop()
        if self._requests or self._tokens:
            now = loop.time()
            wait = self._requests.wait(1, now) if self._requests else 0.0
            wait = max(wait, self._tokens.wait(n_tokens, now) if self._tokens else 0.0)
            if wait:
                await asyncio.sleep(wait)
        while True:
            pause = self._paused_until - loop.time()
            if pause > 0:
                await asyncio.sleep(pause + backoff(0, self.pause_s / 10))
            elif self.sending >= (int(self.limit) if self.known else 1) or (self.down and self._probing):
                waiter = loop.create_future()
                self._waiters.append(waiter)
                await waiter
            else:
                break
        self._probing = self.down
        self.sending += 1
        return loop.time()

    def left(self) -> None:
        """Give a slot back."""
        self.sending -= 1
        self._wake(1)

    def answered(self, sent_at: float, now: float) -> None:
        """Count a completion: the endpoint is well, and quick or slow."""
        took = now - sent_at
        self._quickest = min(self._quickest, took)
        queued = took > SLOW * self._quickest
        if queued and took > self.timeout_s / 2:
            self._cut(sent_at, now)
        elif self.limit < self.ceiling and not (queued and took > self.timeout_s / 4):
            self.limit = min(self.ceiling, self.limit + (1 if self._growing else 1 / self.limit))
            self._wake(2)
        self.alive()

    def _cut(self, sent_at: float, now: float) -> None:
        self._growing = False
        if sent_at > self._cut_at:
            self.limit, self._cut_at = max(1.0, self.limit * CUT), now

    def alive(self) -> None:
        """Note that the endpoint answers, whatever it says."""
        self.failures = 0
        self._answered_at = time.monotonic()
        if not self.known:
            self.known = True
            self._wake(len(self._waiters))
        if self.down:
            self.down = self._probing = False
            self._probes = 0
            self._wake(len(self._waiters))

    def throttled(self, sent_at: float, now: float, retry_after: float | None) -> None:
        """Slow down: cut the limit (once for all calls sent before the cut) and wait as long as is asked."""
        self._cut(sent_at, now)
        self._paused_until = max(self._paused_until, now + bounded(retry_after))
        self.alive()

    def failed(self, sent_at: float, now: float, message: str) -> None:
        """Count a failure of the wire. Raises WireDown when even single probes fail."""
        self.failures += 1
        if now - sent_at >= self.timeout_s:
            self._cut(sent_at, now)
        if self.down and sent_at < self._down_at:
            return  # it was under way when the rest failed: no probe
        if self.down:
            self._probing = False
            self._probes += 1
            self._wake(1)
        elif self.failures >= MAX_FAILURES:
            self.down, self._probes, self._down_at = True, 0, now
        if self.down:
            if self._probes >= MAX_PROBES:
                raise WireDown(
                    f"{self.failures} calls in a row failed, the last {self._probes} one at a time: {message}. "
                    "What came through is remembered; run again when the endpoint is back"
                )
            self._paused_until = max(self._paused_until, now + self.pause_s * 2**self._probes)

    def _wake(self, n: int) -> None:
        while n and self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                n -= 1
