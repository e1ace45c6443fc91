"""One training on a cluster's workers: what one process trains, and it goes on where a worker or its node is lost."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import load_file

from orcamath.assemble import train_part
from orcamath.cluster.training import TrainPart
from orcamath.errors import ModelError, TrainingDiverged
from orcamath.machines import Machines
from orcamath.stages.imitate import imitate
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.under_way import Calls
from orcamath.student.folder import ModelFolder
from orcamath.student.settings import SftSettings
from small_cluster import STORE, actors
from tiny_student import tiny_folder, tiny_lessons

ray: Any = pytest.importorskip("ray", reason="the extra `ray` is not installed (`make test-cluster` installs it)")
pytestmark = [pytest.mark.cluster, pytest.mark.enable_socket]
SFT = SftSettings(learning_rate=1e-3, epochs=2, batch_size=4, max_tokens=64, checkpoint_steps=2)
TWO = SFT.model_copy(update={"processes": 2})
KEYS = ("loss", "grad_norm", "logp_chosen")


@pytest.fixture
def tiny(tmp_path: Path) -> ModelFolder:
    return tiny_folder(tmp_path / "base")


@pytest.fixture
def lessons(tmp_path: Path) -> Artifact:
    return tiny_lessons(tmp_path)


def output(path: Path, metric: Callable[..., None], *, cluster: bool, part: TrainPart = train_part) -> Output:
    from orcamath.cluster.training import trained_over_nodes

    for name in ("folder", "scratch"):
        (path / name).mkdir(parents=True)
    machines = Machines(start_processes=trained_over_nodes(ray, part, 3)) if cluster else Machines()
    return Output(path / "folder", path / "scratch", Calls("imitate"), metric=metric, machines=machines)


def weights(out: Output) -> dict[str, torch.Tensor]:
    return load_file(out.folder / "model" / "model.safetensors")


def train(
    path: Path,
    settings: SftSettings,
    lessons: Artifact,
    base: ModelFolder,
    *,
    cluster: bool = True,
    part: TrainPart = train_part,
) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    """Return the steps as they were told, and the weights."""
    steps: list[dict[str, Any]] = []
    out = output(path, lambda **numbers: steps.append(numbers), cluster=cluster, part=part)
    imitate(out, settings, lessons, base)
    return steps, weights(out)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("sharding", ["none", "fsdp2"])
def test_two_workers_train_what_one_process_trains(
    tmp_path: Path,
    tiny: ModelFolder,
    lessons: Artifact,
    monkeypatch: pytest.MonkeyPatch,
    sharding: Literal["none", "fsdp2"],
) -> None:
    monkeypatch.chdir(tmp_path)  # a run's paths may be relative to where it was begun, which is nowhere to a worker
    nodes = tmp_path / "nodes"
    nodes.mkdir()

    def noted(job: Path, say: Callable[[str], None]) -> None:
        (nodes / str(ray.get_runtime_context().get_node_id())).touch()
        train_part(job, say)

    here, own = train(tmp_path / "here", SFT, lessons, tiny, cluster=False)
    there, shared = train(Path("there"), TWO.model_copy(update={"sharding": sharding}), lessons, tiny, part=noted)
    assert len(list(nodes.iterdir())) == 2  # a worker on each of the two
    for key in KEYS:
        assert [s[key] for s in there] == pytest.approx([s[key] for s in here], abs=1e-5, rel=1e-5), key
    assert own.keys() == shared.keys()
    assert all(torch.allclose(own[k], w, atol=1e-5) for k, w in shared.items())


@pytest.mark.parametrize("lost", ["worker", "node"])
def test_training_goes_on_from_its_checkpoint_where_a_worker_or_its_node_is_lost(
    cluster: Any, tmp_path: Path, tiny: ModelFolder, lessons: Artifact, lost: str
) -> None:
    settings = TWO.model_copy(update={"epochs": 60, "checkpoint_steps": 20})
    whole, undisturbed = train(tmp_path / "whole", settings, lessons, tiny)
    steps: list[int] = []

    def lose(*, step: int, **_: object) -> None:
        if len(steps) == 30:
            if lost == "worker":
                os.kill(next(iter(actors("RayTrainWorker"))), signal.SIGKILL)
            else:
                cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
                cluster.add_node(num_cpus=1, **STORE)
        steps.append(step)

    out = output(tmp_path / "lost", lose, cluster=True)
    imitate(out, settings, lessons, tiny)
    assert steps[-1] == whole[-1]["step"]
    assert all(torch.allclose(undisturbed[k], w, atol=1e-5) for k, w in weights(out).items())


@pytest.mark.usefixtures("cluster")
def test_more_processes_than_there_are_places_are_refused_where_the_cluster_does_not_grow(
    tmp_path: Path, tiny: ModelFolder, lessons: Artifact
) -> None:
    with pytest.raises(ModelError, match="`processes: 5` find no place: the cluster has 2 CPUs"):
        train(tmp_path, TWO.model_copy(update={"processes": 5}), lessons, tiny)


@pytest.mark.usefixtures("cluster")
def test_what_ends_a_training_for_good_is_said_and_not_tried_again(
    tmp_path: Path, tiny: ModelFolder, lessons: Artifact
) -> None:
    with pytest.raises(TrainingDiverged, match="loss"):
        train(tmp_path, TWO.model_copy(update={"learning_rate": 1e12, "max_grad_norm": 1e12}), lessons, tiny)
