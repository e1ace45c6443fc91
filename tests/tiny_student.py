"""A random Llama of a few thousand weights, with a word-level tokenizer, for tests of training and sampling."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from orcamath.records import Lesson, Problem
from orcamath.store.artifacts import Artifact
from orcamath.student.folder import ModelFolder
from orcamath.student.model import open_folder, save
from scripted import sealed

WORDS = "USER: ASSISTANT: has apples pears Tom Ann gives each and how many left the answer is #### + - = . ?".split()


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    pieces = ["<pad>", "<unk>", "<eos>", " ", "\n", *"0123456789", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({p: i for i, p in enumerate(pieces)}, unk_token="<unk>"))
    split = [
        pre_tokenizers.Split(" ", "isolated"),
        pre_tokenizers.Split("\n", "isolated"),
        pre_tokenizers.Digits(individual_digits=True),
    ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<eos>",
        clean_up_tokenization_spaces=False,
    )


def tiny_model(
    seed: int = 0, *, kv_heads: int = 2, layers: int = 2, dtype: torch.dtype = torch.float32
) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer()),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=2,
        bos_token_id=None,
        initializer_range=0.3,
    )
    return LlamaForCausalLM(config).to(dtype).eval()


def tiny_folder(path: Path, seed: int = 0) -> ModelFolder:
    save(tiny_model(seed), tiny_tokenizer(), path)
    return open_folder(str(path))


def tiny_lessons(tmp_path: Path) -> Artifact:
    """Seal twelve lessons in the tiny student's words."""
    made = []
    for i in range(12):
        problem = Problem.make(f"Tom has {i} apples .", "seed", "t", answer=str(i))
        made.append(Lesson.make(problem, f"{i} = {i} #### {i}", str(i), "teacher"))
    return sealed(tmp_path, "gate", lessons=made)
