"""A student's server on a node of the cluster: the port `StartServer` there.

The node with the most GPUs takes it, all of them together, so a known engine serves a copy of the student on each. It listens on
that node's own address. An actor keeps it: the server ends with the actor, and the actor with the run.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from orcamath.backends.served import served_here
from orcamath.cluster.ray_errors import first_line, our_own
from orcamath.errors import ModelError
from orcamath.machines import Serving, StartServer

__all__ = ["served_on_a_node"]

SHARE = 0.5
"""Of a CPU, that the keeper asks for."""


def served_on_a_node(ray: ModuleType, wait_s: float) -> StartServer:
    """Return who starts a student's server on a connected cluster; its keeper may take `wait_s` to find a place."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    @contextmanager
    def start(serving: Serving, log: Path, /) -> Generator[str, None, None]:
        nodes = [n for n in ray.nodes() if n["Alive"]]
        node = max(nodes, key=lambda n: (n["Resources"].get("GPU", 0), n["Resources"].get("CPU", 0)))
        keeper = (
            ray.remote(_Keeper)
            .options(
                num_cpus=SHARE,
                num_gpus=node["Resources"].get("GPU", 0),
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
                max_restarts=0,
            )
            .remote()
        )
        try:
            try:
                url = ray.get(keeper.start.remote(serving), timeout=serving.wait_s + wait_s)
            except ray.exceptions.GetTimeoutError:
                message = f"no place for the student's server on the cluster within {wait_s:.0f} s: its GPUs are taken"
                raise ModelError(message) from None
            except ray.exceptions.RayTaskError as e:
                raise our_own(e) from None
            except ray.exceptions.RayError as e:
                raise ModelError(f"the node of the student's server is lost ({first_line(e)})") from e
            try:
                yield url
            finally:  # however the samples ended, so that training finds the GPUs free
                with suppress(ray.exceptions.RayError):  # its node may be lost
                    log.write_bytes(ray.get(keeper.stop.remote(), timeout=wait_s))
        finally:
            ray.kill(keeper)

    return start


class _Keeper:
    """The actor beside the server, on its node."""

    def __init__(self) -> None:
        self.kept = ExitStack()
        self.log = Path(self.kept.enter_context(TemporaryDirectory(prefix="orcamath-"))) / "server.log"

    def start(self, serving: Serving) -> str:
        """Start the server and return its address. Raises ModelError."""
        import ray

        if not serving.model.is_dir():
            raise ModelError(
                f"`{serving.model}` is not on the node that is to serve it: `store` has to lie where all nodes see it"
            )
        return self.kept.enter_context(served_here(serving, self.log, ray.util.get_node_ip_address()))

    def stop(self) -> bytes:
        """Stop the server and return what it said."""
        said = self.log.read_bytes()
        self.kept.close()
        return said
