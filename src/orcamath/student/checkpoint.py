"""Checkpoints of a training run: whole or absent, the last two kept, safetensors and JSON only.

A checkpoint holds the trained weights, the optimizer's state, the random state and the number of steps done. The plan of
batches follows from seed and data, so the step is the cursor. On one CPU a resumed run ends with the same weights.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from orcamath.errors import ModelError

__all__ = ["KEPT", "Resumed", "resume", "save_checkpoint"]

KEPT = 2


class Resumed(NamedTuple):
    """Where a run goes on."""

    step: int
    state: dict[str, Any]
    """What the run itself wanted remembered."""


def save_checkpoint(
    folder: Path, step: int, model: Any, optimizer: torch.optim.Optimizer, state: dict[str, Any], world_size: int = 1
) -> None:
    """Write a checkpoint after `step` steps and drop all but the newest two."""
    target = folder / f"step-{step:08d}"
    temporary = folder / f".{target.name}.writing"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    names = [n for n, p in model.named_parameters() if p.requires_grad]
    save_file({n: p.detach().contiguous() for n, p in _trained(model)}, temporary / "weights.safetensors")
    moments = optimizer.state_dict()
    tensors = {
        f"{names_of}|{key}": value.contiguous()
        for names_of, slots in moments["state"].items()
        for key, value in slots.items()
        if isinstance(value, Tensor)
    }
    save_file(tensors, temporary / "optimizer.safetensors")
    random = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["cuda"] = torch.cuda.get_rng_state()
    save_file(random, temporary / "random.safetensors")
    content = {"step": step, "world_size": world_size, "names": names, "state": state}
    (temporary / "state.json").write_text(json.dumps(content))
    for path in [*temporary.iterdir(), temporary]:
        _sync(path)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    _sync(folder)
    for old in sorted(folder.glob("step-*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def resume(folder: Path, model: Any, optimizer: torch.optim.Optimizer, world_size: int = 1) -> Resumed | None:
    """Bring model, optimizer and random state back from the newest checkpoint; None where there is none.

    Raises ModelError where it was written by another number of processes: their random states would not fit.
    """
    found = sorted(folder.glob("step-*"))
    if not found:
        return None
    path = found[-1]
    content = json.loads((path / "state.json").read_text())
    if content["world_size"] != world_size:
        raise ModelError(
            f"the checkpoint `{path}` was written by {content['world_size']} processes and this run has {world_size}: "
            f"start it with {content['world_size']} again, or delete `{folder}` to begin this training anew"
        )
    weights = load_file(path / "weights.safetensors")
    with torch.no_grad():
        for name, parameter in _trained(model):
            parameter.copy_(weights[name])
    moments = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in load_file(path / "optimizer.safetensors").items():
        index, slot = key.split("|")
        state.setdefault(int(index), {})[slot] = value
    moments["state"] = state
    optimizer.load_state_dict(moments)
    random = load_file(path / "random.safetensors")
    torch.set_rng_state(random["cpu"])
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["cuda"])
    return Resumed(int(content["step"]), content["state"])


def _trained(model: Any) -> Iterator[tuple[str, Tensor]]:
    return ((n, p) for n, p in model.named_parameters() if p.requires_grad)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
