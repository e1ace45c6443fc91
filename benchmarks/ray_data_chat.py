"""A model that actors of Ray Data play: what `ray_data_fill.py` holds our own crew against.

In: an opened model's settings and its requests, lazily. Out: the port `Chat`. One execution of a dataset answers all, of one
fill after another: the driver lays numbered blocks of requests into a feed, a read task takes them from there, actors with a
ledger shard each answer them, and every message of replies is a block of Ray Data's own, so that it comes while its task still
runs. At most `AHEAD` blocks an actor are under way, so the source stays lazy.

Ray does the block of a dead actor again, as often as it takes: any set number would be spent within seconds on a node that is
lost. A stream that is done again must come out the same, so replies go in the order of their requests, a set number together,
and what the driver has of them is left out. An actor that is the fourth to begin a block without a message since the first
says that the block is given up; the driver cuts it in two, and a single request is a failure of the wire.

Left out: money, stopping in the middle, fixed chunks, what opening raises, what lies on the nodes afterwards.
"""

import asyncio
import math
import pickle
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orcamath import __version__
from orcamath.cluster.worker import Worker
from orcamath.errors import OrcamathError
from orcamath.ports import Chat, Replies, Reply, Request
from orcamath.settings import ModelSettings

__all__ = ["Pool", "RayDataChat"]

AHEAD = 4
"""Blocks of an actor, done or waiting."""
TOGETHER = 16
"""Replies in a message."""
MAX_DEATHS = 3


class Pool(NamedTuple):
    """How the actors are had."""

    open_chat: Callable[[ModelSettings], Chat]
    settings: ModelSettings
    """What one actor may do."""
    n_workers: int
    shards: str


class Feed:
    """Numbered blocks of requests between the driver and the read task, which may ask for one again."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.n_came: Counter[int] = Counter()
        self.n_begun: Counter[int] = Counter()
        self.over = False
        self.news = asyncio.Event()

    async def put(self, block: bytes | None) -> None:
        """Add a block; None ends the feed."""
        if block is None:
            self.over = True
        else:
            self.blocks.append(block)
        self.news.set()

    async def came(self, number: int, *, whole: bool) -> None:
        """Note that a message of a block is with the driver; let go of the block where it was the last."""
        self.n_came[number] += 1
        self.n_begun[number] = 1
        if whole:
            self.blocks[number] = b""
            del self.n_came[number], self.n_begun[number]

    async def begun(self, number: int) -> tuple[int, int]:
        """Note that an actor begins a block; returns how many messages the driver has, and how many began it since the last."""
        self.n_begun[number] += 1
        return self.n_came[number], self.n_begun[number]

    async def get(self, number: int) -> bytes | None:
        """Return a block, once it is there; an empty one where it was answered, None at the end."""
        while number >= len(self.blocks) and not self.over:
            self.news.clear()
            await self.news.wait()
        return self.blocks[number] if number < len(self.blocks) else None


class Fed(Datasource):  # type: ignore[misc] # of untyped Ray
    """One read task that yields what lies in a feed, a row a block."""

    def __init__(self, feed: Any) -> None:
        super().__init__()
        self.feed = feed

    def estimate_inmemory_data_size(self) -> int | None:
        """Nobody knows."""
        return None

    def get_read_tasks(self, *_: Any, **__: Any) -> list[ReadTask]:
        """Return the one task."""
        feed = self.feed

        def read() -> Iterator[pa.Table]:
            number = 0
            while (block := ray.get(feed.get.remote(number))) is not None:
                yield pa.table({"number": [number], "block": [block]})
                number += 1

        return [ReadTask(read, BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None))]


class Answering:
    """What Ray Data makes an actor of: our worker, as it is."""

    def __init__(self, pool: Pool, fingerprint: str, folder: str, feed: Any) -> None:
        self.feed = feed
        self.worker = Worker(pool.open_chat, pool.shards, __version__, folder, None)
        self.worker.open(pool.settings, fingerprint)
        self.worker.begin(None, None)
        self.fingerprint = fingerprint

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield messages with their block's number: replies, an error of ours, or None where the block is given up."""
        if not row["block"]:
            return
        n_there, n_begun = ray.get(self.feed.begun.remote(row["number"]))
        requests: list[Request] = pickle.loads(row["block"])[n_there * TOGETHER :]
        there: list[list[Reply]] = [[]] * n_there  # a stream that is done again must be as long
        if n_begun > MAX_DEATHS:
            messages: Iterable[Any] = [None] * math.ceil(len(requests) / TOGETHER)
        else:
            messages = self._in_order(requests, self.worker.answer(requests))
        for message in chain(there, messages):
            yield {"number": row["number"], "message": pickle.dumps(message)}

    def _in_order(self, requests: list[Request], messages: Iterator[Any]) -> Iterator[list[Reply] | OrcamathError]:
        came: dict[bytes, Reply] = {}
        keys = [request.key(self.fingerprint) for request in requests]
        sent = 0
        for message in messages:
            if isinstance(message, OrcamathError):
                yield message
                return
            came |= {reply.key: reply for reply in message}
            while sent < len(keys) and all(key in came for key in keys[sent : sent + TOGETHER]):
                yield [came[key] for key in keys[sent : sent + TOGETHER]]
                sent += TOGETHER


class Execution:
    """One dataset that is under way until its feed ends; its actors stay as long."""

    def __init__(self, pool: Pool, fingerprint: str) -> None:
        self.feed = ray.remote(Feed).options(num_cpus=0, scheduling_strategy=_here()).remote()
        self.n_sent = 0
        self.messages = self._begun(pool, fingerprint)

    def put(self, requests: list[Request]) -> int:
        """Let a block of requests be answered; returns its number."""
        ray.get(self.feed.put.remote(pickle.dumps(requests)))
        self.n_sent += 1
        return self.n_sent - 1

    def close(self) -> None:
        """Let the actors go, whatever they are at."""
        self.feed.put.remote(None)
        self.messages.close()

    def _begun(self, pool: Pool, fingerprint: str) -> Generator[tuple[int, Any], None, None]:
        context = DataContext.get_current()
        context.target_max_block_size = 1  # whatever is yielded is a block, and on its way
        context.enable_progress_bars = False
        here = {"scheduling_strategy": _here()}
        read = ray.data.read_datasource(Fed(self.feed), override_num_blocks=1, num_cpus=0, ray_remote_args=here)
        answered = read.flat_map(
            Answering,
            fn_constructor_args=(pool, fingerprint, str(Path.cwd()), self.feed),
            compute=ActorPoolStrategy(
                size=pool.n_workers, max_tasks_in_flight_per_actor=2, enable_true_multi_threading=True
            ),
            num_cpus=0.25,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}},
        )
        for table in answered.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for row in table.to_pylist():
                yield row["number"], pickle.loads(row["message"])


class RayDataChat:
    """The port `Chat`. Its execution outlasts a fill, and so do its actors."""

    chunk: int | None = None

    def __init__(self, pool: Pool, fingerprint: str, block: int) -> None:
        self.pool, self.fingerprint, self.block = pool, fingerprint, block
        self.execution: Execution | None = None

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Answer the requests, in any order. Raises what an actor yielded as an error."""
        execution = self.execution = self.execution or Execution(self.pool, self.fingerprint)
        source, again = iter(requests), deque[list[Request]]()
        under_way: dict[int, dict[bytes, Request]] = {}
        while True:
            while len(under_way) < AHEAD * self.pool.n_workers:
                block = again.popleft() if again else list(islice(source, self.block))
                if not block:
                    break
                under_way[execution.put(block)] = {request.key(self.fingerprint): request for request in block}
            if not under_way:
                return
            number, message = next(execution.messages)
            if isinstance(message, OrcamathError):
                raise message
            left = under_way.get(number, {})
            if message is None and left:
                del under_way[number]
                rest, half = list(left.values()), len(left) // 2
                again.extend([rest[:half], rest[half:]] if half else [])
                yield from (Reply(key, error=f"{MAX_DEATHS} actors died of it") for key in left if not half)
            elif message:
                yield from (reply for reply in message if left.pop(reply.key, None) is not None)
                execution.feed.came.remote(number, whole=not left)
                if not left:
                    under_way.pop(number, None)

    def close(self) -> None:
        """Let the actors go."""
        if self.execution is not None:
            self.execution.close()
            self.execution = None


def _here() -> NodeAffinitySchedulingStrategy:
    """Where the driver is: what the feed and its reader do is not lost unless the driver is."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
