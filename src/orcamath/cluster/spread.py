"""A model that many workers play: blocks of requests out, replies in, in any order; a worker that dies costs its calls in flight.

In: a `Chat` as it was opened here, which is never asked, and a crew. Out: the port `Chat`. Fixed chunks stay whole: a chunk goes
to one worker, and what comes of it is handed on when all of it came.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Protocol

from orcamath.errors import ModelError, Stopped
from orcamath.ports import Chat, Replies, Reply, Request

__all__ = ["Crew", "News", "Spread"]

MAX_DEATHS = 3
"""Workers that one block may cost in a row before it is cut in two, and a single call before it counts as failed."""
MAX_IN_A_ROW = 12
"""Deaths without a reply between them, or twice as many as were at work, after which it is not a call that kills workers."""


class News(NamedTuple):
    """What happened to one worker's block: some replies; and then `over`, or why the worker `died`, or what it `raised`."""

    worker: int
    replies: tuple[Reply, ...] = ()
    over: bool = False
    died: str | None = None
    raised: BaseException | None = None


class Crew(Protocol):
    """Workers, numbered from 0, each at one block at a time. One that died is replaced under its number, or not at all."""

    @property
    def ready(self) -> Collection[int]:
        """Those that have their model and can be given a block, at one or not."""
        ...

    def begin(self) -> None:
        """Have them book on the stage that is under way here."""
        ...

    def give(self, worker: int, requests: list[Request]) -> None:
        """Let a worker answer these."""
        ...

    def news(self) -> list[News]:
        """Wait until something happened, and say what; nothing where it is others that are ready.

        Raises ModelError where nobody is ready and nobody comes.
        """
        ...

    def end(self, *, done: bool) -> None:
        """Stop what is under way, and settle what was sent. `done`: everything that was asked for came to its end."""
        ...


class Spread:
    """The port `Chat` over a crew."""

    def __init__(self, chat: Chat, crew: Callable[[], Crew], block: int) -> None:
        """`chat` says which model it is; `crew()` is asked for at each call; `block`: requests that go out together."""
        self.chat, self.block, self._crew = chat, chat.chunk or block, crew

    @property
    def fingerprint(self) -> str:
        """The model's."""
        return self.chat.fingerprint

    @property
    def chunk(self) -> int | None:
        """The model's."""
        return self.chat.chunk

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Deal the requests out. Raises what a worker raised, and ModelError where workers die whatever they are asked."""
        blocks = self._blocks(requests)
        first = deque(islice(blocks, 1))
        if first:  # nobody is hired for nothing
            yield from _deal(self._crew(), first, blocks, whole=self.chunk is not None)

    def _blocks(self, requests: Iterable[Request]) -> "Iterator[_Block]":
        source = iter(requests)
        while block := list(islice(source, self.block)):
            yield _Block(block, self.fingerprint)


class _Block:
    """Requests that one worker answers, and those of them that have not come back."""

    def __init__(self, requests: list[Request], fingerprint: str) -> None:
        self.requests, self.fingerprint = requests, fingerprint
        self.left = Counter(request.key(fingerprint) for request in requests)
        self.deaths = 0
        self.held: list[Reply] = []

    def came(self, replies: Iterable[Reply], *, whole: bool) -> list[Reply]:
        """Take replies, and return those to be handed on: each as often as it was asked for, all at the end where `whole`."""
        fresh = []
        for reply in replies:
            if self.left[reply.key] > 0:
                self.left[reply.key] -= 1
                fresh.append(reply)
        if not whole:
            return fresh
        self.held += fresh
        if +self.left:
            return []
        came, self.held = self.held, []
        return came

    def after(self, died: str | None, *, whole: bool) -> "tuple[list[_Block], list[Reply]]":
        """Return what is asked again once its worker ended or died, and the replies of what is given up."""
        if not +self.left:
            return [], []
        if whole:
            again = self.requests  # what came of it is not used: a chunk is the work of one worker
        else:
            left = self.left.copy()
            again = [r for r in self.requests if _take(left, r.key(self.fingerprint))]
        deaths = self.deaths + 1 if len(again) == len(self.requests) else 1
        if deaths < MAX_DEATHS:
            return [self._of(again, deaths)], []
        if whole or len(again) == 1:
            why = "ended without it" if died is None else f"died while they answered it; the last: {died}"
            return [], [Reply(r.key(self.fingerprint), error=f"{deaths} workers {why}") for r in again]
        half = len(again) // 2
        return [self._of(again[:half], 0), self._of(again[half:], 0)], []

    def _of(self, requests: list[Request], deaths: int) -> "_Block":
        block = _Block(requests, self.fingerprint)
        block.deaths = deaths
        return block


def _take(left: "Counter[bytes]", key: bytes) -> bool:
    left[key] -= 1
    return left[key] >= 0


def _deal(crew: Crew, again: deque[_Block], blocks: Iterator[_Block], *, whole: bool) -> Generator[Reply, None, None]:
    busy: dict[int, _Block] = {}
    in_a_row, ended, done = 0, False, False
    most = MAX_IN_A_ROW
    stopped: Stopped | None = None
    crew.begin()
    try:
        while True:
            for worker in [w for w in sorted(crew.ready) if w not in busy and stopped is None]:
                block = again.popleft() if again else next(blocks, None)
                if block is None:
                    ended = True
                    break
                busy[worker] = block
                crew.give(worker, block.requests)
            most = max(most, 2 * len(busy) + 1)  # a large node takes all of its workers along
            if not busy and stopped is not None:
                raise stopped
            if not busy and not again and ended:
                done = True
                return
            for news in crew.news():
                yield from busy[news.worker].came(news.replies, whole=whole)
                in_a_row = 0 if news.replies else in_a_row
                if isinstance(news.raised, Stopped):  # no money: the others get as far as they can
                    stopped = news.raised
                    del busy[news.worker]
                elif news.raised is not None:
                    raise news.raised
                elif news.died is not None or news.over:
                    in_a_row += news.died is not None
                    if in_a_row >= most:
                        raise ModelError(
                            f"{in_a_row} workers died one after the other without an answer; the last: {news.died}"
                        )
                    more, given_up = busy.pop(news.worker).after(news.died, whole=whole)
                    again.extend(more)
                    yield from given_up
    finally:
        crew.end(done=done)
