"""A student's server on each of the nodes with the most GPUs: two raylets here, and two more with GPUs that are only said."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from orcamath.assemble import open_chat, train_part
from orcamath.backends.student_server import ServedThere, StudentServer
from orcamath.cluster.engine import RayEngine
from orcamath.cluster.settings import EngineSettings
from orcamath.errors import ModelError
from orcamath.ports import Chat, Request, Sampling
from orcamath.settings import ModelSettings
from orcamath.stages.serving import ServerSettings
from small_cluster import STORE, actors

ray: Any = pytest.importorskip("ray", reason="the extra `ray` is not installed (`make test-cluster` installs it)")
pytestmark = [pytest.mark.cluster, pytest.mark.enable_socket]
FAKE = f"{sys.executable} -m orcamath.testing --reply hello --port {{port}} --models {{name}} {{model}}"
SLOW = '{"latency_s": 0.2}'
WEIGHTS = "weights-0123456789abcdef"


@pytest.fixture
def with_gpus(cluster: Any) -> Iterator[list[Any]]:
    nodes = [cluster.add_node(num_cpus=1, num_gpus=2, **STORE) for _ in range(2)]
    cluster.wait_for_nodes()
    yield nodes
    for node in nodes:
        if node in cluster.list_all_nodes():
            cluster.remove_node(node)


@pytest.fixture
def engine(cluster: Any, with_gpus: list[Any]) -> Iterator[RayEngine]:
    engine = RayEngine(EngineSettings(cluster.address, wait_s=60), uuid4().hex, open_chat, train_part)
    yield engine
    engine.dismiss()


def student(engine: RayEngine, folder: Path, command: str = FAKE) -> Chat:
    (folder / "model").mkdir(exist_ok=True)
    settings = ServerSettings(command=command, concurrency=4)
    here = StudentServer(settings, folder / "model", WEIGHTS)
    there = ServedThere(settings, folder / "model", WEIGHTS, (), folder)
    return engine.spread(ModelSettings(backend="student_server", concurrency=4), here, there)


def asked(n: int) -> list[Request]:
    return [Request(token_ids=(1, 2), sampling=Sampling(0.7), draw=d) for d in range(n)]


def servers() -> set[int]:
    """Return the processes of students' servers that run."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text().split("\0")
        except OSError:
            continue
        if "orcamath.testing" in words and f"orcamath-{WEIGHTS[-16:]}" in words:
            found.add(int(path.parent.name))
    return found


def gone(seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while (servers() or actors("Worker")) and time.monotonic() < until:
        time.sleep(0.1)
    return not servers() and not actors("Worker")


def gpus_free() -> float:
    return float(ray.available_resources().get("GPU", 0))


def test_each_node_with_gpus_serves_the_student_from_the_first_sample_to_the_last(
    engine: RayEngine, tmp_path: Path
) -> None:
    replies = student(engine, tmp_path)(asked(200))
    first = next(iter(replies))
    assert (first.text, len(servers()), gpus_free()) == ("hello", 2, 0)  # all of both nodes', while they serve
    assert len([first, *replies]) == 200
    assert gone()
    until = time.monotonic() + 30
    while gpus_free() < 4 and time.monotonic() < until:
        time.sleep(0.1)
    assert gpus_free() == 4  # training finds them
    assert next(tmp_path.glob("student-server-*.log")).read_text().startswith("http://127.0.0.1:")


@pytest.mark.parametrize("lost", ["server", "worker", "node"])
def test_where_a_server_is_lost_alone_or_with_its_worker_or_its_node_the_samples_come_all_the_same(
    engine: RayEngine, cluster: Any, with_gpus: list[Any], tmp_path: Path, lost: str
) -> None:
    replies = student(engine, tmp_path, f"{FAKE} --faults '{SLOW}'")(asked(200))
    came = [next(iter(replies)) for _ in range(10)]
    if lost == "server":
        os.kill(min(servers()), signal.SIGKILL)
    elif lost == "worker":
        os.kill(min(actors("Worker")), signal.SIGKILL)
    else:
        cluster.remove_node(with_gpus[0], allow_graceful=False)
    came += replies
    assert len({r.key for r in came}) == len(came) == 200
    assert {r.text for r in came} == {"hello"}
    assert gone()  # no server outlives its worker


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("no-such-program {model} {name} {port}", "cannot be started"),
        (FAKE.replace("{name}", "another-{name}"), "not `orcamath-0123456789abcdef`"),
    ],
)
def test_what_keeps_all_servers_from_starting_is_said_here(
    command: str, says: str, engine: RayEngine, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=says):
        list(student(engine, tmp_path, command)(asked(1)))


def test_a_student_that_the_nodes_do_not_see_is_said(engine: RayEngine, tmp_path: Path) -> None:
    model = student(engine, tmp_path)
    (tmp_path / "model").rmdir()
    with pytest.raises(ModelError, match="where all nodes see it"):
        list(model(asked(1)))
