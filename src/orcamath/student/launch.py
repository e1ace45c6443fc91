"""Runs a training stage in several processes: the stage has this room's worker started and takes over what it leaves.

`torchrun` starts the processes on this machine; on a cluster the run's engine does (`cluster/training.py`). The job is a JSON
file in the stage's scratch. The first process tells of steps and progress as they come, a marked line of JSON each; it writes
the model, and at the end its books. The worker's entry is `assemble.train_part`, because finding a loss by name or file belongs
there; `commands/train_process.py` is what `torchrun` starts.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from inspect import unwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from orcamath.errors import DataError, ModelError, OrcamathError, OthersFailed, TrainingDiverged
from orcamath.records import Rejected
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.under_way import Calls
from orcamath.student.facts import TrainedFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.room import let_go
from orcamath.student.settings import LearnSettings, SftSettings
from orcamath.student.watch import warn

if TYPE_CHECKING:
    from orcamath.student.losses import LossFunction
    from orcamath.student.processes import World

__all__ = ["Job", "launch", "loss_name", "say_aloud", "work"]

Job = dict[str, Any]
"""What processes tell each other, as JSON values."""
MARK = "orcamath: "
T = TypeVar("T", bound=TrainedFacts)
LOSSES = "orcamath.student.losses."


def loss_name(loss: Callable[..., object]) -> str:
    """Return what another process finds a loss by: its short name, or the file it was read from. Raises ModelError."""
    module = sys.modules[loss.__module__]
    loss = unwrap(loss)  # from what holds others' to their contract
    if loss.__module__.startswith(LOSSES):
        return loss.__module__.removeprefix(LOSSES)
    if getattr(module, "loss", None) is not loss or not getattr(module, "__file__", None):
        raise ModelError(
            f"the loss `{loss.__qualname__}` is not the `loss` of a file, so no other process can find it: put it into a "
            f"file of its own, or set `processes: 1`"
        )
    return str(Path(str(module.__file__)).resolve())


def launch(
    out: Output,
    settings: SftSettings | LearnSettings,
    data: Artifact,
    models: Mapping[str, ModelFolder],
    facts: type[T],
    loss: str = "",
) -> T:
    """Train in `settings.processes` processes, take the books over, return the facts; metrics and progress come as they are made.

    Raises what the first process raised, and ModelError where the processes ended without a word.
    """
    job = {
        "settings": settings.model_dump(mode="json"),
        "data": [str(data.path.resolve()), data.stage, data.digest, data.manifest],
        "models": {k: [str(m.path.resolve()), m.fingerprint] for k, m in models.items()},
        "folder": str(out.folder.resolve()),
        "scratch": str(out.scratch.resolve()),
        "shared": str((out.shared or out.scratch).resolve()),
        "loss": loss,
    }
    path, result, log = out.scratch / "job.json", out.scratch / "done.json", out.scratch / "processes.log"
    path.write_text(json.dumps(job))
    for old in [result, *out.scratch.glob("error-*.json")]:
        old.unlink(missing_ok=True)
    let_go()
    with closing((out.machines.start_processes or _torchrun)(path.resolve(), settings.processes, log)) as said:
        for line in said:
            if line.startswith(MARK):
                _tell(json.loads(line.removeprefix(MARK)), out)
    for error in sorted(out.scratch.glob("error-*.json")):
        _raise(json.loads(error.read_text()))
    if not result.exists():
        raise ModelError(f"training in {settings.processes} processes failed: {log.read_text()[-500:].strip()}")
    return _taken(out, facts, json.loads(result.read_text()))


def _torchrun(job: Path, processes: int, log: Path) -> Generator[str, None, None]:
    """Start the processes on this machine: the port `StartProcesses`."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *torchrun, "-m", "orcamath.commands.train_process", str(job)]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as running,
    ):
        assert running.stdout is not None
        try:
            yield from running.stdout
        except BaseException:
            running.terminate()  # torchrun ends its workers
            raise


def _tell(told: Job, out: Output) -> None:
    match told:
        case {"metric": numbers}:
            out.metric(**numbers)
        case {"begin": [what, total]}:
            out.progress.begin(what, total)
        case {"advance": n}:
            out.progress.advance(n)
        case {"end": _}:
            out.progress.end()


def _raise(error: Job) -> None:
    kinds: dict[str, type[OrcamathError]] = {k.__name__: k for k in (TrainingDiverged, DataError, OthersFailed)}
    raise kinds.get(error["kind"], ModelError)(error["error"])


def _taken(out: Output, facts: type[T], done: Job) -> T:
    said = facts.of(done["facts"])
    for warning in said.warnings:
        warn(warning)  # a worker's log goes to a file
    out.keep(done["balance"]["kept"])
    for row in done["rejected"]:
        out.reject(Rejected.of(row))
    return said


@dataclass
class _Noted(Output):
    """An Output that also notes its rejects, for the process that launched this one to book."""

    rows: list[dict[str, object]] = field(default_factory=list)

    def reject(self, rejected: Rejected, *, of_call: bool = False, owed: bool = False) -> None:
        self.rows.append(rejected.row())
        super().reject(rejected, of_call=of_call, owed=owed)


class _Told:
    """Progress and metrics of a worker, told to the process that launched it; only the first worker speaks."""

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self.say = say

    def tell(self, **what: object) -> None:
        if self.say is not None:
            self.say(f"{MARK}{json.dumps(what)}")

    def metric(self, **numbers: object) -> None:
        self.tell(metric=numbers)

    def begin(self, what: str, total: int | None) -> None:
        self.tell(begin=[what, total])

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:
        self.tell(advance=n, spent_usd=spent_usd)

    def end(self) -> None:
        self.tell(end=True)


def say_aloud(line: str) -> None:
    """Print a line at once, for `torchrun` to hand on."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def work(
    path: Path,
    find_loss: Callable[[str], "LossFunction"],
    boundary: Callable[[], AbstractContextManager[None]] = nullcontext,
    say: Callable[[str], None] = say_aloud,
) -> None:
    """Do one process's part of a job, inside the `boundary` that names others' exceptions; `say` hands a line to who launched it.

    The first process leaves `done.json`; one that cannot go on leaves `error-RANK.json` and ends, so that whoever started it ends
    the others, who may be waiting for it.
    """
    from orcamath.student.processes import World

    job: Job = json.loads(path.read_text())
    scratch, rank = Path(job["scratch"]), int(os.environ["RANK"])
    folder = Path(job["folder"]) if rank == 0 else scratch / f"rank-{rank}"
    folder.mkdir(exist_ok=True)
    place, stage, name, manifest = job["data"]
    told = _Told(say if rank == 0 else None)
    out = _Noted(folder, scratch, Calls(stage), told, told.metric, Path(job["shared"]))
    data = Artifact(Path(place), stage, name, manifest)
    models = {k: ModelFolder(Path(p), f) for k, (p, f) in job["models"].items()}
    world = World.join(job["settings"]["processes"])
    try:
        with boundary():
            said = _train(job, out, data, models, world, find_loss)
    except OrcamathError as e:
        (scratch / f"error-{rank}.json").write_text(json.dumps({"error": str(e), "kind": type(e).__name__}))
        sys.exit(1)
    if rank == 0:
        done = {"facts": said.plain(), "balance": out.balance.plain(), "rejected": out.rows}
        (scratch / "done.json").write_text(json.dumps(done))
    world.leave()


def _train(
    job: Job,
    out: Output,
    data: Artifact,
    models: Mapping[str, ModelFolder],
    world: "World",
    find_loss: Callable[[str], "LossFunction"],
) -> TrainedFacts:
    if "base" in models:
        from orcamath.student.supervised import train_on_lessons

        taught = SftSettings.model_validate(job["settings"])
        return train_on_lessons(out, taught, data, models["base"], world)
    from orcamath.student.preference import train_on_preferences

    settings = LearnSettings.model_validate(job["settings"])
    loss = find_loss(job["loss"])
    return train_on_preferences(out, settings, data, models["student"], models["reference"], loss, world)
