"""What the training benchmarks share: models by shape, word-level tokens, the paper's preference shape, meters of a run."""

import gc
import json
import random
import statistics
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from apart import figures_of
from figures import resident
from orcamath.student.groups import Group

__all__ = [
    "EOS",
    "PUPIL",
    "SHAPES",
    "Meter",
    "Setting",
    "Shape",
    "alternate",
    "make_groups",
    "make_model",
    "make_tokenizer",
    "settle",
    "spread",
    "text_of",
    "words",
]

EOS = 2


class Shape(NamedTuple):
    """A model's configuration, and how many tokens its prompts and answers have (EOS included)."""

    config: dict[str, Any]
    prompt: tuple[int, int]
    answer: tuple[int, int]

    @property
    def vocabulary(self) -> int:
        """Ids there are."""
        return int(self.config["vocab_size"])


_SPECIAL = {"tie_word_embeddings": True, "pad_token_id": 0, "eos_token_id": EOS, "bos_token_id": None}
_PAPER = {"prompt": (60, 100), "answer": (100, 200)}
SHAPES = {
    "pupil": Shape(
        {
            "model_type": "llama",
            "vocab_size": 820,
            "hidden_size": 128,
            "intermediate_size": 320,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
        }
        | _SPECIAL,
        (22, 50),
        (20, 45),
    ),
    "135m": Shape(
        {
            "model_type": "llama",
            "vocab_size": 49_152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "max_position_embeddings": 8192,
        }
        | _SPECIAL,
        **_PAPER,
    ),
    "0.5b": Shape(
        {
            "model_type": "qwen2",
            "vocab_size": 151_936,
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32_768,
        }
        | _SPECIAL,
        **_PAPER,
    ),
}
"""The first classroom pupil (0.48 M weights, the classroom's lengths), SmolLM2-135M, Qwen2.5-0.5B (lengths of GSM8K's problems
and a teacher's solutions)."""


class Setting(NamedTuple):
    """What is trained: a random model of a shape, computing in a dtype over float32 weights, on a device."""

    shape: str = "pupil"
    dtype: str = "float32"
    device: str = "cpu"


PUPIL = Setting()


def make_tokenizer(shape: str = "pupil") -> PreTrainedTokenizerFast:
    """Return a tokenizer in which `t17` is the token 17."""
    pieces = ["<pad>", "<unk>", "<eos>", *(f"t{i}" for i in range(3, SHAPES[shape].vocabulary))]
    tokenizer = Tokenizer(models.WordLevel({p: i for i, p in enumerate(pieces)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", eos_token="<eos>")


def make_model(seed: int = 0, dtype: torch.dtype = torch.float32, setting: Setting = PUPIL) -> Any:
    """Return a random model of a shape, made on the device itself."""
    torch.manual_seed(seed)
    config = dict(SHAPES[setting.shape].config)
    with torch.device(setting.device):
        return AutoModelForCausalLM.from_config(AutoConfig.for_model(config.pop("model_type"), **config)).to(dtype)


def words(rng: random.Random, low: int, high: int, vocabulary: int = SHAPES["pupil"].vocabulary) -> tuple[int, ...]:
    """Draw a text of low…high tokens."""
    return tuple(rng.randrange(3, vocabulary) for _ in range(rng.randint(low, high)))


def text_of(ids: Sequence[int]) -> str:
    """Spell ids as the tokenizer reads them; EOS stands without a blank."""
    return " ".join(f"t{i}" for i in ids if i != EOS)


def make_groups(n: int, right: float, cap: int | None = None, seed: int = 0, shape: str = "pupil") -> list[Group]:
    """Draw `n` problems of the paper's iteration 2: teacher + right samples against wrong ones, else four off-topic ones.

    `cap`: pairs a problem at most. Lengths are those of the shape.
    """
    rng, kind = random.Random(seed), SHAPES[shape]

    def prompt() -> tuple[int, ...]:
        return words(rng, *kind.prompt, kind.vocabulary)

    def answer() -> tuple[int, ...]:
        return (*words(rng, kind.answer[0] - 1, kind.answer[1] - 1, kind.vocabulary), EOS)

    strangers = [answer() for _ in range(4 * n)]
    groups = []
    for i in range(n):
        k = sum(rng.random() < right for _ in range(4))
        good = [answer() for _ in range(1 + k)]
        bad = [answer() for _ in range(4 - k)] or rng.sample(strangers, 4)
        pairs = [(w, len(good) + b, 1.0) for w in range(len(good)) for b in range(len(bad))]
        if cap is not None and len(pairs) > cap:
            pairs = sorted(rng.sample(pairs, cap))
        used = sorted({x for w, b, _ in pairs for x in (w, b)})
        place = {old: new for new, old in enumerate(used)}
        responses = [*good, *bad]
        groups.append(
            Group(
                f"p{i}",
                prompt(),
                tuple(responses[u] for u in used),
                tuple(u < len(good) for u in used),
                (1.0,) * len(used),
                tuple((place[w], place[b], x) for w, b, x in pairs),
                (k == 4,) * len(used),
            )
        )
    return groups


class Meter:
    """Seconds of what runs inside `with` (parts add up), and what a run forwarded and held.

    CPU: CPU seconds of this process, and its peak resident memory less what was resident at first, so a process a run. CUDA:
    the wall clock between two synchronisations, and the allocator's peak. FLOPs: matrix products with the weights alone, 2 a
    weight and token forwards and 4 more backwards, of the head at the positions that are projected; attention's own are left
    out, and what is computed again for the backward pass.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device, self.seconds = device, 0.0
        self.tokens = self.passes = 0
        """Tokens forwarded, padding and reference included; passes over them: one forwards, two more backwards."""
        self.flops: int | torch.Tensor = 0
        if device == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        self._at_first, self._began = 0.0 if device == "cuda" else resident("VmRSS"), 0.0

    def count(self, model: Any) -> Any:
        """Count what a model forwards from now on; returns it."""
        within, out = model.get_input_embeddings(), model.get_output_embeddings()
        head, ends = out.weight.numel(), {id(m.weight): m.weight.numel() for m in (within, out)}
        body = sum(p.numel() for p in model.parameters()) - sum(ends.values())

        def embedded(_module: Any, _given: Any, made: torch.Tensor) -> None:
            n = made.numel() // made.shape[-1]
            self.tokens += n
            self.passes += n * (3 if torch.is_grad_enabled() else 1)
            self._ran(body, n)

        def projected(_module: Any, _given: Any, made: torch.Tensor) -> None:
            self._ran(head, made.numel() // made.shape[-1])

        def fused(_module: Any, _given: Any, made: Any) -> None:
            # TRL reads the head's weights past its module: at positions with a label on CUDA, at all of them elsewhere
            if (mask := getattr(made, "label_mask", None)) is not None:
                self._ran(head, mask.sum() if mask.is_cuda else mask.numel())

        within.register_forward_hook(embedded)
        out.register_forward_hook(projected)
        model.register_forward_hook(fused)
        return model

    def _ran(self, n_weights: int, n: int | torch.Tensor) -> None:
        if torch._C._current_graph_task_id() == -1:  # else a backward pass computes it again
            self.flops += n * n_weights * (6 if torch.is_grad_enabled() else 2)

    def took(self) -> dict[str, float]:
        """Return what was seen, as a job prints it."""
        peak = torch.cuda.max_memory_allocated() / 1e9 if self.device == "cuda" else resident("VmHWM") - self._at_first
        seen = {"forwarded": self.tokens, "passes": self.passes, "flops": int(self.flops)}
        return {"seconds": self.seconds, "peak_gb": peak, **seen}

    def __enter__(self) -> "Meter":
        self._began = self._now()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.seconds += self._now() - self._began

    def _now(self) -> float:
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def settle() -> None:
    """One thread, as the measurements are defined."""
    torch.set_num_threads(1)


def alternate(script: str, jobs: dict[str, dict[str, Any]], repeats: int) -> dict[str, list[Any]]:
    """Run every job `repeats` times, each in a process of its own, taking turns; returns what each printed."""
    found: dict[str, list[Any]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            found[name].append(figures_of(script, "--job", json.dumps(job), env={"PYTHONWARNINGS": "ignore"}))
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median and range."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}
