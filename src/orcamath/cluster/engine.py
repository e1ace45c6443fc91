"""A run's connection to a Ray cluster: crews for its models, places for its training, leases from its budget.

Keys are read from the environment of each node; none is sent.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from orcamath.cluster.blocks import ONE_THREAD, beside_us, over_nodes
from orcamath.cluster.crew import Connection, Hired, RayCrew
from orcamath.cluster.purse import DriverPurse
from orcamath.cluster.ray_errors import our_own, reason
from orcamath.cluster.settings import EngineSettings
from orcamath.cluster.spread import Spread
from orcamath.cluster.training import TrainPart, trained_over_nodes
from orcamath.errors import ModelError, RecipeError
from orcamath.machines import Machines
from orcamath.ports import Batched, Chat
from orcamath.records import digest
from orcamath.settings import ModelSettings
from orcamath.store.budget import Budget
from orcamath.store.ledger import MAX_SHARDS

if TYPE_CHECKING:
    from ray.actor import ActorHandle

__all__ = ["RayEngine", "connected"]

WITH_WEIGHTS, WITHOUT = 0.5, 0.01
"""Of a CPU, that a worker asks for. One that waits for an endpoint keeps its place all through a run, and needs hardly any."""
MOST_CLIENTS = 32
"""Actors of an endpoint: one makes hundreds of calls at once, and those of a node share a folder of `MAX_SHARDS` shards."""
WAVES, SERVED_WAVES = 8, 4
"""A block of single calls is so many times what a worker has in flight: few workers wait for the last call of theirs. A server of
a node's own has hundreds in flight, and with too many waves few blocks are left for the others."""
TOKEN = Path("~/.ray/auth_token")
"""Where Ray keeps a user's token; the first cluster that begins with `ray.init` writes it."""
OWN: dict[str, object] = {"object_store_memory": 200_000_000, "include_dashboard": False}
"""Of a cluster that begins with us. It listens on the machine's address, and who has its token can run code (docs/scale.md)."""


@contextmanager
def connected(settings: EngineSettings) -> Iterator[ModuleType]:
    """Lend `ray`, connected to the cluster; one that begins here ends here. Inside another of these nothing is begun.

    Raises RecipeError without the extra or for a Ray client's address, ModelError where there is no cluster.
    """
    address = os.environ.get("RAY_ADDRESS", "") if settings.address == "auto" else settings.address or ""
    if address.startswith("ray://"):
        raise RecipeError(
            f"`{address}` (`--address`, or RAY_ADDRESS) is a Ray client's, which keeps no books for its workers: run on a "
            f"node of the cluster with `--address auto`, or hand the command in by `ray job submit`"
        )
    _show_token(address)
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
        raise ModelError(
            f"no Ray cluster {where} ({reason(e)}): `ray start --head` begins one; one that wants a token is reached with "
            f"RAY_AUTH_MODE=token and its token here (docs/scale.md)"
        ) from e
    try:
        yield ray
    finally:
        ray.shutdown()


def _show_token(address: str) -> None:
    """Go by a token that lies here, as `ray start --head` and the address `auto` do; Ray does not where an address is told.

    A cluster that asks for none takes it too. Has to come before Ray is imported.
    """
    there = (
        any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")) or TOKEN.expanduser().is_file()
    )
    if address and there:
        os.environ.setdefault("RAY_AUTH_MODE", "token")


class RayEngine:
    """A connection to a cluster, for one process of a run."""

    def __init__(
        self,
        settings: EngineSettings,
        run: str,
        open_chat: Callable[[ModelSettings], Chat],
        train_part: TrainPart,
    ) -> None:
        """`run` names what this process leaves on the nodes while it runs; `open_chat` opens a backend on one.

        `train_part` does one process's part of a training there.

        Raises RecipeError without the extra, ModelError where there is no cluster.
        """
        self._began = ExitStack()
        self.ray: ModuleType = self._began.enter_context(connected(settings))
        self.settings, self.run, self.open_chat, self.train_part = settings, run, open_chat, train_part
        self._purse: ActorHandle | None = None
        self._crews: dict[str, RayCrew] = {}

    @property
    def shared(self) -> EngineSettings:
        """How other processes of the run reach this cluster."""
        return self.settings._replace(address=self.ray.get_runtime_context().gcs_address)

    def keep_books(self, budget: Budget, cap_usd: float | None, stages_usd: Mapping[str, float]) -> None:
        """Let workers lease from this budget. Its file is opened on this node only."""
        actor = self.ray.remote(DriverPurse).options(num_cpus=0, scheduling_strategy=beside_us(self.ray))
        self._purse = actor.remote(budget.path.resolve(), cap_usd, dict(stages_usd))

    def spread(
        self, settings: ModelSettings, chat: Chat, open_there: Callable[[ModelSettings], Chat] | None = None
    ) -> Chat:
        """Return a model that the cluster's actors play. One whose calls lie with a provider for hours is left as it is.

        `open_there` starts a server of a node's own with all its GPUs, which `settings.concurrency` then is of; where it is None,
        the model is opened by its backend's name.
        """
        if isinstance(chat, Batched):
            return chat
        if open_there is not None:
            hire, block = partial(self._servers, open_there), SERVED_WAVES * settings.concurrency
        else:
            hire = partial(self._players, settings, chat)
            block = WAVES * max(1, settings.concurrency // hire().n)
        return Spread(chat, lambda: self._crew(settings, chat, hire), block)

    def _players(self, settings: ModelSettings, chat: Chat) -> Hired:
        """Return the actors that play a model: of an endpoint no more than it may be asked at once."""
        there = self.ray.cluster_resources()
        n = self.settings.workers or max(1, int(there.get("GPU", 0) or there.get("CPU", 1)))
        if chat.chunk is None:
            return Hired(min(n, settings.concurrency, MOST_CLIENTS), self.open_chat, WITHOUT, environment=ONE_THREAD)
        # known once: where all GPUs are lost, no successor computes on a CPU what the others computed on one
        gpus = min(1, there.get("GPU", 0))
        n = min(n, MAX_SHARDS * max(1, sum(node["Alive"] for node in self.ray.nodes())))
        return Hired(n, self.open_chat, WITH_WEIGHTS, gpus, stays=False, environment=ONE_THREAD)

    def _servers(self, open_there: Callable[[ModelSettings], Chat]) -> Hired:
        """Return one actor for each of the nodes with the most GPUs; for each node where none has any."""
        gpus = [
            node["Resources"].get("GPU", 0)
            for node in self.ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU", 0)
        ]
        most = max(gpus, default=0)
        n = min(gpus.count(most), self.settings.workers or len(gpus))
        return Hired(max(1, n), open_there, WITH_WEIGHTS, most, stays=False)

    @property
    def machines(self) -> Machines:
        """Whose processors a stage works on."""
        return Machines(
            over_nodes(self.ray),
            trained_over_nodes(self.ray, self.train_part, self.settings.wait_s),
        )

    def dismiss(self) -> None:
        """Let all actors go, and what they left on their nodes."""
        for crew in self._crews.values():
            crew.leave()
        self._crews = {}

    def close(self) -> None:
        """Dismiss, and end the cluster where it began with us."""
        with self._began:
            self.dismiss()

    def ask(self) -> Callable[..., Any] | None:
        """Return what a worker reaches the purse by."""
        return None if self._purse is None else _Ask(self._purse)

    def _crew(self, settings: ModelSettings, chat: Chat, hire: Callable[[], Hired]) -> "RayCrew":
        """Return the model's crew, hired where it is not there."""
        key = digest(settings.model_dump(mode="json"))
        crew = self._crews.get(key)
        if crew is None or crew.gone:
            here = Connection(self.ray, self.settings, self.run, self.ask())
            crew = self._crews[key] = RayCrew(here, hire(), settings, chat)
        return crew


class _Ask:
    """Calls a method of the purse and waits; picklable."""

    def __init__(self, purse: "ActorHandle") -> None:
        self.purse = purse

    def __call__(self, method: str, *arguments: object) -> object:
        import ray

        try:
            return ray.get(getattr(self.purse, method).remote(*arguments))
        except ray.exceptions.RayTaskError as e:
            raise our_own(e) from None
