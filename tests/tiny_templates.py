"""Chat templates of the families in shortened form, each with its control tokens, on vocabularies of single bytes or letters."""

from typing import NamedTuple

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast


class Family(NamedTuple):
    template: str
    control: tuple[str, ...]
    """Its control tokens; only eos has a role, as in the files that people publish."""
    eos: str
    end: str
    """What ends a turn."""
    ends: tuple[str, ...] = ()
    """What its generation_config lists."""


_LOOP = "{% for m in messages %}"
TEMPLATES = {
    "chatml (Qwen2.5, SmolLM2)": Family(
        _LOOP + "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        "<|endoftext|>",
        "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"),
    ),
    "llama 3": Family(
        "<|begin_of_text|>"
        + _LOOP
        + "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>"
        "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        (
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eom_id|>",
            "<|eot_id|>",
        ),
        "<|end_of_text|>",
        "<|eot_id|>",
        ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"),
    ),
    "gemma": Family(
        "<bos>" + _LOOP + "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}"
        "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
        ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
        "<eos>",
        "<end_of_turn>",
        ("<eos>", "<end_of_turn>"),
    ),
    "phi 3": Family(
        _LOOP + "<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}",
        ("<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"),
        "<|endoftext|>",
        "<|end|>",
    ),
    "granite": Family(
        _LOOP + "<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}",
        ("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>"),
        "<|end_of_text|>",
        "<|end_of_text|>",
    ),
    "cohere": Family(
        "<BOS_TOKEN>"
        + _LOOP
        + "<|START_OF_TURN_TOKEN|>{{ '<|CHATBOT_TOKEN|>' if m.role == 'assistant' else '<|USER_TOKEN|>' }}"
        "{{ m.content }}<|END_OF_TURN_TOKEN|>{% endfor %}"
        "{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}",
        (
            "<BOS_TOKEN>",
            "<EOS_TOKEN>",
            "<|START_OF_TURN_TOKEN|>",
            "<|END_OF_TURN_TOKEN|>",
            "<|USER_TOKEN|>",
            "<|CHATBOT_TOKEN|>",
        ),
        "<EOS_TOKEN>",
        "<|END_OF_TURN_TOKEN|>",
    ),
    "olmo": Family(
        "<|endoftext|>" + _LOOP + "{% if m.role == 'assistant' %}<|assistant|>\n{{ m.content }}{{ eos_token }}"
        "{% else %}<|{{ m.role }}|>\n{{ m.content }}\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        ("<|endoftext|>",),
        "<|endoftext|>",
        "<|endoftext|>",
    ),
    "gpt-oss": Family(
        _LOOP
        + "<|start|>{{ m.role }}{% if m.role == 'assistant' %}<|channel|>final<|message|>{{ m.content }}<|return|>"
        "{% else %}<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant{% endif %}",
        ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>"),
        "<|return|>",
        "<|return|>",
        ("<|return|>", "<|call|>"),
    ),
    "qwen3": Family(
        _LOOP
        + "<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
        "{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        "<|im_end|>",
        "<|im_end|>",
        ("<|im_end|>", "<|endoftext|>"),
    ),
    "deepseek r1": Family(
        "<|bos|>" + _LOOP + "{% if m.role == 'assistant' %}<|Assistant|>{{ m.content.split('</think>')[-1] }}<|eos|>"
        "{% else %}<|User|>{{ m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}",
        ("<|bos|>", "<|eos|>", "<|User|>", "<|Assistant|>"),
        "<|eos|>",
        "<|eos|>",
    ),
    "smollm3": Family(
        "<|im_start|>system\nToday Date: {{ strftime_now('%d %B %Y') }}<|im_end|>\n"
        + _LOOP
        + "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        ("<|end_of_text|>", "<|im_start|>", "<|im_end|>"),
        "<|im_end|>",
        "<|im_end|>",
    ),
    "vicuna": Family(
        "A chat between a user and an assistant. " + _LOOP + "{% if m.role == 'user' %}USER: {{ m.content }} "
        "{% elif m.role == 'assistant' %}ASSISTANT: {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}ASSISTANT:{% endif %}",
        ("</s>",),
        "</s>",
        "</s>",
    ),
    "phi 4": Family(
        _LOOP + "<|im_start|>{{ m.role }}<|im_sep|>{{ m.content }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant<|im_sep|>{% endif %}",
        ("<|endoftext|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>"),
        "<|endoftext|>",
        "<|im_end|>",
    ),
    "glm 4": Family(  # nothing ends a turn but the next one's beginning
        "[gMASK]<sop>" + _LOOP + "<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        ("<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>"),
        "<|endoftext|>",
        "<|endoftext|>",
        ("<|endoftext|>", "<|user|>"),
    ),
    "llama 4": Family(
        "<|begin_of_text|>{% if messages[0].role == 'system' %}{% set turns = messages[1:] %}{% else %}{% set turns = messages %}"
        "{% endif %}{% for m in turns %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}<|header_start|>{{ m.role }}<|header_end|>\n\n"
        "{{ m.content | trim }}<|eot|>{% endfor %}"
        "{% if add_generation_prompt %}<|header_start|>assistant<|header_end|>\n\n{% endif %}",
        ("<|begin_of_text|>", "<|header_start|>", "<|header_end|>", "<|eot|>"),
        "<|eot|>",
        "<|eot|>",
    ),
}
LLAMA2 = Family(
    "{% for m in messages %}{% if m.role == 'user' %}<s>[INST] {{ m.content | trim }} [/INST]"
    "{% else %} {{ m.content | trim }} </s>{% endif %}{% endfor %}",
    ("<s>", "</s>"),
    "</s>",
    "</s>",
)
"""On a legacy SentencePiece vocabulary (`pieces`), as the first Llama and Mistral models have it."""


def bytewise(family: Family) -> PreTrainedTokenizerFast:
    """Return a tokenizer of single bytes with the family's control tokens and template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _with_control(tokenizer, family)


def pieces(family: Family) -> PreTrainedTokenizerFast:
    """Return a legacy SentencePiece tokenizer: `▁` before every text, and before words."""
    letters = ["<unk>", "▁", *"abcdefghijklmnopqrstuvwxyzAINST[]/?=.+-#0123456789", "▁i", "▁is", "▁a", "▁▁"]
    merges = [("▁", "i"), ("▁i", "s"), ("▁", "a"), ("▁", "▁")]
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(letters)}, merges, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return _with_control(tokenizer, family)


def _with_control(tokenizer: Tokenizer, family: Family) -> PreTrainedTokenizerFast:
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in family.control])
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=family.eos, clean_up_tokenization_spaces=False)
    made.chat_template = family.template
    return made
