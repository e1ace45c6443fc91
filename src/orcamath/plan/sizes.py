"""How large a model is, read from its files' headers: no weights are loaded, and torch is not needed."""

import json
import re
import struct
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import ModelError
from orcamath.student.gguf_header import gguf_header, gguf_tensors
from orcamath.student.intake import base_of, config_of

__all__ = ["ModelSize", "size_by_name", "size_on_disk"]

_NAMED = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)([BbMm])(?![A-Za-z0-9])")
_HEADER_LIMIT = 100_000_000
_SHAPE_RATIO = 128  # hidden size over layers, about the same in open models from 1 to 70 billion parameters


HIDDEN = ("hidden_size", "n_embd", "d_model", "hidden_dim", "dim")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
"""What the models of transformers call these in their config.json."""
HEADS = ("lm_head.weight", "embed_out.weight", "output.weight")


class ModelSize(NamedTuple):
    """What memory and time follow from."""

    n_params: float
    hidden: int
    layers: int
    vocabulary: int
    tied: bool
    """Whether the embeddings are also the output matrix."""
    context: int | None = None
    """Positions it was made for; None where that is not said."""


def size_by_name(name: str) -> ModelSize | None:
    """Estimate from a name such as `owner/model-7B`; None where it names no size. 12 · layers · hidden² parameters."""
    found = _NAMED.findall(name)
    if not found:
        return None
    number, unit = found[-1]
    n = float(number) * (1e9 if unit in "Bb" else 1e6)
    hidden = round((n * _SHAPE_RATIO / 12) ** (1 / 3))
    return ModelSize(n, hidden, max(1, round(hidden / _SHAPE_RATIO)), 32_000 if n > 1e9 else 50_000, n < 1e9)


def size_on_disk(path: Path) -> ModelSize:
    """Read a folder's config.json and safetensors headers, or a GGUF file's; of an adapter, those of the base it names, which
    lies here or whose name tells its size. Raises ModelError where they make no sense."""
    try:
        if (adapter := path / "adapter_config.json").exists():
            return _base(base_of(adapter))
        return _gguf(path) if path.is_file() else _folder(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error) as e:
        raise ModelError(f"the size of the model at `{path}` cannot be read: {type(e).__name__}: {e}") from e


def _base(name: str) -> ModelSize:
    path = Path(name).expanduser()
    size = _folder(path) if path.exists() else size_by_name(name)
    if size is None:
        raise ValueError(f"its base `{name}` is no folder here, and its name tells no size")
    return size


def _folder(path: Path) -> ModelSize:
    config = config_of(path / "config.json")
    sizes = {name: n for file in sorted(path.glob("*.safetensors")) for name, n in _elements(file).items()}
    tied = bool(config.get("tie_word_embeddings", not any(name in sizes for name in HEADS)))
    hidden, layers, context = (_said(config, names) for names in (HIDDEN, LAYERS, CONTEXT))
    if hidden is None or layers is None:
        raise ValueError(f"config.json names none of {', '.join(HIDDEN if hidden is None else LAYERS)}")
    return ModelSize(sum(sizes.values()), hidden, layers, int(str(config["vocab_size"])), tied, context)


def _said(config: Mapping[str, object], names: Iterable[str]) -> int | None:
    return next((value for name in names if isinstance(value := config.get(name), int)), None)


def _elements(file: Path) -> dict[str, int]:
    """Count the numbers of a safetensors file's tensors: its header is JSON behind eight bytes of length."""
    with file.open("rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        if length > _HEADER_LIMIT:
            raise ValueError(f"`{file.name}` has a header of {length} bytes")
        header = json.loads(f.read(length))
    return {name: prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


def _gguf(path: Path) -> ModelSize:
    header, tensors = gguf_header(path), gguf_tensors(path)
    kind = header["general.architecture"]
    hidden, layers = header[f"{kind}.embedding_length"], header[f"{kind}.block_count"]
    vocabulary = tensors["token_embd.weight"] // hidden
    context = header.get(f"{kind}.context_length")
    return ModelSize(sum(tensors.values()), hidden, layers, vocabulary, "output.weight" not in tensors, context)
