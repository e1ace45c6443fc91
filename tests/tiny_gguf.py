"""GGUF files of tiny models, as llama.cpp's converter writes them: its keys, its names of tensors, what it does to weights."""

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    LlamaConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

from tiny_architectures import N_IDS, TOKENIZER, WINDOW, shape, sharpened

__all__ = ["FILES", "File", "made", "write"]


class File(NamedTuple):
    """What a file of an architecture holds beside the shapes."""

    config: Callable[[], Any]
    arch: str
    window: int | None = None
    caps: tuple[float, float] | None = None
    """Of attention and of the output."""
    head: int | None = None
    """The width of a head, where it is written."""


_GEMMA = {"head_dim": 256, "sliding_window": WINDOW}
FILES = {
    "llama": File(lambda: LlamaConfig(**shape(tie_word_embeddings=True)), "llama"),
    "qwen2": File(lambda: Qwen2Config(**shape()), "qwen2"),
    "qwen3": File(lambda: Qwen3Config(**shape(head_dim=128)), "qwen3", head=128),
    "phi3": File(lambda: Phi3Config(**shape(sliding_window=WINDOW)), "phi3", WINDOW),
    "gemma2": File(
        lambda: Gemma2Config(**shape(**_GEMMA, final_logit_softcapping=4.0, attn_logit_softcapping=5.0)),
        "gemma2",
        WINDOW,
        (5.0, 4.0),
        256,
    ),
    "gemma3": File(lambda: Gemma3TextConfig(**shape(**_GEMMA)), "gemma3", WINDOW, head=256),
}


def made(name: str) -> Any:
    """Return the model that a file is written of."""
    torch.manual_seed(0)
    return sharpened(AutoModelForCausalLM.from_config(FILES[name].config()))


def write(model: Any, name: str, path: Path, more: Callable[[gguf.GGUFWriter], object] = lambda _: None) -> Path:
    """Write the model of a name of `FILES`; `more` adds to the file."""
    file, config = FILES[name], model.config
    writer = gguf.GGUFWriter(path, file.arch)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(file.head or config.hidden_size // config.num_attention_heads)
    if file.head:
        writer.add_key_length(file.head)
        writer.add_value_length(file.head)
    if file.window:
        writer.add_sliding_window(file.window)
    if file.caps:
        writer.add_attn_logit_softcapping(file.caps[0])
        writer.add_final_logit_softcapping(file.caps[1])
    _add_words(writer, file.arch)
    for at, weight in _tensors(model, file.arch):
        writer.add_tensor(at, weight)
    more(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_words(writer: gguf.GGUFWriter, arch: str) -> None:
    words, control = TOKENIZER.convert_ids_to_tokens(range(N_IDS)), set(TOKENIZER.added_tokens_decoder)
    if arch.startswith("gemma"):  # SentencePiece
        letters = ["<pad>", "<unk>", "▁", "\n", *string.ascii_letters, *string.digits, *"?.+-=#,"]
        words[: min(control)] = [*letters, *(f"<unused{i}>" for i in range(min(control) - len(letters)))]
    writer.add_tokenizer_model("llama" if arch.startswith("gemma") else "gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(words)
    writer.add_token_scores([0.0] * N_IDS)
    writer.add_token_types([gguf.TokenType.CONTROL if i in control else gguf.TokenType.NORMAL for i in range(N_IDS)])
    writer.add_eos_token_id(TOKENIZER.eos_token_id)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TOKENIZER.chat_template)


def _tensors(model: Any, arch: str) -> list[tuple[str, np.ndarray]]:
    """Name a model's weights as llama.cpp does, its rotary halves side by side (llama), its norms with their one (gemma)."""
    kind = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch)
    names, out = gguf.get_tensor_name_map(kind, model.config.num_hidden_layers), []
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        stem, _, suffix = name.rpartition(".")
        values = weight.float().numpy()
        if arch == "llama" and stem.endswith(("q_proj", "k_proj")):
            n_heads = model.config.num_attention_heads if stem.endswith("q_proj") else model.config.num_key_value_heads
            values = values.reshape(n_heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
        if arch.startswith("gemma") and stem.endswith("norm"):
            values = values + 1
        out.append((f"{names.get_name(stem)}.{suffix}", values))
    return out
