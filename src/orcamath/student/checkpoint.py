"""Checkpoints of a training run: whole or absent, the last two and the last epoch's kept, safetensors and JSON only.

A checkpoint holds the trained weights, the optimizer's state, each process's random state and the steps done. The plan of
batches follows from seed and data, so the step is the cursor. On one CPU a resumed run ends with the same weights. A manifest
holds a hash of every file: a checkpoint that is not what was written is passed over for the one before.

Another number of processes adds gradients up in another order, so such a run is no longer the one that was begun: it is
refused, unless the user says to go on from the last finished epoch.
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from orcamath.errors import ModelError
from orcamath.store.placing import folder_whole, sync
from orcamath.store.seals import damaged_in, read_sealed, seal, seal_folder
from orcamath.student.processes import ALONE, World, gathered, like

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["KEPT", "Resumed", "discard_after", "resume", "save_checkpoint"]

KEPT = 2
EPOCH = "-epoch"
log = logging.getLogger("orcamath")


class Resumed(NamedTuple):
    """Where a run goes on."""

    step: int
    state: dict[str, Any]
    """What the run itself wanted remembered."""


def save_checkpoint(
    folder: Path,
    step: int,
    model: "PreTrainedModel",
    optimizer: torch.optim.Optimizer,
    state: Mapping[str, object],
    world: World = ALONE,
    *,
    epoch_ends: bool = False,
) -> None:
    """Write a checkpoint after `step` steps; drop all but the newest two and the newest at an epoch's end.

    Every process calls this, since a sharded model is gathered from all; the first one writes.
    """
    writes = world.rank == 0
    weights = gathered(_trained(model), keep=writes)
    moments = gathered(_moments(optimizer), keep=writes)
    random = _random(world)
    if not writes:
        return
    target = folder / f"step-{step:08d}{EPOCH if epoch_ends else ''}"
    content = {"step": step, "world_size": world.size, "names": list(weights), "state": state}
    with folder_whole(target) as aside:
        save_file(weights, aside / "weights.safetensors")
        save_file(moments, aside / "optimizer.safetensors")
        save_file(random, aside / "random.safetensors")
        (aside / "state.json").write_text(seal(content), encoding="utf-8")
        seal_folder(aside)
    sync(folder)
    found = _found(folder)
    kept = {*found[-KEPT:], *_epochs(found)[-1:]}
    for old in found:
        if old not in kept:
            shutil.rmtree(old, ignore_errors=True)


def discard_after(folder: Path, step: int) -> None:
    """Remove checkpoints later than `step`: a run that goes on from there writes its own."""
    for path in _found(folder):
        if _step(path) > step:
            shutil.rmtree(path, ignore_errors=True)


def _found(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _whole(folder: Path) -> list[Path]:
    """Return the checkpoints that can be gone on from, oldest first."""
    whole = []
    for path in _found(folder):
        if (what := damaged_in(path)) is None:
            whole.append(path)
        else:
            log.warning("`%s` is damaged: going on from the checkpoint before it", path / what)
    return whole


def _epochs(found: list[Path]) -> list[Path]:
    return [p for p in found if p.name.endswith(EPOCH)]


def _step(path: Path) -> int:
    return int(path.name.removesuffix(EPOCH).removeprefix("step-"))


def _newest(folder: Path, world_size: int, how: Literal["exact", "epoch"]) -> Path | None:
    """Return the checkpoint to go on from; None where there is none. Raises ModelError as `resume` does."""
    found = _whole(folder)
    if not found:
        return None
    wrote = _state(found[-1])["world_size"]
    if wrote == world_size:
        return found[-1]
    ended = _epochs(found)[-1:]
    back = f"step {_step(ended[0])}, the end of the last finished epoch" if ended else "the beginning (no epoch ended)"
    if how == "exact":
        raise ModelError(
            f"the checkpoint `{found[-1]}` was written by {wrote} processes and this run has {world_size}: start it with "
            f"`processes: {wrote}` again, or set `resume: epoch` to go on from {back}"
        )
    log.warning("%d processes wrote the last checkpoint, now %d: going on from %s", wrote, world_size, back)
    return ended[0] if ended else None


def resume(
    folder: Path,
    model: "PreTrainedModel",
    optimizer: torch.optim.Optimizer,
    world_size: int = 1,
    *,
    how: Literal["exact", "epoch"] = "exact",
    rank: int = 0,
) -> Resumed | None:
    """Bring model, optimizer and random state back from the newest checkpoint; None where the run begins anew.

    Where it was written by another number of processes: `exact` raises ModelError, `epoch` goes back to the end of the last
    finished epoch, or to the beginning where none was finished.
    """
    if (path := _newest(folder, world_size, how)) is None:
        return None
    content = _state(path)
    weights = load_file(path / "weights.safetensors")
    with torch.no_grad():
        for name, parameter in _trained(model):
            parameter.copy_(like(weights[name], parameter))
    moments = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    owners = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in load_file(path / "optimizer.safetensors").items():
        index, slot = key.split("|")
        state.setdefault(int(index), {})[slot] = like(value, owners[int(index)])
    moments["state"] = state
    optimizer.load_state_dict(moments)
    random = load_file(path / "random.safetensors")
    torch.set_rng_state(random.get(_of("cpu", rank), random["cpu"]))
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random.get(_of("cuda", rank), random["cuda"]))
    return Resumed(int(content["step"]), content["state"])


def _random(world: World) -> dict[str, Tensor]:
    """Return the random states of all processes: each has drawn as much dropout as its own problems took."""
    here = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        here["cuda"] = torch.cuda.get_rng_state()
    return {_of(kind, rank): state for kind, own in here.items() for rank, state in enumerate(world.each(own))}


def _of(kind: str, rank: int) -> str:
    return f"{kind} {rank}" if rank else kind


def _state(path: Path) -> dict[str, Any]:
    state = read_sealed(path / "state.json")
    if state is None:
        raise ModelError(f"the checkpoint `{path}` has no readable state.json: delete that folder and run again")
    return state


def _trained(model: "PreTrainedModel") -> Iterator[tuple[str, Tensor]]:
    return ((n, p) for n, p in model.named_parameters() if p.requires_grad)


def _moments(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for number, slots in optimizer.state_dict()["state"].items():
        yield from ((f"{number}|{key}", value) for key, value in slots.items() if isinstance(value, Tensor))
