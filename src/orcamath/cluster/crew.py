"""A crew of Ray actors that play one model.

Actors are never restarted by Ray, nor their tasks tried again: `spread` knows which calls of a block came back, and asks only the
others again. Keys are read from the environment of each node; none is sent.
"""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from orcamath import __version__
from orcamath.cluster.blocks import ONE_THREAD
from orcamath.cluster.settings import EngineSettings
from orcamath.cluster.spread import News
from orcamath.cluster.worker import Worker
from orcamath.errors import ModelError, OrcamathError
from orcamath.ports import Chat, Request
from orcamath.records import digest
from orcamath.settings import ModelSettings
from orcamath.store.budget import Price
from orcamath.store.prices import declared_price
from orcamath.store.under_way import under_way

if TYPE_CHECKING:
    from ray import ObjectRef, ObjectRefGenerator
    from ray.actor import ActorHandle
    from ray.exceptions import RayTaskError

__all__ = ["Connection", "RayCrew", "first_line", "our_own", "shared_out"]

NEWS_S = 1.0
MAX_HIRED = 8
"""Workers that may die while a crew is opened."""
HALTING = "halting"
"""A thread of its own in each actor, beside the one that answers."""
RATES = ("requests_per_minute", "tokens_per_minute")
log = logging.getLogger("orcamath")


def shared_out(settings: ModelSettings, n: int) -> ModelSettings:
    """Return what each of `n` workers may do, so that all together do what the recipe says: calls at once, and a minute."""
    rates = {name: rate / n for name in RATES if (rate := settings.options.get(name)) is not None}
    at_once = max(1, math.ceil(settings.concurrency / n))
    return settings.model_copy(update={"concurrency": at_once, "options": settings.options | rates})


class Connection(NamedTuple):
    """What a crew needs of the cluster and of the run that hires it."""

    ray: ModuleType
    settings: EngineSettings
    n_workers: int
    run: str
    """Names what the run leaves on the nodes."""
    open_chat: Callable[[ModelSettings], Chat]
    ask_purse: Callable[..., Any] | None
    """By which a worker leases money; None without a book."""


class RayCrew:
    """The port `Crew` over actors."""

    def __init__(self, cluster: Connection, settings: ModelSettings, chat: Chat) -> None:
        self.cluster, self.settings, self.chat = cluster, settings, chat
        self.price: Price | None = declared_price(settings)
        self.size = cluster.n_workers
        self.gone = False
        self._ray = cluster.ray
        self._done = True
        self._busy: dict[ActorHandle, int] = {}
        self._stage: str | None = None
        self._actors = [self._hire() for _ in range(self.size)]
        self._opened()

    @property
    def holds_weights(self) -> bool:
        """Whether each worker has the model itself in memory."""
        return self.chat.chunk is not None

    def _hire(self) -> "ActorHandle":
        on_gpu = self.holds_weights and self._ray.cluster_resources().get("GPU", 0) > 0
        actor = self._ray.remote(concurrency_groups={HALTING: 1})(Worker).options(
            num_cpus=0.5 if self.holds_weights else 0.25,
            num_gpus=1 if on_gpu else 0,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
            runtime_env=ONE_THREAD,
        )
        shards = f"{self.cluster.run}-{digest(self.chat.fingerprint)}"
        return actor.remote(self.cluster.open_chat, shards, __version__, str(Path.cwd()), self.cluster.ask_purse)

    def _opened(self) -> None:
        """Wait until every actor has its model. Raises what opening raised there, ModelError where there is no place for all."""
        asked = {w: a.open.remote(self.settings, self.chat.fingerprint) for w, a in enumerate(self._actors)}
        hired = 0
        while asked:
            worker, ref = next(iter(asked.items()))
            try:
                self._ray.get(ref, timeout=self.cluster.settings.wait_s)
                del asked[worker]
            except self._ray.exceptions.GetTimeoutError:
                raise ModelError(
                    f"{self.size} workers found no place on the cluster within {self.cluster.settings.wait_s:.0f} s; it has "
                    f"{self._ray.available_resources()} left: ask for fewer with --workers"
                ) from None
            except self._ray.exceptions.RayTaskError as e:
                raise our_own(e) from None
            except self._ray.exceptions.RayActorError as e:  # its node went meanwhile
                hired += 1
                if hired > MAX_HIRED:
                    raise ModelError(
                        f"workers die before they have opened their model; the last: {first_line(e)}"
                    ) from e
                self._actors[worker] = self._hire()
                asked[worker] = self._actors[worker].open.remote(self.settings, self.chat.fingerprint)

    def begin(self) -> None:
        """Have them book on the stage that is under way here; one that died since the last fill is replaced."""
        calls = under_way()
        self._stage = calls.stage if calls is not None else None
        asked = [a.begin.remote(self._stage, self.price) for a in self._actors]
        for worker, ref in enumerate(asked):
            try:
                self._ray.get(ref)
            except self._ray.exceptions.RayTaskError as e:
                raise our_own(e) from None
            except self._ray.exceptions.RayError as e:
                self._replace(worker, e)

    def give(self, worker: int, requests: list[Request]) -> None:
        """Let a worker answer these."""
        stream = self._actors[worker].answer.options(num_returns="streaming").remote(requests)
        self._busy[stream] = worker

    def news(self) -> list[News]:
        """Wait until something happened, and say what."""
        while True:
            ready, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=NEWS_S)
            if ready:
                return [self._of(stream) for stream in ready]

    def _of(self, stream: "ObjectRefGenerator") -> News:
        worker = self._busy[stream]
        try:
            message = self._ray.get(next(stream))
        except StopIteration:
            del self._busy[stream]
            return News(worker, over=True)
        except self._ray.exceptions.RayTaskError as e:
            del self._busy[stream]
            return News(worker, raised=our_own(e))
        except self._ray.exceptions.RayError as e:
            del self._busy[stream]
            return News(worker, died=self._replace(worker, e))
        if isinstance(message, OrcamathError):
            del self._busy[stream]
            return News(worker, raised=message)
        return News(worker, tuple(message))

    def _replace(self, worker: int, e: BaseException) -> str:
        """Hire another worker for one that died; returns why it did."""
        why = first_line(e)
        log.warning("a worker of `%s` died: %s", self.settings.model or self.settings.backend, why)
        self._actors[worker] = actor = self._hire()
        actor.open.remote(self.settings, self.chat.fingerprint)  # what it raises, the next call of this actor tells
        actor.begin.remote(self._stage, self.price)
        return why

    def end(self, *, done: bool) -> None:
        """Stop what is under way, and settle what was sent."""
        self._done = done
        for worker in self._busy.values():
            self._actors[worker].halt.options(concurrency_group=HALTING).remote()
        for stream in list(self._busy):
            self._drain(stream)
        self._busy = {}
        self._settled([a.end.remote() for a in self._actors])
        if self.holds_weights:
            self.leave()

    def _drain(self, stream: "ObjectRefGenerator") -> None:
        try:
            for ref in stream:
                self._ray.get(ref)
        except self._ray.exceptions.RayError:
            return

    def leave(self) -> None:
        """Let the actors go. What lies on the nodes stays where not all of it came here."""
        if self.gone:
            return
        self.gone = True
        self._settled([a.leave.remote(done=self._done) for a in self._actors])
        for actor in self._actors:
            self._ray.kill(actor)

    def _settled(self, asked: "list[ObjectRef]") -> None:
        """Wait until all have done it, or for as long as they may take together; a dead worker's lease counts as spent."""
        self._ray.wait(asked, num_returns=len(asked), timeout=self.cluster.settings.wait_s, fetch_local=False)


def first_line(e: BaseException) -> str:
    """Return what an error says first; Ray adds a traceback of its own."""
    return str(e).strip().partition("\n")[0]


def our_own(e: "RayTaskError") -> BaseException:
    """Return the error of ours that a task raised, or Ray's of it."""
    cause: BaseException = e.cause
    return cause if isinstance(cause, OrcamathError) else e
