"""A trained student's files name the end that it was trained with, and leave nothing of its base's sampling.

A base says `<|endoftext|>` and its template ends turns with `<|im_end|>`: saved as it came, `generate`, vLLM and llama.cpp would
run on past every answer. And a base's top_k or repetition penalty, left in generation_config, would change how others sample it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from transformers import GenerationConfig

from orcamath.student.encode import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["name_end"]


def name_end(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", ends: Iterable[int] = ()) -> None:
    """Put the end of a turn into the model's config and generation_config and into the tokenizer, all in place.

    `ends`: what the base declared; these stop a generation too. Sampling values are left out, which is neutral everywhere.
    """
    encoder = Encoder(tokenizer, ends=ends)
    end, *others = encoder.ends
    config = model.config
    config.eos_token_id = end
    model.generation_config = GenerationConfig(
        bos_token_id=getattr(config, "bos_token_id", None),
        pad_token_id=getattr(config, "pad_token_id", None),
        eos_token_id=[end, *others] if others else end,
    )
    if tokenizer.eos_token_id == end:
        return
    if "eos_token" in tokenizer.chat_template:  # it means the old one, wherever it writes it
        tokenizer.chat_template = f"{{%- set eos_token = {tokenizer.eos_token!r} -%}}{tokenizer.chat_template}"
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
