"""One pass over a backend's requests: an event loop behind a plain iterator.

The loop runs inside `next()`, in the caller's own thread: no queue between threads, no lock, and a request is pulled only
when there is room for it (at most `concurrency` ahead of the replies). Equal keys in flight are sent once. On Ctrl-C, or
when something makes further calls pointless, nothing new is sent, calls under way are waited for and handed on, and then
the reason is raised; a second Ctrl-C leaves at once, and so does the first where nothing is under way. Closing the iterator
cancels.
"""

import asyncio
import gc
import logging
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from orcamath.ports import Replies, Reply, Request

__all__ = ["Ask", "Flight", "awaited", "run_requests"]

T = TypeVar("T")
_log = logging.getLogger("orcamath.wire")
GRACE_S = 30.0
"""How long calls under way are waited for when a run ends early."""


@dataclass
class Flight:
    """What a run and its backend tell each other."""

    on_wire: "set[asyncio.Task[object] | None]" = field(default_factory=set)
    """Tasks with a call under way, kept by the backend; only these are waited for when a run ends early."""
    stopping: bool = False
    """Set by the run: send nothing more."""


Ask = Callable[[Request, bytes], Coroutine[object, object, Reply]]
Step = Callable[[], Coroutine[object, object, None]]


class _Run:
    def __init__(self, ask: Ask, requests: Iterable[Request], fingerprint: str, window: int, flight: Flight) -> None:
        self.ask, self.fingerprint, self.window, self.flight = ask, fingerprint, window, flight
        self.source = iter(requests)
        self.loop = asyncio.new_event_loop()
        self.ready: deque[Reply] = deque()
        self.flying: dict[bytes, int] = {}  # key → how many requests wait for it
        self.tasks: set[asyncio.Task[None]] = set()
        self.more, self.closed = True, False
        self.why: BaseException | None = None
        self.owed = 0
        """Requests that were pulled and whose replies are not handed on and kept yet."""

    def stop(self, why: BaseException) -> None:
        """Send nothing new, and raise `why` in the end; the first one counts."""
        self.more, self.flight.stopping = False, True
        if self.why is None:
            self.why = why
            self.loop.call_soon_threadsafe(self.wind_down)

    def wind_down(self) -> None:
        """Give calls under way some time."""
        self.cancel(self.tasks - self.flight.on_wire)
        self.loop.call_later(GRACE_S, self.cancel, self.tasks)

    def cancel(self, tasks: set[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()

    def interrupt(self, *_: object) -> None:
        if self.why is not None or self.closed or not self.owed:  # the second time, or nothing to wait for: leave
            raise KeyboardInterrupt
        self.stop(KeyboardInterrupt())  # before it is told: one that comes meanwhile is the second
        _log.warning("stopping: waiting for %d calls under way; Ctrl-C again leaves at once", len(self.flight.on_wire))

    def launch(self) -> None:
        """Pull requests while there is room."""
        while self.more and self.owed < self.window:
            try:
                request = next(self.source)
            except StopIteration:
                self.more = False
                return
            except Exception as e:  # whoever makes the requests failed: what is under way is paid for, and waited for
                self.stop(e)
                return
            key = request.key(self.fingerprint)
            self.owed += 1
            self.flying[key] = self.flying.get(key, 0) + 1
            if self.flying[key] == 1:
                task = self.loop.create_task(self.one(request, key))
                self.tasks.add(task)
                task.add_done_callback(self.done)

    async def one(self, request: Request, key: bytes) -> None:
        reply = await self.ask(request, key)
        for _ in range(self.flying.pop(key)):
            self.ready.append(reply)

    def done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.stop(error)
        if not self.closed:
            self.loop.stop()

    def replies(self) -> Iterator[Reply]:
        while True:
            self.launch()
            if not self.ready:
                if not self.tasks:
                    break
                self.loop.run_forever()
            while self.ready:
                yield self.ready.popleft()
                self.owed -= 1  # now that it is kept
        if self.why is not None:
            raise self.why

    def close(self, closing: Step) -> None:
        """Cancel what is left, let it settle, and let go of everything."""

        self.closed = True

        async def settle() -> None:
            left = list(self.tasks)
            self.cancel(self.tasks)
            await asyncio.gather(*left, return_exceptions=True)
            await closing()

        try:
            self.loop.run_until_complete(settle())
        finally:
            self.loop.close()
            close = getattr(self.source, "close", None)
            if close is not None:
                close()


@contextmanager
def _interruptible(interrupt: Callable[..., None]) -> Iterator[None]:
    """Let Ctrl-C settle first, where this is the main thread and nobody else handles it."""
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _heap_at_rest() -> Iterator[None]:
    """Leave what is in memory already out of the collector's passes: modules and data are looked through hundreds of times a
    second otherwise, for a tenth and more of a call's CPU time."""
    if gc.get_freeze_count():  # somebody else's, who lets go of it in their own time
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def run_requests(
    ask: Ask,
    requests: Iterable[Request],
    fingerprint: str,
    window: int,
    flight: Flight,
    *,
    opening: Step,
    closing: Step,
) -> Replies:
    """Yield one reply a request, in any order. `opening` and `closing` run inside the loop, around all calls.

    Raises what `ask` raises, after the calls under way have been handed on.
    """
    replies = _here(lambda: _Run(ask, requests, fingerprint, window, flight), opening, closing)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return replies
    return _in_thread(replies, window)  # a notebook: its own loop holds this thread


def awaited(begin: Callable[[], Coroutine[object, object, T]]) -> T:
    """Return what a coroutine returns (or raise what it raises), also where this thread has a loop at work, as a notebook has."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(begin())
    with ThreadPoolExecutor(1, "orcamath wire") as pool:
        return pool.submit(lambda: asyncio.run(begin())).result()


def _here(begin: Callable[[], _Run], opening: Step, closing: Step) -> Replies:
    this = begin()
    with _interruptible(this.interrupt), _heap_at_rest():
        try:
            this.loop.run_until_complete(opening())
            yield from this.replies()
        finally:
            this.close(closing)


def _in_thread(replies: Replies, window: int) -> Replies:
    """Yield what an iterator yields in a thread of its own, at most a window ahead."""
    came: queue.Queue[Reply | BaseException | None] = queue.Queue(window)
    left = threading.Event()

    def hand(thing: Reply | BaseException | None) -> None:
        handed = False
        while not handed and not left.is_set():
            with suppress(queue.Full):
                came.put(thing, timeout=0.1)
                handed = True

    def work() -> None:
        try:
            for reply in replies:
                hand(reply)
                if left.is_set():
                    break
            hand(None)
        except BaseException as e:
            hand(e)
        finally:
            replies.close()

    thread = threading.Thread(target=work, daemon=True, name="orcamath wire")

    def yielded() -> Replies:
        thread.start()
        try:
            while (thing := came.get()) is not None:
                if isinstance(thing, BaseException):
                    raise thing
                yield thing
        finally:
            left.set()
            thread.join()

    return yielded()
