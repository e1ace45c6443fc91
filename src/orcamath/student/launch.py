"""Runs a training stage in several processes: the stage starts `torchrun` on this very module and takes over what it leaves.

Job and result are JSON files in the stage's scratch; the first process writes the model and the metrics.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orcamath.errors import ModelError, OrcamathError, TrainingDiverged
from orcamath.records import Rejected
from orcamath.store.artifacts import Artifact, Output
from orcamath.student.settings import LearnSettings, SftSettings

__all__ = ["Job", "launch", "main"]

Job = dict[str, Any]


def launch(
    out: Output,
    settings: SftSettings | LearnSettings,
    data: Artifact,
    models: dict[str, Any],
    metric: Callable[..., None],
    **more: Any,
) -> None:
    """Train in `settings.processes` processes and take facts, books and metrics over. Raises what the first one raised."""
    job = {
        "settings": settings.model_dump(mode="json"), "data": [str(data.path), data.stage, data.digest, data.manifest],
        "models": {k: [str(m.path), m.fingerprint] for k, m in models.items()},
        "folder": str(out.folder), "scratch": str(out.scratch), **more,
    }  # fmt: skip
    path = out.scratch / "job.json"
    path.write_text(json.dumps(job))
    (out.scratch / "done.json").unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={settings.processes}",
        "-m", "orcamath.student.launch", str(path),
    ]  # fmt: skip
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    result = out.scratch / "done.json"
    if not result.exists():
        raise ModelError(f"training in {settings.processes} processes failed: {ended.stderr.strip()[-500:]}")
    _take(out, json.loads(result.read_text()), metric)


def _take(out: Output, done: dict[str, Any], metric: Callable[..., None]) -> None:
    if "error" in done:
        kind = TrainingDiverged if done["kind"] == "TrainingDiverged" else ModelError
        raise kind(done["error"])
    for numbers in done["metrics"]:
        metric(**numbers)
    out.facts |= done["facts"]
    books = done["balance"]
    out.balance.results, out.balance.kept = books["results"], books["kept"]
    for row in done["rejected"]:
        out.reject(Rejected.of(row))


@dataclass
class _Noted(Output):
    """An Output that also notes its rejects, for the process that launched this one to book."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def reject(self, rejected: Rejected, *, of_call: bool = False) -> None:
        self.rows.append(rejected.row())
        super().reject(rejected, of_call=of_call)


class _Silent:
    """A Progress that says nothing: the bars belong to the process that launched this one."""

    def begin(self, what: str, total: int | None) -> None: ...

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None: ...

    def end(self) -> None: ...


def main(path: Path) -> None:
    """Do one process's part of a job. The first process leaves `done.json`."""
    from orcamath.student.model import ModelFolder
    from orcamath.student.processes import World

    job: Job = json.loads(path.read_text())
    scratch, rank = Path(job["scratch"]), int(os.environ["RANK"])
    folder = Path(job["folder"]) if rank == 0 else scratch / f"rank-{rank}"
    folder.mkdir(exist_ok=True)
    out = _Noted(folder, scratch)
    metrics: list[dict[str, Any]] = []
    place, stage, name, manifest = job["data"]
    data = Artifact(Path(place), stage, name, manifest)
    models = {k: ModelFolder(Path(p), f) for k, (p, f) in job["models"].items()}
    world = World.join(job["settings"]["processes"])
    done: dict[str, Any]
    try:
        _train(job, out, data, models, lambda **numbers: metrics.append(numbers), world)
        done = {"facts": _plain(out.facts), "balance": out.balance.plain(), "metrics": metrics, "rejected": out.rows}
    except OrcamathError as e:
        done = {"error": str(e), "kind": type(e).__name__}
    if rank == 0:
        (scratch / "done.json").write_text(json.dumps(done))
    world.leave()


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {k: dict(v) if isinstance(v, Counter) else v for k, v in facts.items()}


def _train(job: Job, out: Output, data: Artifact, models: dict[str, Any], metric: Any, world: Any) -> None:
    if "base" in models:
        from orcamath.student.supervised import train_on_lessons

        taught = SftSettings.model_validate(job["settings"])
        train_on_lessons(out, taught, data, models["base"], _Silent(), metric, world)
        return
    from orcamath.student.losses import apo_zero, dpo, ipo, kto, nll, rpo, sft
    from orcamath.student.preference import train_on_preferences

    settings = LearnSettings.model_validate(job["settings"])
    store = Path(job["store"]) if job["store"] else None
    ours = {m.loss.__module__: m.loss for m in (apo_zero, dpo, ipo, kto, nll, rpo, sft)}
    if job["loss"] not in ours:
        raise ModelError("a loss from your own file trains in one process only: set `processes: 1`")
    loss = ours[job["loss"]]
    train_on_preferences(
        out, settings, data, models["student"], models["reference"], loss, _Silent(), metric, store, world
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
