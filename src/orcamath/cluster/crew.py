"""A crew of Ray actors that play one model.

Actors are never restarted by Ray, nor their tasks tried again: `spread` knows which calls of a block came back, and asks only
the others again. A worker is given a block once it has its model. One that died is replaced, and the others go on meanwhile: its
place may be gone with its node. Keys are read from the environment of each node; none is sent.
"""

import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from orcamath import __version__
from orcamath.cluster.blocks import ONE_THREAD
from orcamath.cluster.ray_errors import first_line, our_own
from orcamath.cluster.settings import EngineSettings
from orcamath.cluster.spread import News
from orcamath.cluster.worker import Worker
from orcamath.errors import DiskFull, ModelError, OrcamathError
from orcamath.ports import Chat, Request
from orcamath.records import digest
from orcamath.settings import ModelSettings
from orcamath.store.budget import Price
from orcamath.store.prices import declared_price
from orcamath.store.under_way import under_way

if TYPE_CHECKING:
    from ray import ObjectRef, ObjectRefGenerator
    from ray.actor import ActorHandle

__all__ = ["Connection", "RayCrew", "shared_out"]

NEWS_S = 1.0
SETTLE_S = 120.0
"""In which workers give back what they leased; then it counts as spent."""
MAX_HIRED = 8
"""Workers in a row that may die before they have opened their model."""
WITH_WEIGHTS, WITHOUT = 0.5, 0.01
"""Of a CPU, that a worker asks for. One that waits for an endpoint keeps its place all through a run, and needs hardly any."""
HALTING = "halting"
"""A thread of its own in each actor, beside the one that answers."""
RATES = ("requests_per_minute", "tokens_per_minute")
log = logging.getLogger("orcamath")


def shared_out(settings: ModelSettings, n: int, worker: int) -> ModelSettings:
    """Return what one of `n` workers may do, so that all together do what the recipe says: calls at once, and a minute.

    Where there are more workers than calls at once, the last ones would still make one each.
    """
    rates = {name: rate / n for name in RATES if (rate := settings.options.get(name)) is not None}
    at_once = max(1, settings.concurrency // n + (worker < settings.concurrency % n))
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


class _Joining(NamedTuple):
    """A worker on its way."""

    worker: int
    placed: "ObjectRef"
    """There once it has found a place."""
    since: float
    opened: bool = False
    """Whether it has its model, and is being told on which stage to book."""


class RayCrew:
    """The port `Crew` over actors."""

    def __init__(self, cluster: Connection, settings: ModelSettings, chat: Chat) -> None:
        self.cluster, self.settings, self.chat = cluster, settings, chat
        self.price: Price | None = declared_price(settings)
        self.gone = False
        self._ray = cluster.ray
        self._done = True
        self._busy: dict[ObjectRefGenerator, int] = {}
        self._stage: str | None = None
        self._actors: dict[int, ActorHandle] = {}
        self._joining: dict[ObjectRef, _Joining] = {}
        self._ready: set[int] = set()
        self._died_opening = 0
        self._why = ""
        """What the last worker said that could not take its place."""
        # known once: where all GPUs are lost, no successor computes on a CPU what the others computed on one
        self._on_gpu = self.holds_weights and self._ray.cluster_resources().get("GPU", 0) > 0
        try:
            for worker in range(cluster.n_workers):
                self._hire(worker)
            self._opened()
        except BaseException:
            for worker in self._actors:
                self._dismiss(worker)
            raise

    @property
    def ready(self) -> Collection[int]:
        """Workers that have their model."""
        return self._ready

    @property
    def holds_weights(self) -> bool:
        """Whether each worker has the model itself in memory."""
        return self.chat.chunk is not None

    def _hire(self, worker: int) -> None:
        remote = self._ray.remote(concurrency_groups={HALTING: 1})(Worker).options(
            num_cpus=WITH_WEIGHTS if self.holds_weights else WITHOUT,
            num_gpus=1 if self._on_gpu else 0,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
            runtime_env=ONE_THREAD,
        )
        shards = f"{self.cluster.run}-{digest(self.chat.fingerprint)}"
        actor = remote.remote(self.cluster.open_chat, shards, __version__, str(Path.cwd()), self.cluster.ask_purse)
        mine = shared_out(self.settings, self.cluster.n_workers, worker)
        self._actors[worker] = actor
        placed, opened = actor.here.remote(), actor.open.remote(mine, self.chat.fingerprint)
        self._joining[opened] = _Joining(worker, placed, time.monotonic())

    def _opened(self) -> None:
        """Wait until all have their model; those without a place do not keep the others from beginning.

        Raises what opening raised there, ModelError where there is no place for any.
        """
        while self._joining:
            ready, _ = self._ray.wait(list(self._joining), num_returns=1, timeout=NEWS_S)
            for ref in ready:
                self._come(ref, at_once=True)
            if not ready and self._nobody_placed():
                if not self._ready:
                    raise self._no_place()
                n = len(self._joining)
                log.warning("%d of %d workers found no place yet; they join when there is one", n, len(self._actors))
                return

    def _come(self, ref: "ObjectRef", *, at_once: bool = False) -> None:
        """Take note that a worker has opened its model, or was told its stage, or could not. `at_once`: raise why not."""
        joining = self._joining.pop(ref)
        worker = joining.worker
        try:
            self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as e:
            if at_once:
                raise our_own(e) from None
            self._lose(worker, first_line(our_own(e)))
        except self._ray.exceptions.RayError as e:  # its node went meanwhile
            self._died_opening += 1
            self._why = first_line(e)
            if self._died_opening <= MAX_HIRED:
                self._replace(worker, e)
            elif self._ready:
                self._died_opening = 0
                self._lose(worker, self._why)
            else:
                raise ModelError(f"workers die before they have opened their model; the last: {self._why}") from e
        else:
            if joining.opened:
                self._died_opening = 0
                self._ready.add(worker)
            else:
                told = self._actors[worker].begin.remote(self._stage, self.price)
                self._joining[told] = joining._replace(opened=True)

    def _nobody_placed(self) -> bool:
        """Whether all that are on their way have been without a place for too long."""
        late = time.monotonic() - self.cluster.settings.wait_s
        if any(j.since > late for j in self._joining.values()):
            return False
        return not self._ray.wait([j.placed for j in self._joining.values()], num_returns=1, timeout=0)[0]

    def _no_place(self) -> ModelError:
        wait_s, why = self.cluster.settings.wait_s, f"; one said: {self._why}" if self._why else ""
        return ModelError(
            f"none of {len(self._actors)} workers has found a place on the cluster within {wait_s:.0f} s; it has "
            f"{self._ray.available_resources()} left: wait longer for others to leave (--wait-workers), or add nodes{why}"
        )

    def begin(self) -> None:
        """Have them book on the stage that is under way here; those that are gone since the last fill are replaced."""
        calls = under_way()
        self._stage = calls.stage if calls is not None else None
        asked = {worker: self._actors[worker].begin.remote(self._stage, self.price) for worker in self._ready}
        for worker, ref in asked.items():
            try:
                self._ray.get(ref)
            except self._ray.exceptions.RayTaskError as e:
                raise our_own(e) from None
            except self._ray.exceptions.RayError as e:
                self._replace(worker, e)
        expected = self._ready | {j.worker for j in self._joining.values()}
        for worker in range(self.cluster.n_workers):
            if worker not in expected:
                self._hire(worker)

    def give(self, worker: int, requests: list[Request]) -> None:
        """Let a worker answer these."""
        stream = self._actors[worker].answer.options(num_returns="streaming").remote(requests)
        self._busy[stream] = worker

    def news(self) -> list[News]:
        """Wait until something happened, and say what. Raises ModelError where nobody is ready, and nobody comes."""
        while waiting := [*self._busy, *self._joining]:
            for found in self._ray.wait(waiting, num_returns=1, timeout=NEWS_S)[0]:
                if found in self._busy:
                    return [self._of(found)]
                self._come(found)
                return []
            if not self._busy and not self._ready and self._nobody_placed():
                raise self._no_place()
        raise ModelError(f"no worker is left: {self._why}")

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
            if isinstance(message, DiskFull):  # that node's: the others have room
                self._lose(worker, str(message))
                return News(worker, died=str(message))
            return News(worker, raised=message)
        return News(worker, tuple(message))

    def _replace(self, worker: int, e: BaseException) -> str:
        """Hire another worker for one that died; returns why it did."""
        why = first_line(e)
        log.warning("a worker of `%s` died: %s", self.settings.model or self.settings.backend, why)
        self._dismiss(worker)
        self._hire(worker)
        return why

    def _lose(self, worker: int, why: str) -> None:
        """Go on without a worker that cannot take its place, until the next fill."""
        log.warning("a worker of `%s` is left out: %s", self.settings.model or self.settings.backend, why)
        self._why = why
        self._dismiss(worker)

    def _dismiss(self, worker: int) -> None:
        """End an actor: one that nobody reaches any more may live, and answer and pay on."""
        self._ready.discard(worker)
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._actors[worker])

    def end(self, *, done: bool) -> None:
        """Stop what is under way, and settle what was sent. Who is still on the way is not waited for."""
        self._done = self._done and done
        for joining in self._joining.values():
            self._dismiss(joining.worker)
        self._joining = {}
        for worker in self._busy.values():
            self._actors[worker].halt.options(concurrency_group=HALTING).remote()
        for stream in list(self._busy):
            self._drain(stream)
        self._busy = {}
        self._settled([self._actors[worker].end.remote() for worker in self._ready])
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
        self._settled([self._actors[worker].leave.remote(done=self._done) for worker in self._ready])
        for worker in self._actors:
            self._dismiss(worker)

    def _settled(self, asked: "list[ObjectRef]") -> None:
        """Wait until all have done it, or for as long as they may take together; a dead worker's lease counts as spent."""
        if asked:
            self._ray.wait(asked, num_returns=len(asked), timeout=SETTLE_S, fetch_local=False)
