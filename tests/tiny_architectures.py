"""Random models of a few thousand weights, one a family, sharpened until their next token is nearly sure."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    Cohere2Config,
    CohereConfig,
    Exaone4Config,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GptOssConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    Olmo3Config,
    OPTConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
    Starcoder2Config,
)

from tiny_templates import TEMPLATES, bytewise

WINDOW = 8
TOKENIZER = bytewise(TEMPLATES["chatml (Qwen2.5, SmolLM2)"])
N_IDS = len(TOKENIZER)
_MIXED = ["sliding_attention", "full_attention"]


def shape(**more: Any) -> dict[str, Any]:
    """Return what the configurations share, and more."""
    return {
        "vocab_size": N_IDS,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": 2,
        **more,
    }


FAMILIES: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaConfig(**shape(tie_word_embeddings=True)),
    "mistral": lambda: MistralConfig(**shape(sliding_window=None)),
    "mistral, window": lambda: MistralConfig(**shape(sliding_window=WINDOW)),
    "qwen2": lambda: Qwen2Config(**shape()),
    "qwen2, window": lambda: Qwen2Config(**shape(use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1)),
    "qwen3": lambda: Qwen3Config(**shape(head_dim=16)),
    "gemma2": lambda: Gemma2Config(
        **shape(head_dim=8, sliding_window=WINDOW, final_logit_softcapping=4.0, attn_logit_softcapping=5.0)
    ),
    "gemma3": lambda: Gemma3TextConfig(**shape(head_dim=8, sliding_window=WINDOW, layer_types=_MIXED)),
    "phi3": lambda: Phi3Config(**shape(sliding_window=None)),
    "phi3, window": lambda: Phi3Config(**shape(sliding_window=WINDOW)),
    "smollm3": lambda: SmolLM3Config(**shape(no_rope_layers=[1, 0])),
    "granite": lambda: GraniteConfig(
        **shape(logits_scaling=8.0, attention_multiplier=0.5, embedding_multiplier=3.0, residual_multiplier=0.7)
    ),
    "cohere": lambda: CohereConfig(**shape(logit_scale=0.25)),
    "cohere2": lambda: Cohere2Config(**shape(logit_scale=0.25, sliding_window=WINDOW, layer_types=_MIXED)),
    "olmo2": lambda: Olmo2Config(**shape()),
    "olmo3": lambda: Olmo3Config(**shape(sliding_window=WINDOW, layer_types=_MIXED)),
    "exaone4": lambda: Exaone4Config(**shape(sliding_window=WINDOW, layer_types=_MIXED)),
    "gpt_oss": lambda: GptOssConfig(
        **shape(head_dim=8, sliding_window=WINDOW, layer_types=_MIXED, num_local_experts=4, num_experts_per_tok=2)
    ),
    "gpt2 (plain way)": lambda: GPT2Config(
        vocab_size=N_IDS,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=256,
        initializer_range=0.3,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=2,
    ),
    "opt (plain way)": lambda: OPTConfig(**shape(ffn_dim=64, word_embed_proj_dim=32)),
    "mixtral (plain way)": lambda: MixtralConfig(**shape(num_local_experts=4)),
    "starcoder2 (plain way)": lambda: Starcoder2Config(**shape(sliding_window=WINDOW)),
}


def family(name: str, seed: int = 0, **more: Any) -> Any:
    """Return the family's tiny model, in evaluation mode. `more`: other values of its configuration."""
    torch.manual_seed(seed)
    config = FAMILIES[name]()
    config.update(more)
    return sharpened(AutoModelForCausalLM.from_config(config))


def sharpened(model: Any) -> Any:
    """Return the model, in evaluation mode, with a likeliest token that has most of the probability."""
    model.eval()
    with torch.no_grad():
        for _ in range(12):
            p = model(torch.arange(3, N_IDS)[None]).logits.softmax(-1).amax(-1).mean()
            if p > 0.6:
                break
            model.get_output_embeddings().weight *= 1.5
    return model
