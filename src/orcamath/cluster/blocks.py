"""Pure work on blocks by tasks on a cluster: some blocks ahead, results in the blocks' order, a lost one done again.

In: work and blocks, picklable. Out: what `map` would yield. Nothing is asked or paid in such a task, so Ray may try it again.
"""

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING

from orcamath.cluster.ray_errors import reason
from orcamath.errors import ModelError
from orcamath.machines import After, Before, InBlocks

if TYPE_CHECKING:
    from ray import ObjectRef

__all__ = ["ONE_THREAD", "beside_us", "over_nodes"]

AHEAD = 2
"""Blocks under way for each CPU of the cluster."""
SHARE = 0.25
"""Of a CPU, that a task asks for: actors that hold models keep theirs meanwhile."""
RETRIES = 8
ONE_THREAD: dict[str, object] = {"env_vars": {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}}
"""Where whatever runs on a node runs: one thread a process."""


def beside_us(ray: ModuleType) -> object:
    """Return the strategy that places an actor or a task on this node and on no other."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def over_nodes(ray: ModuleType) -> InBlocks:
    """Return who does such work on all nodes of a connected cluster."""
    remote = ray.remote(_do).options(
        num_cpus=SHARE, max_retries=RETRIES, scheduling_strategy="SPREAD", runtime_env=ONE_THREAD
    )

    def in_blocks(work: Callable[[Before], After], blocks: Iterable[Before], /) -> Iterator[After]:
        sent, ahead = ray.put(ray.cloudpickle.dumps(work)), AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        under_way: deque[ObjectRef] = deque()
        left = iter(blocks)
        while True:
            for block in islice(left, ahead - len(under_way)):
                under_way.append(remote.remote(sent, pickle.dumps(block)))
            if not under_way:
                return
            with _told(ray):
                found: After = ray.get(under_way.popleft())
            yield found

    return in_blocks


@contextmanager
def _told(ray: ModuleType) -> Iterator[None]:
    """Raise what the work raised, ModelError where a block was lost again and again."""
    try:
        yield
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as e:
        raise ModelError(
            f"a block of work was lost {RETRIES + 1} times, with its worker or its node: {reason(e)}"
        ) from e


def _do(work: bytes, block: bytes) -> object:
    """Work on copies: arrays that Ray itself hands over cannot be written to, and not every library takes such ones."""
    return pickle.loads(work)(pickle.loads(block))  # noqa: S301 (the driver's own)
