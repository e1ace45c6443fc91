"""What a model's files may be, looked at before anything loads them: plain files, where they belong, of the size they claim.

Whoever loads a model opens what its folder holds and builds what its configuration says. A pipe would be waited for without
end, a link could lead to any file of this machine, and a configuration of a million layers fills the memory before one tensor
is missed.
"""

import json
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import ModelError

__all__ = ["base_of", "check_claims", "check_folder", "config_of"]

MAX_JSON = 200_000_000
MANY_LAYERS = 1_000  # fewer can be built, and then the tensors that are missing are named
_LAYERS = re.compile(r"(?:num|n)_(?:hidden_|decoder_|encoder_)?layers?|block_count")
_SIZES = re.compile(r"\w*(?:size|dim|embd|d_model|n_inner|heads|experts)")


def check_folder(path: Path) -> None:
    """Raise ModelError where a model folder holds what is no plain file, or a link that leads out of it.

    The hub's own cache links each file to one beside the folder, in `blobs`: inside is the model's folder there.
    """
    root = path.resolve()
    if root.parent.name == "snapshots" and (root.parents[1] / "blobs").is_dir():
        root = root.parents[1]
    for file in sorted(path.rglob("*")):
        try:
            mode, target = file.stat().st_mode, file.resolve()
        except OSError as e:
            raise ModelError(f"`{file}` leads nowhere ({e.strerror or e}); copy the model again") from e
        if not target.is_relative_to(root):
            raise ModelError(
                f"`{file}` is a link to `{target}`, out of the model's folder; copy the file there, or name that folder"
            )
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise ModelError(f"`{file}` is no plain file (a pipe or a device); copy the model again")
        if stat.S_ISREG(mode) and file.suffix == ".json" and file.stat().st_size > MAX_JSON:
            raise ModelError(
                f"`{file}` has {file.stat().st_size:,} bytes, too many for a model's JSON; copy the model again"
            )


def config_of(file: Path) -> dict[str, object]:
    """Read one of a model's JSON files. Raises ModelError where it is no JSON object."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as e:
        raise ModelError(f"`{file}` is no JSON ({str(e)[:200]}); copy the model again") from e
    if not isinstance(said, dict):
        raise ModelError(f"`{file}` is JSON, but a {type(said).__name__} and no object; copy the model again")
    return said


def base_of(file: Path) -> str:
    """Return the base that an adapter_config.json names. Raises ModelError for what is more than LoRA weights on a base: other
    kinds of adapters open files and models of their own, and replicated layers are as many as the file says."""
    said = config_of(file)
    if said.get("peft_type") != "LORA" or said.get("layer_replication"):
        what = "`layer_replication`" if said.get("peft_type") == "LORA" else f"`peft_type: {said.get('peft_type')}`"
        raise ModelError(
            f"`{file}` says {what}; only LoRA on the base as it is can be joined: merge it where it was trained"
        )
    if not isinstance(base := said.get("base_model_name_or_path"), str) or not base:
        raise ModelError(f"`{file}` names no `base_model_name_or_path`; write the base's folder there")
    return base


def check_claims(path: Path) -> None:
    """Raise ModelError where a folder's configuration claims more layers than there are tensors, a size beyond the weights'
    bytes, or, of an adapter, a rank that none of its tensors has."""
    for name in ("config.json", "adapter_config.json"):
        if (file := path / name).exists():
            held = _held(path)
            for claim, what in _beyond(config_of(file), held):
                raise ModelError(f"`{file}` says `{claim}`, and the weights {what}; copy the model again")


def _beyond(said: Mapping[str, object], held: "_Held") -> Iterator[tuple[str, str]]:
    """Yield what is claimed, with what there is instead."""
    for name, value in _numbers(said):
        if value > max(held.n_tensors, MANY_LAYERS) and _LAYERS.fullmatch(name):
            yield f"{name}: {value}", f"hold {held.n_tensors:,} tensors"
        if value > held.n_bytes and _SIZES.fullmatch(name):
            yield f"{name}: {value}", f"have {held.n_bytes:,} bytes"
    ranks = said.get("rank_pattern")
    for rank in (said.get("r"), *(ranks.values() if isinstance(ranks, dict) else ())):
        if isinstance(rank, int) and rank > held.longest:
            yield f"r: {rank}", f"have no side longer than {held.longest:,}"


class _Held(NamedTuple):
    """What a folder's weights come to."""

    n_tensors: int
    n_bytes: int
    longest: int
    """The longest side of any of them."""


def _held(path: Path) -> _Held:
    from safetensors import SafetensorError, safe_open  # what plans and checks read a configuration by needs none

    n_tensors, n_bytes, longest = 0, 0, 0
    for weights in sorted(path.glob("*.safetensors")):
        try:
            with safe_open(weights, "pt") as file:
                sides = [side for name in file.keys() for side in file.get_slice(name).get_shape()]  # noqa: SIM118 — it is no mapping
                n_tensors += len(file.keys())
        except (SafetensorError, OSError) as e:
            raise ModelError(f"the weights in `{weights}` cannot be loaded ({e}); copy the model again") from e
        n_bytes, longest = n_bytes + weights.stat().st_size, max(longest, *sides, 0)
    return _Held(n_tensors, n_bytes, longest)


def _numbers(said: Mapping[str, object], depth: int = 0) -> Iterator[tuple[str, int]]:
    for name, value in said.items():
        if isinstance(value, int):
            yield name, value
        elif isinstance(value, dict) and depth < 5:
            yield from _numbers(value, depth + 1)
