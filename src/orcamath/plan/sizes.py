"""How large a model is, read from its files' headers: no weights are loaded, and torch is not needed."""

import json
import re
import struct
from math import prod
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import ModelError
from orcamath.student.gguf_header import gguf_header, gguf_tensors

__all__ = ["ModelSize", "size_by_name", "size_on_disk"]

_NAMED = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)([BbMm])(?![A-Za-z0-9])")
_HEADER_LIMIT = 100_000_000
_SHAPE_RATIO = 128  # hidden size over layers, about the same in open models from 1 to 70 billion parameters


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
    """Read a folder's config.json and safetensors headers, or a GGUF file's. Raises ModelError where they make no sense."""
    try:
        return _gguf(path) if path.is_file() else _folder(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error) as e:
        raise ModelError(f"the size of the model at `{path}` cannot be read: {type(e).__name__}: {e}") from e


def _folder(path: Path) -> ModelSize:
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    n = sum(_elements(file) for file in sorted(path.glob("*.safetensors")))
    tied = bool(config.get("tie_word_embeddings", False))
    hidden, layers, vocabulary = config["hidden_size"], config["num_hidden_layers"], config["vocab_size"]
    return ModelSize(n, hidden, layers, vocabulary, tied, config.get("max_position_embeddings"))


def _elements(file: Path) -> int:
    """Count a safetensors file's numbers: its header is JSON behind eight bytes of length."""
    with file.open("rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        if length > _HEADER_LIMIT:
            raise ValueError(f"`{file.name}` has a header of {length} bytes")
        header = json.loads(f.read(length))
    return sum(prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


def _gguf(path: Path) -> ModelSize:
    header, tensors = gguf_header(path), gguf_tensors(path)
    kind = header["general.architecture"]
    hidden, layers = header[f"{kind}.embedding_length"], header[f"{kind}.block_count"]
    vocabulary = tensors["token_embd.weight"] // hidden
    context = header.get(f"{kind}.context_length")
    return ModelSize(sum(tensors.values()), hidden, layers, vocabulary, "output.weight" not in tensors, context)
