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

from safetensors import SafetensorError, safe_open

from orcamath.errors import ModelError

__all__ = ["check_claims", "check_folder", "config_of"]

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


def check_claims(path: Path) -> None:
    """Raise ModelError where a folder's configuration claims more layers than there are tensors, or a size beyond the weights'
    bytes. An adapter has none of its own."""
    file, weights = path / "config.json", sorted(path.glob("*.safetensors"))
    if not file.exists():
        return
    n_tensors, n_bytes = sum(map(_count, weights)), sum(f.stat().st_size for f in weights)
    for name, value in _numbers(config_of(file)):
        claims = f"`{file}` says `{name}: {value}`, and the weights"
        if value > max(n_tensors, MANY_LAYERS) and _LAYERS.fullmatch(name):
            raise ModelError(f"{claims} hold {n_tensors:,} tensors; copy the model again")
        if value > n_bytes and _SIZES.fullmatch(name):
            raise ModelError(f"{claims} have {n_bytes:,} bytes; copy the model again")


def _count(weights: Path) -> int:
    try:
        with safe_open(weights, "pt") as held:
            return len(held.keys())
    except (SafetensorError, OSError) as e:
        raise ModelError(f"the weights in `{weights}` cannot be loaded ({e}); copy the model again") from e


def _numbers(said: Mapping[str, object], depth: int = 0) -> Iterator[tuple[str, int]]:
    for name, value in said.items():
        if isinstance(value, int):
            yield name, value
        elif isinstance(value, dict) and depth < 5:
            yield from _numbers(value, depth + 1)
