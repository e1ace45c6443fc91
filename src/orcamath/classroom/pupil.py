"""The pupil: a tiny Llama (transformers' own class) and the tokenizer that goes with it.

Words of the classroom are one token each, numbers are split into digits, anything else falls back to bytes, so every text
can be encoded and decoded back exactly. The chat template is saved with the tokenizer: `USER: …`, then `ASSISTANT:`.
"""

from collections.abc import Iterator

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from orcamath.classroom.grammar import vocabulary
from orcamath.classroom.solutions import STYLES, written
from orcamath.classroom.solving import StoryOperation, StorySolution

__all__ = ["END", "pupil", "tokenizer"]

PAD, END = "<|pad|>", "<|end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ 'ASSISTANT:\\n' + message['content'] + '" + END + "' }}"
    "{% else %}{{ 'USER: ' + message['content'] + '\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:\\n' }}{% endif %}"
)
_PIECES = r"#+| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s"


def tokenizer() -> PreTrainedTokenizerFast:
    """Build the tokenizer: it depends on the classroom's vocabulary alone."""
    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    pieces = [PAD, END, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    known = set(pieces)
    for text in _texts():
        for piece, _ in split.pre_tokenize_str(text):
            if piece not in known:
                known.add(piece)
                pieces.append(piece)
    # a whole word (one piece) always outweighs its bytes
    scored = [(p, 0.0 if len(p) > 1 or p in (PAD, END) else -10.0) for p in pieces]
    inner = Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=False))
    inner.pre_tokenizer = split
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )


def _texts() -> Iterator[str]:
    """Yield texts that together hold every word a problem or a solution can have."""
    yield "USER: ASSISTANT:\n"
    yield "".join(f" {d}{d}" for d in range(10))
    for word in vocabulary():
        yield word
        yield " " + word
    for sign in "+-*/":
        for style in range(STYLES):
            yield written(StorySolution(12, (StoryOperation(3, sign, 4, 12), StoryOperation(3, sign, 4, 12))), style)


def pupil(words: PreTrainedTokenizerFast, seed: int, *, width: int = 128, layers: int = 4) -> LlamaForCausalLM:
    """Make a fresh pupil with random weights of that seed."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=None,
        initializer_range=0.08,  # transformers' 0.02 is made for wide models; this one learns sums far slower from it
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return LlamaForCausalLM(config)
