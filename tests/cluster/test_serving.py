"""A student's server on another node than the driver's: two raylets on this machine, and a third with a GPU that is only said."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orcamath.backends.student_server import StudentServer
from orcamath.cluster.serving import served_on_a_node
from orcamath.errors import ModelError
from orcamath.ports import Request, Sampling
from orcamath.stages.serving import ServerSettings
from small_cluster import STORE, actors

ray: Any = pytest.importorskip("ray", reason="the extra `ray` is not installed (`make test-cluster` installs it)")
pytestmark = [pytest.mark.cluster, pytest.mark.enable_socket]
FAKE = f"{sys.executable} -m orcamath.testing --reply hello --host {{host}} --port {{port}} --models {{name}} {{model}}"


@pytest.fixture
def with_gpus(cluster: Any) -> Iterator[Any]:
    node = cluster.add_node(num_cpus=1, num_gpus=2, resources={"served": 1}, **STORE)
    cluster.wait_for_nodes()
    yield node
    if node in cluster.list_all_nodes():
        cluster.remove_node(node)


def student(tmp_path: Path, command: str = FAKE, **settings: Any) -> StudentServer:
    (tmp_path / "model").mkdir(exist_ok=True)
    given = ServerSettings(command=command, concurrency=4, **settings)
    start = served_on_a_node(ray, 60)
    return StudentServer(given, tmp_path / "model", "weights-0123456789abcdef", log=tmp_path / "log", start=start)


def asked(n: int) -> list[Request]:
    return [Request(token_ids=(1, 2), sampling=Sampling(0.7), draw=d) for d in range(n)]


def keepers() -> dict[int, str]:
    return actors("_Keeper")


def test_a_students_server_runs_on_the_node_with_the_gpus_from_the_first_sample_to_the_last(
    with_gpus: Any, tmp_path: Path
) -> None:
    replies = student(tmp_path)(asked(20))
    first = next(replies)
    (held,) = [n for n in ray._private.state.available_resources_per_node().values() if "served" in n]
    assert (first.text, held.get("GPU", 0)) == ("hello", 0)  # all of that node's, while it serves
    assert {r.text for r in replies} == {"hello"}
    assert (tmp_path / "log").read_text().startswith("http://")
    until = time.monotonic() + 60
    while keepers() and time.monotonic() < until:
        time.sleep(0.1)
    assert not keepers()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("no-such-program {model} {name} {host} {port}", "cannot be started"),
        (FAKE.replace("{name}", "another-{name}"), "not `orcamath-0123456789abcdef`"),
    ],
)
def test_what_keeps_a_server_on_a_node_from_starting_is_said_here(
    command: str, says: str, with_gpus: Any, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=says):
        list(student(tmp_path, command)(asked(1)))


def test_a_student_that_the_node_does_not_see_is_said(with_gpus: Any, tmp_path: Path) -> None:
    model = student(tmp_path)
    (tmp_path / "model").rmdir()
    with pytest.raises(ModelError, match="where all nodes see it"):
        list(model(asked(1)))
