"""A model that transformers read out of a GGUF file, held against what the file says of itself.

transformers maps some keys of a file's header to a configuration and gives every tensor that it knows its place. What it does not
know it leaves out without a word, and the model then computes something else. Here what it left out is put in where the
configuration has a place for it (windows, caps, scales), and a file that says more than that (stretched positions, which
llama.cpp also keeps in tensors; heads that turn in part) is refused by name.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from orcamath.errors import ModelError
from orcamath.student.gguf_header import gguf_header, gguf_tensors

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["as_the_file_says"]

_PUT_IN = {
    "attention.sliding_window": "sliding_window",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "logit_scale": "logit_scale",
}
"""Keys of a header and what a configuration calls them."""
_NEUTRAL = {
    "rope.scaling.type": "none",
    "rope.scaling.factor": 1.0,
    "embedding_scale": 1.0,
    "residual_scale": 1.0,
    "attention.clamp_kqv": 0.0,
    "attention.max_alibi_bias": 0.0,
}
"""Keys that transformers does not read, and the value at which they do nothing."""


def as_the_file_says(model: "PreTrainedModel", path: Path) -> "PreTrainedModel":
    """Return the model with plain weights and all that its file says of how it computes. Raises ModelError."""
    header = gguf_header(path)
    kind = header["general.architecture"]
    said = {key.removeprefix(f"{kind}."): value for key, value in header.items() if key.startswith(f"{kind}.")}
    config = {k: v for k, v in model.config.to_dict().items() if k != "quantization_config"}
    config |= {_PUT_IN[key]: said[key] for key in _PUT_IN.keys() & said.keys() if _PUT_IN[key] in config}
    unread = _unread(said, config) + _unplaced(model, path)
    if unread:
        raise ModelError(
            f"`{path}` says more than transformers reads of a `{kind}` file, and what it loads would compute something else: "
            f"{'; '.join(unread)}. Take the model's folder with safetensors instead"
        )
    return _rebuilt(model, config)


def _unread(said: dict[str, object], config: dict[str, Any]) -> list[str]:
    """Name the keys whose value the configuration has no place for."""
    width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    rotated = {"rope.dimension_count": width, "attention.key_length": width, "attention.value_length": width}
    at = _NEUTRAL | rotated | {key: config.get(name) for key, name in _PUT_IN.items()}
    if (
        scale := config.get("query_pre_attn_scalar", width)
    ) != width:  # llama.cpp takes the head's width, but not for every size
        at["attention.key_length"] = scale
    return [f"`{key}` is {said[key]!r}, not {at[key]!r}" for key in at.keys() & said.keys() if said[key] != at[key]]


def _unplaced(model: "PreTrainedModel", path: Path) -> list[str]:
    """Count the file's numbers against the model's; tables of positions among what is left over are named."""
    tensors = gguf_tensors(path)
    if model.config.tie_word_embeddings:
        tensors.pop("output.weight", None)
    more = sum(tensors.values()) - sum(p.numel() for p in model.parameters())
    if not more:
        return []
    named = [f"`{name}`" for name in tensors if name.startswith("rope_")]
    return [f"{more:,} numbers have no place in the model{f', {chr(44).join(named)} among them' if named else ''}"]


def _rebuilt(model: "PreTrainedModel", config: dict[str, object]) -> "PreTrainedModel":
    """Build the model anew by a configuration: the one it was read with still says that its weights are quantized."""
    with torch.device("meta"):
        plain = type(model)(type(model.config).from_dict(config))
    plain.load_state_dict(model.state_dict(), assign=True)
    # rotary frequencies are buffers outside the state dict: take those that were computed at load
    for name, module in plain.named_modules():
        for key, buffer in list(module._buffers.items()):
            if buffer is not None and buffer.is_meta:
                module._buffers[key] = model.get_submodule(name)._buffers[key]
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain
