"""A cluster of two raylets on this machine, one CPU each."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STORE = {"object_store_memory": 80_000_000}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    ray: Any = pytest.importorskip("ray", reason="the extra `ray` is not installed (`make test-cluster` installs it)")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **STORE})
    cluster.add_node(num_cpus=1, **STORE)
    ray.init(address=cluster.address, log_to_driver=False, logging_level=40)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def actors(kind: str) -> dict[int, str]:
    """Return the processes of the actors of a class, and how they call themselves."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if text.startswith(f"ray::{kind}"):
            found[int(path.parent.name)] = text
    return found
