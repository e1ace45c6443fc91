"""The processes of one training as workers of Ray Train: the port `StartProcesses` on a cluster.

In: a job of `student/launch.py` on a path that all nodes share. The loop is the one that `torchrun` starts; Ray finds places for
the workers, has them meet, and begins them again where one was lost: they go on from the last checkpoint in the job's scratch.
"""

import logging
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from orcamath.cluster.blocks import ONE_THREAD, beside_us
from orcamath.errors import ModelError
from orcamath.machines import StartProcesses

if TYPE_CHECKING:
    from ray.actor import ActorHandle

__all__ = ["TrainPart", "trained_over_nodes"]

TrainPart = Callable[[Path, Callable[[str], None]], None]
"""Does one process's part of a job, and hands lines to who launched it."""
A_CPU = 2
"""Workers without a GPU for which a CPU has a place."""
SHARE = 0.4
"""Of a CPU, that such a one asks for; workers that wait for an endpoint keep a hundredth each meanwhile."""
LOST = 3
"""How often the workers may be begun again."""
TOLD_S = 1.0
ENDS_S = 30.0
"""In which the workers of a training that is given up leave their places."""
WAITS_S = 60.0
"""Without a word from the workers, after which it is said that they wait for their places."""
log_of = logging.getLogger("orcamath")


def trained_over_nodes(ray: ModuleType, train_part: TrainPart, wait_s: float) -> StartProcesses:
    """Return who starts the processes of a training on a connected cluster, one a GPU where it has any.

    `train_part` does one process's part of a job; it is given the job, and who takes its lines. Where the cluster has not so many
    places after `wait_s`, in which one that grows may have got them, a training ends with ModelError.
    """

    def start(job: Path, processes: int, log: Path, /) -> Generator[str, None, None]:
        on_gpus = _places(ray, processes, wait_s)
        here = {"num_cpus": 0, "scheduling_strategy": beside_us(ray)}  # no other node that is lost takes them along
        said = ray.remote(_Said).options(**here).remote()
        fit = ray.remote(_fit).options(**here, max_retries=0, runtime_env=ONE_THREAD)
        fitting = fit.remote(str(job), processes, on_gpus, train_part, said)
        heard, told, over = time.monotonic(), False, False
        try:
            while not over:
                over = bool(ray.wait([fitting], timeout=TOLD_S)[0])
                for line in ray.get(said.take.remote()):
                    heard, told = time.monotonic(), True
                    yield line
                silent = time.monotonic() - heard
                if silent > wait_s:  # a lost node's places may be gone for good, and Ray waits for them without end
                    _enough(ray, processes, wait_s, on_gpus=on_gpus)
                if silent > WAITS_S and not told:
                    told = True
                    log_of.warning("training waits for %d places; free are %s", processes, ray.available_resources())
            log.write_text(ray.get(fitting))
        except ray.exceptions.RayError as e:
            log.write_text(str(e))
        finally:
            if not over:
                ray.cancel(fitting)  # as Ctrl-C there, which ends the workers
                ray.wait([fitting], timeout=ENDS_S)
            ray.kill(said)

    return start


def _places(ray: ModuleType, processes: int, wait_s: float) -> bool:
    """Tell whether the workers get a GPU each, once the cluster has so many places, used or free.

    Asks a cluster that grows to bring them. Raises ModelError where it has not after `wait_s`.
    """
    from ray.autoscaler.sdk import request_resources

    gpus: bool = ray.cluster_resources().get("GPU", 0) > 0
    if not gpus:
        log_of.warning("no node of the cluster has a GPU now: training on CPUs")
    place, until, asked = {"GPU": 1.0} if gpus else {"CPU": 1 / A_CPU}, time.monotonic() + wait_s, False
    try:
        while processes > _there(ray, on_gpus=gpus):
            if time.monotonic() > until:
                _enough(ray, processes, wait_s, on_gpus=gpus)
            request_resources(bundles=[place] * processes)
            asked = True
            time.sleep(TOLD_S)
    finally:
        if asked:  # it stands until it is taken back
            request_resources(bundles=[])
    return gpus


def _there(ray: ModuleType, *, on_gpus: bool) -> float:
    """Return how many places the cluster has, used or free."""
    there = ray.cluster_resources()
    return float(there.get("GPU", 0) if on_gpus else A_CPU * there.get("CPU", 0))


def _enough(ray: ModuleType, processes: int, wait_s: float, *, on_gpus: bool) -> None:
    if processes > (there := _there(ray, on_gpus=on_gpus)):
        has = f"{there:g} GPUs" if on_gpus else f"{there / A_CPU:g} CPUs, a place for two on each"
        raise ModelError(
            f"`processes: {processes}` find no place: the cluster has {has}, after {wait_s:.0f} s. Set `processes` to fewer, or "
            f"add nodes; run again to go on"
        )


class _Said:
    """What the first worker said and nobody took yet."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def take(self) -> list[str]:
        taken, self.lines = self.lines, []
        return taken


def _fit(job: str, processes: int, on_gpus: bool, train_part: TrainPart, said: "ActorHandle") -> str:
    """Run the workers to their end; returns what they complain of, or nothing."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    logging.getLogger("ray.train").setLevel(logging.ERROR)
    trainer = TorchTrainer(
        _work,
        train_loop_config={"job": job, "train_part": train_part, "said": said},
        scaling_config=ScalingConfig(
            num_workers=processes,
            use_gpu=on_gpus,
            resources_per_worker=None if on_gpus else {"CPU": SHARE},
            placement_strategy="PACK"
            if on_gpus
            else "SPREAD",  # GPUs talk to each other, CPUs share their memory's pace
        ),
        run_config=RunConfig(
            storage_path=str(Path(job).parent / "ray"),
            failure_config=FailureConfig(max_failures=LOST),
            worker_runtime_env=ONE_THREAD,
        ),
    )
    try:
        trainer.fit()
    except Exception as e:  # whatever ended the training is told by whom began it
        return str(e)
    return ""


def _work(config: dict[str, Any]) -> None:
    """Do one worker's part. What ended an attempt for good is not tried again."""
    import ray

    job, said = Path(config["job"]), config["said"]
    if any(job.parent.glob("error-*.json")):
        return

    def say(line: str) -> None:
        ray.get(said.say.remote(line))

    try:
        config["train_part"](job, say)
    except SystemExit as e:
        if e.code:
            raise RuntimeError("this worker's part failed; its error lies beside the job") from None
