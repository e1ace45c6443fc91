"""The processes of one training as workers of Ray Train: the port `StartProcesses` on a cluster.

In: a job of `student/launch.py` on a path that all nodes share. The loop is the one that `torchrun` starts; Ray finds places for
the workers, has them meet, and begins them again where one was lost: they go on from the last checkpoint in the job's scratch.
"""

import logging
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from orcamath.cluster.blocks import ONE_THREAD
from orcamath.machines import StartProcesses

if TYPE_CHECKING:
    from ray.actor import ActorHandle

__all__ = ["TrainPart", "trained_over_nodes"]

TrainPart = Callable[[Path, Callable[[str], None]], None]
"""Does one process's part of a job, and hands lines to who launched it."""
SHARE = 0.5
"""Of a CPU, that a worker without a GPU asks for."""
LOST = 3
"""How often the workers may be begun again."""
TOLD_S = 1.0


def trained_over_nodes(ray: ModuleType, train_part: TrainPart) -> StartProcesses:
    """Return who starts the processes of a training on a connected cluster, one a GPU where it has any.

    `train_part` does one process's part of a job; it is given the job, and who takes its lines.
    """

    def start(job: Path, processes: int, log: Path, /) -> Generator[str, None, None]:
        said = ray.remote(_Said).options(num_cpus=0).remote()
        fit = ray.remote(_fit).options(num_cpus=0, max_retries=0, runtime_env=ONE_THREAD)
        on_gpus = ray.cluster_resources().get("GPU", 0) > 0
        fitting = fit.remote(str(job), processes, on_gpus, train_part, said)
        try:
            over = False
            while not over:
                over = bool(ray.wait([fitting], timeout=TOLD_S)[0])
                yield from ray.get(said.take.remote())
            log.write_text(ray.get(fitting))
        except ray.exceptions.RayError as e:
            log.write_text(str(e))
        finally:
            if not over:
                ray.cancel(fitting)  # as Ctrl-C there, which ends the workers
            ray.kill(said)

    return start


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
            num_workers=processes, use_gpu=on_gpus, resources_per_worker=None if on_gpus else {"CPU": SHARE}
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
