"""What the training benchmarks share: a pupil-shaped model, word-level tokens, the paper's preference shape, CPU clocks."""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from orcamath.student.groups import Group

__all__ = [
    "Clock", "alternate", "make_groups", "make_model", "make_tokenizer", "settle", "spread", "text_of", "words",
]  # fmt: skip

VOCABULARY = 820
EOS = 2


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer in which `t17` is the token 17."""
    pieces = ["<pad>", "<unk>", "<eos>", *(f"t{i}" for i in range(3, VOCABULARY))]
    tokenizer = Tokenizer(models.WordLevel({p: i for i, p in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", eos_token="<eos>"
    )  # fmt: skip


def make_model(seed: int = 0, dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    """Return a random Llama of the first classroom pupil's shape: 0.48 M weights, width 128, 2 layers, 4 heads, tied."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=128, intermediate_size=320, num_hidden_layers=2, num_attention_heads=4,
        tie_word_embeddings=True, pad_token_id=0, eos_token_id=EOS, bos_token_id=None, max_position_embeddings=512,
    )  # fmt: skip
    return LlamaForCausalLM(config).to(dtype)


def words(rng: random.Random, low: int, high: int) -> tuple[int, ...]:
    """Draw a text of low…high tokens."""
    return tuple(rng.randrange(3, VOCABULARY) for _ in range(rng.randint(low, high)))


def text_of(ids: Sequence[int]) -> str:
    """Spell ids as the tokenizer reads them; EOS stands without a blank."""
    return " ".join(f"t{i}" for i in ids if i != EOS)


def make_groups(n: int, right: float, cap: int | None = None, seed: int = 0) -> list[Group]:
    """Draw `n` problems of the paper's iteration 2: teacher + right samples against wrong ones, else four off-topic ones.

    Prompts of 22–50 tokens, answers of 20–45 with EOS (the classroom's lengths). `cap`: pairs a problem at most.
    """
    rng = random.Random(seed)
    strangers = [(*words(rng, 19, 44), EOS) for _ in range(4 * n)]
    groups = []
    for i in range(n):
        k = sum(rng.random() < right for _ in range(4))
        good = [(*words(rng, 19, 44), EOS) for _ in range(1 + k)]
        bad = [(*words(rng, 19, 44), EOS) for _ in range(4 - k)] or rng.sample(strangers, 4)
        pairs = [(w, len(good) + b, 1.0) for w in range(len(good)) for b in range(len(bad))]
        if cap is not None and len(pairs) > cap:
            pairs = sorted(rng.sample(pairs, cap))
        used = sorted({x for w, b, _ in pairs for x in (w, b)})
        place = {old: new for new, old in enumerate(used)}
        responses = [*good, *bad]
        groups.append(
            Group(
                f"p{i}",
                words(rng, 22, 50),
                tuple(responses[u] for u in used),
                tuple(u < len(good) for u in used),
                (1.0,) * len(used),
                tuple((place[w], place[b], x) for w, b, x in pairs),
                (k == 4,) * len(used),
            )
        )
    return groups


class Clock:
    """CPU seconds of this process, with parts that do not count left out."""

    def __init__(self) -> None:
        self.began = time.process_time()
        self.excluded = 0.0

    @contextmanager
    def without(self) -> Iterator[None]:
        """Leave out what runs inside."""
        began = time.process_time()
        yield
        self.excluded += time.process_time() - began

    @property
    def seconds(self) -> float:
        """CPU seconds counted so far."""
        return time.process_time() - self.began - self.excluded


def settle() -> None:
    """One thread, as the measurements are defined."""
    torch.set_num_threads(1)


def _child(script: str, job: dict[str, Any]) -> Any:
    env = os.environ | {
        "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, script, "--job", json.dumps(job)], env=env, check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    return json.loads(done.stdout)


def alternate(script: str, jobs: dict[str, dict[str, Any]], repeats: int) -> dict[str, list[Any]]:
    """Run every job `repeats` times, each in a process of its own, taking turns; returns what each printed."""
    found: dict[str, list[Any]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            found[name].append(_child(script, job))
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median and range."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}
