"""A crew of Ray actors that play one model.

Actors are never restarted by Ray, nor their tasks tried again: `spread` knows which calls of a block came back, and asks only
the others again. A worker is given a block once it has its model. One that died is replaced, and the others go on meanwhile: its
place may be gone with its node. Keys are read from the environment of each node; none is sent.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from orcamath import __version__
from orcamath.backends.student_server import ServerLost
from orcamath.cluster.ray_errors import our_own, reason
from orcamath.cluster.settings import EngineSettings
from orcamath.cluster.spread import News
from orcamath.cluster.worker import NodeFull, Worker
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

__all__ = ["Connection", "Hired", "RayCrew", "shared_out"]

NEWS_S = 1.0
SETTLE_S = 120.0
"""In which workers give back what they leased; then it counts as spent."""
MAX_HIRED = 4
"""How often in a row a worker may be hired again that died before it had opened its model."""
UNPLACED_S = 5.0
"""After which those that have no place yet do not keep the others from beginning."""
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
    run: str
    """Names what the run leaves on the nodes."""
    ask_purse: Callable[..., Any] | None
    """By which a worker leases money; None without a book."""


class Hired(NamedTuple):
    """Who plays one model: how many workers, what opens it there, and what each asks of its node."""

    n: int
    open_chat: Callable[[ModelSettings], Chat]
    num_cpus: float
    num_gpus: float = 0
    stays: bool = True
    """From one fill to the next. One that holds weights goes: training and the next student want the room."""
    environment: dict[str, object] | None = None
    """In which it runs, as Ray's `runtime_env`."""


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

    def __init__(self, cluster: Connection, hired: Hired, settings: ModelSettings, chat: Chat) -> None:
        self.cluster, self.hired, self.settings, self.chat = cluster, hired, settings, chat
        self.price: Price | None = declared_price(settings)
        self.gone = False
        self._ray = cluster.ray
        self._done = True
        self._busy: dict[ObjectRefGenerator, int] = {}
        self._stage: str | None = None
        self._actors: dict[int, ActorHandle] = {}
        self._joining: dict[ObjectRef, _Joining] = {}
        self._ready: set[int] = set()
        self._died_opening = Counter[int]()
        self._lost: OrcamathError | None = None
        """Why the last worker that was left out could not take its place."""
        try:
            for worker in range(hired.n):
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

    def _hire(self, worker: int) -> None:
        remote = self._ray.remote(concurrency_groups={HALTING: 1})(Worker).options(
            num_cpus=self.hired.num_cpus,
            num_gpus=self.hired.num_gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
            runtime_env=self.hired.environment,
        )
        shards = f"{self.cluster.run}-{digest(self.chat.fingerprint)}"
        actor = remote.remote(self.hired.open_chat, shards, __version__, str(Path.cwd()), self.cluster.ask_purse)
        mine = shared_out(self.settings, self.hired.n, worker)
        self._actors[worker] = actor
        placed, opened = actor.here.remote(), actor.open.remote(mine, self.chat.fingerprint)
        self._joining[opened] = _Joining(worker, placed, time.monotonic())

    def _opened(self) -> None:
        """Wait until all have their model; those without a place do not keep the others from beginning.

        Raises what opening raised where none could, ModelError where there is no place for any.
        """
        while self._joining:
            ready, _ = self._ray.wait(list(self._joining), num_returns=1, timeout=NEWS_S)
            for ref in ready:
                self._come(ref)
            if not ready and self._ready and self._nobody_placed(UNPLACED_S):
                n = len(self._joining)
                log.warning("%d of %d workers found no place yet; they join when there is one", n, len(self._actors))
                return
            if not ready and not self._ready and self._nobody_placed(self.cluster.settings.wait_s):
                raise self._no_place()
        if not self._ready:
            raise self._nobody()

    def _come(self, ref: "ObjectRef") -> None:
        """Take note that a worker has opened its model, or was told its stage, or could not."""
        joining = self._joining.pop(ref)
        worker = joining.worker
        try:
            self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as e:
            cause = our_own(e)
            if not isinstance(cause, OrcamathError):  # a fault of a program's, on whatever node
                raise cause from None
            self._lose(worker, cause)
        except self._ray.exceptions.RayError as e:  # its node went meanwhile
            self._died_opening[worker] += 1
            if self._died_opening[worker] <= MAX_HIRED:
                self._replace(worker, e)
                return
            del self._died_opening[worker]
            self._lose(worker, ModelError(f"workers die before they have opened their model; the last: {reason(e)}"))
        else:
            if joining.opened:
                del self._died_opening[worker]
                self._ready.add(worker)
            else:
                told = self._actors[worker].begin.remote(self._stage, self.price)
                self._joining[told] = joining._replace(opened=True)

    def _nobody_placed(self, wait_s: float) -> bool:
        """Whether all that are on their way have been without a place for so long."""
        late = time.monotonic() - wait_s
        if any(j.since > late for j in self._joining.values()):
            return False
        return not self._ray.wait([j.placed for j in self._joining.values()], num_returns=1, timeout=0)[0]

    def _no_place(self) -> ModelError:
        wait_s, why = self.cluster.settings.wait_s, f"; one said: {self._lost}" if self._lost else ""
        return ModelError(
            f"none of {len(self._actors)} workers has found a place on the cluster within {wait_s:.0f} s; it has "
            f"{self._ray.available_resources()} left: wait longer for others to leave (--wait-workers), or add nodes{why}"
        )

    def _nobody(self) -> OrcamathError:
        """Return why no worker is left: what the last one said, as the kind of error that it is."""
        return self._lost or ModelError("no worker is left")

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
        for worker in range(self.hired.n):
            if worker not in expected:
                self._hire(worker)

    def give(self, worker: int, requests: list[Request]) -> None:
        """Let a worker answer these."""
        stream = self._actors[worker].answer.options(num_returns="streaming").remote(requests)
        self._busy[stream] = worker

    def news(self) -> list[News]:
        """Wait until something happened, and say what. Raises why, where nobody is ready and nobody comes."""
        while waiting := [*self._busy, *self._joining]:
            for found in self._ray.wait(waiting, num_returns=1, timeout=NEWS_S)[0]:
                if found in self._busy:
                    return [self._of(found)]
                self._come(found)
                return []
            if not self._busy and not self._ready and self._nobody_placed(self.cluster.settings.wait_s):
                raise self._no_place()
        raise self._nobody()

    def _of(self, stream: "ObjectRefGenerator") -> News:
        worker = self._busy[stream]
        try:
            message = self._ray.get(next(stream))
        except StopIteration:
            del self._busy[stream]
            return News(worker, over=True)
        except self._ray.exceptions.RayTaskError as e:
            message = our_own(e)
        except self._ray.exceptions.RayError as e:
            del self._busy[stream]
            return News(worker, died=self._replace(worker, e))
        if not isinstance(message, BaseException):
            return News(worker, tuple(message))
        del self._busy[stream]
        if isinstance(message, ServerLost):
            return News(worker, died=self._replace(worker, message))
        if not isinstance(message, NodeFull):
            return News(worker, raised=message)
        self._lose(worker, message)  # the others have room
        return News(worker, died=str(message))

    def _replace(self, worker: int, e: BaseException) -> str:
        """Hire another worker for one that died; returns why it did."""
        why = reason(e)
        log.warning("a worker of `%s` died: %s", self.settings.model or self.settings.backend, why)
        self._dismiss(worker)
        self._hire(worker)
        return why

    def _lose(self, worker: int, why: OrcamathError) -> None:
        """Go on without a worker that cannot take its place, until the next fill."""
        log.warning("a worker of `%s` is left out: %s", self.settings.model or self.settings.backend, why)
        self._lost = why
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
        if not self.hired.stays:
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
