"""A crew of Ray actors, and the engine that makes one for each model of a run.

Actors are never restarted by Ray, nor their tasks tried again: `spread` knows which calls of a block came back, and asks only the
others again. Keys are read from the environment of each node; none is sent.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from orcamath import __version__
from orcamath.cluster.blocks import ONE_THREAD, over_nodes
from orcamath.cluster.purse import DriverPurse
from orcamath.cluster.settings import EngineSettings
from orcamath.cluster.spread import News, Spread
from orcamath.cluster.worker import Worker
from orcamath.errors import ModelError, OrcamathError, RecipeError
from orcamath.ports import Batched, Chat, InBlocks, Request
from orcamath.records import digest
from orcamath.settings import ModelSettings
from orcamath.store.budget import Budget, Price
from orcamath.store.prices import declared_price
from orcamath.store.under_way import under_way

if TYPE_CHECKING:
    from ray import ObjectRef, ObjectRefGenerator
    from ray.actor import ActorHandle
    from ray.exceptions import RayTaskError

__all__ = ["RayEngine", "connected", "shared_out"]

WAVES = 8
"""A block of single calls is so many times what a worker has in flight: few workers wait for the last call of theirs."""
NEWS_S = 1.0
MAX_HIRED = 8
"""Workers that may die while a crew is opened."""
HALTING = "halting"
"""A thread of its own in each actor, beside the one that answers."""
OWN: dict[str, object] = {"object_store_memory": 200_000_000, "include_dashboard": False}
"""Of a cluster that begins with us. It listens on the machine's address, and who reaches it can run code (docs/scale.md)."""
RATES = ("requests_per_minute", "tokens_per_minute")
log = logging.getLogger("orcamath")


@contextmanager
def connected(settings: EngineSettings) -> Iterator[ModuleType]:
    """Lend `ray`, connected to the cluster; one that begins here ends here. Inside another of these nothing is begun.

    Raises RecipeError without the extra, ModelError where there is no cluster.
    """
    try:
        import ray
    except ImportError:
        raise RecipeError("`--engine ray` needs the extra `ray`: pip install 'orcamath[ray]', on all nodes") from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing of a run is told to anybody
    if ray.is_initialized():
        yield ray
        return
    own: dict[str, object] = {} if settings.address else OWN
    try:
        ray.init(address=settings.address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except Exception as e:  # a bare one where a node is too busy to start
        where = f"at `{settings.address}`" if settings.address else "that could be begun here"
        raise ModelError(f"no Ray cluster {where} ({_first_line(e)}): `ray start --head` begins one") from e
    try:
        yield ray
    finally:
        ray.shutdown()


class RayEngine:
    """A connection to a cluster, for one process of a run."""

    def __init__(self, settings: EngineSettings, run: str, open_chat: Callable[[ModelSettings], Chat]) -> None:
        """`run` names what this process leaves on the nodes while it runs; `open_chat` opens a backend on one.

        Raises RecipeError without the extra, ModelError where there is no cluster.
        """
        self._began = ExitStack()
        self.ray: ModuleType = self._began.enter_context(connected(settings))
        self.settings, self.run, self.open_chat = settings, run, open_chat
        self._purse: ActorHandle | None = None
        self._crews: dict[str, _RayCrew] = {}

    @property
    def shared(self) -> EngineSettings:
        """How other processes of the run reach this cluster."""
        return self.settings._replace(address=self.ray.get_runtime_context().gcs_address)

    def keep_books(self, budget: Budget, cap_usd: float | None, stages_usd: Mapping[str, float]) -> None:
        """Let workers lease from this budget. Its file is opened on this node only."""
        here = self.ray.get_runtime_context().get_node_id()
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor = self.ray.remote(DriverPurse).options(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False)
        )
        self._purse = actor.remote(budget.path.resolve(), cap_usd, dict(stages_usd))

    def spread(self, settings: ModelSettings, chat: Chat) -> Chat:
        """Return a model that the cluster's actors play. One whose calls lie with a provider for hours is left as it is."""
        if isinstance(chat, Batched):
            return chat
        return Spread(chat, lambda: self._crew(settings, chat), WAVES * max(1, settings.concurrency // self.n_workers))

    @property
    def n_workers(self) -> int:
        """Actors a model."""
        there = self.ray.cluster_resources()
        return self.settings.workers or max(1, int(there.get("GPU", 0) or there.get("CPU", 1)))

    @property
    def in_blocks(self) -> InBlocks:
        """Who does work that is the same block by block."""
        return over_nodes(self.ray)

    def dismiss(self) -> None:
        """Let all actors go, and what they left on their nodes."""
        for crew in self._crews.values():
            crew.leave()
        self._crews = {}

    def close(self) -> None:
        """Dismiss, and end the cluster where it began with us."""
        self.dismiss()
        self._began.close()

    def ask(self) -> Callable[..., Any] | None:
        """Return what a worker reaches the purse by."""
        return None if self._purse is None else _Ask(self._purse)

    def _crew(self, settings: ModelSettings, chat: Chat) -> "_RayCrew":
        """Return the model's crew. One that holds weights goes after each fill: training and the next student want the room."""
        key = digest(settings.model_dump(mode="json"))
        crew = self._crews.get(key)
        if crew is None or crew.gone:
            crew = self._crews[key] = _RayCrew(self, shared_out(settings, self.n_workers), chat)
        return crew


class _Ask:
    """Calls a method of the purse and waits; picklable."""

    def __init__(self, purse: "ActorHandle") -> None:
        self.purse = purse

    def __call__(self, method: str, *arguments: object) -> object:
        import ray

        return ray.get(getattr(self.purse, method).remote(*arguments))


def shared_out(settings: ModelSettings, n: int) -> ModelSettings:
    """Return what each of `n` workers may do, so that all together do what the recipe says: calls at once, and a minute."""
    rates = {name: rate / n for name in RATES if (rate := settings.options.get(name)) is not None}
    at_once = max(1, math.ceil(settings.concurrency / n))
    return settings.model_copy(update={"concurrency": at_once, "options": settings.options | rates})


class _RayCrew:
    """The port `Crew` over actors."""

    def __init__(self, engine: RayEngine, settings: ModelSettings, chat: Chat) -> None:
        self.engine, self.settings, self.chat = engine, settings, chat
        self.price: Price | None = declared_price(settings)
        self.size = engine.n_workers
        self.gone = False
        self._ray = engine.ray
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
        shards = f"{self.engine.run}-{digest(self.chat.fingerprint)}"
        return actor.remote(self.engine.open_chat, shards, __version__, str(Path.cwd()), self.engine.ask())

    def _opened(self) -> None:
        """Wait until every actor has its model. Raises what opening raised there, ModelError where there is no place for all."""
        asked = {w: a.open.remote(self.settings, self.chat.fingerprint) for w, a in enumerate(self._actors)}
        hired = 0
        while asked:
            worker, ref = next(iter(asked.items()))
            try:
                self._ray.get(ref, timeout=self.engine.settings.wait_s)
                del asked[worker]
            except self._ray.exceptions.GetTimeoutError:
                raise ModelError(
                    f"{self.size} workers found no place on the cluster within {self.engine.settings.wait_s:.0f} s; it has "
                    f"{self._ray.available_resources()} left: ask for fewer with --workers"
                ) from None
            except self._ray.exceptions.RayTaskError as e:
                raise _ours(e) from None
            except self._ray.exceptions.RayActorError as e:  # its node went meanwhile
                hired += 1
                if hired > MAX_HIRED:
                    raise ModelError(
                        f"workers die before they have opened their model; the last: {_first_line(e)}"
                    ) from e
                self._actors[worker] = self._hire()
                asked[worker] = self._actors[worker].open.remote(self.settings, self.chat.fingerprint)

    def begin(self) -> None:
        """Have them book on the stage that is under way here."""
        calls = under_way()
        self._stage = calls.stage if calls is not None else None
        self._ray.get([a.begin.remote(self._stage, self.price) for a in self._actors])

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
            return News(worker, raised=_ours(e))
        except self._ray.exceptions.RayError as e:
            del self._busy[stream]
            why = _first_line(e)
            log.warning("a worker of `%s` died: %s", self.settings.model or self.settings.backend, why)
            self._actors[worker] = self._replaced()
            return News(worker, died=why)
        if isinstance(message, OrcamathError):
            del self._busy[stream]
            return News(worker, raised=message)
        return News(worker, tuple(message))

    def _replaced(self) -> "ActorHandle":
        actor = self._hire()
        actor.open.remote(self.settings, self.chat.fingerprint)  # what it raises, the next call of this actor tells
        actor.begin.remote(self._stage, self.price)
        return actor

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
        for ref in asked:
            try:
                self._ray.get(ref, timeout=self.engine.settings.wait_s)
            except self._ray.exceptions.RayError:
                continue  # a dead worker's lease counts as spent


def _first_line(e: BaseException) -> str:
    return str(e).strip().partition("\n")[0]


def _ours(e: "RayTaskError") -> BaseException:
    cause: BaseException = e.cause
    return cause if isinstance(cause, OrcamathError) else e
