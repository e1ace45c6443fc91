"""Sampling four answers a problem against transformers' batched `generate` and vLLM; CPU seconds of one thread.

    python benchmarks/sampling.py [--repeats 3] [--models DIR] [--only NAME] [--dtype bfloat16] [--vllm ENVIRONMENT] [--json]

`pupil`: a model of the classroom pupil's shape, trained for a moment so that its answers end at different places (an untrained
one never ends). `lm135`: SmolLM2-135M-Instruct from `--models` (a folder smollm2-135m…, or its GGUF file), in which 16
problems are asked for at most 96 tokens. Each run is its own process; sides take turns; transformers runs at the best of three
batch sizes, found first. `--vllm` names a virtual environment with vLLM's CPU build (`python tests/servers/set_up.py vllm` makes
`.servers/vllm`), which runs `vllm_side.py` on the same prompts of `lm135`; without it that peer is skipped, and said to be.
The figure is generated tokens a CPU second, ours through theirs. `greedy_equal`: share of greedy outputs that are equal, and
`greedy_explained`: that are equal or part where the top two logits differ by less than 1e-4.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from apart import figures_of
from figures import report
from orcamath.student.sampling import Asked, sample_chunk
from pupil_shape import EOS, SHAPES, Meter, Setting, alternate, make_model, settle, words

BATCHES = {"pupil": (32, 64, 128), "lm135": (4, 8, 16)}
ROWS = {"pupil": 128, "lm135": 64}
PROBLEMS = {"pupil": 256, "lm135": 16}
MAX_NEW = {"pupil": 64, "lm135": 96}

Case = tuple[Any, list[tuple[int, ...]], int]
"""A model, prompts, and the id that ends an answer."""


def pupil() -> Case:
    """Return a pupil that answers a prompt of n tokens with some of them and EOS, prompts, and its EOS."""
    rng, model = random.Random(0), make_model().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(64):
        prompts = [words(rng, 22, 50) for _ in range(32)]
        texts = [(*p, *p[: rng.randint(20, 40)], EOS) for p in prompts]
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(t) for t in texts], batch_first=True)
        learnt = ids.clone()
        for row, prompt, text in zip(learnt, prompts, texts, strict=True):
            row[: len(prompt)] = row[len(text) :] = -100
        model(ids, attention_mask=(ids != 0).long(), labels=learnt).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval(), [words(rng, 22, 50) for _ in range(PROBLEMS["pupil"])], EOS


def _lm135_loaded(folder: str, dtype: torch.dtype) -> Any:
    from orcamath.student.model import load_model, open_folder

    plain = sorted(Path(folder).glob("smollm2-135m*/config.json"))  # quicker to open than the GGUF file
    file = plain[0].parent if plain else next(iter(Path(folder).glob("smollm2-135m-instruct*.gguf")))
    return load_model(open_folder(str(file)), dtype=dtype)


def lm135(folder: str, dtype: torch.dtype = torch.float32) -> Case:
    """Return SmolLM2-135M-Instruct, word problems as its prompts, and its EOS."""
    from orcamath.student.encode import Encoder

    loaded = _lm135_loaded(folder, dtype)
    encoder = Encoder(loaded.tokenizer)
    rng = random.Random(0)
    asked = [
        f"{name} has {rng.randint(5, 60)} {thing} and gives {rng.randint(1, 4)} to each of {rng.randint(2, 5)} friends"
        + (", then buys twice as many as are left" if rng.random() < 0.5 else "")
        + ". How many are left?"
        for name in ("Tom", "Ann", "Mia", "Ben")
        for thing in ("apples", "red pencils", "stickers", "eggs")
    ]
    return loaded.model, [encoder.prompt(q) for q in asked], encoder.eos_id


def random_weights(shape: str, n: int, dtype: torch.dtype, device: str) -> Case:
    """Return a model of a shape that has learnt nothing, so never ends, and prompts of the shape's lengths."""
    rng, kind = random.Random(0), SHAPES[shape]
    prompts = [words(rng, *kind.prompt, kind.vocabulary) for _ in range(n)]
    return make_model(0, dtype, Setting(shape, device=device)).eval(), prompts, EOS


def setting(name: str, folder: str | None, dtype: str = "float32") -> Case:
    """Return model, prompts and EOS of a case."""
    if name == "pupil":
        model, prompts, eos = pupil()
        return model.to(getattr(torch, dtype)), prompts, eos
    return lm135(folder or "", getattr(torch, dtype))


def ours(
    name: str, folder: str | None = None, problems: int | None = None, dtype: str = "float32", passes: int = 1
) -> float:
    """Return generated tokens a CPU second, the median of some passes."""
    model, prompts, eos = setting(name, folder, dtype)
    return statistics.median(drawn((model, prompts[:problems], eos), MAX_NEW[name], ROWS[name]) for _ in range(passes))


def drawn(case: Case, max_new: int, n_rows: int) -> float:
    """Return tokens a second that orcamath draws, four answers a prompt."""
    model, prompts, eos = case
    asked = [Asked(p, max_new, 0.7, 0.95, i * 4 + d) for i, p in enumerate(prompts) for d in range(4)]
    with Meter(model.device.type) as meter:
        sampled = sample_chunk(model, asked, frozenset({eos}), str, n_rows)
    return sum(len(s.ids) for s in sampled) / meter.seconds


def theirs(name: str, folder: str | None, batch: int, problems: int | None = None, dtype: str = "float32") -> float:
    """Return generated tokens a CPU second."""
    model, prompts, eos = setting(name, folder, dtype)
    return generated((model, prompts[:problems], eos), MAX_NEW[name], batch)


def generated(case: Case, max_new: int, batch: int) -> float:
    """Return tokens a second that transformers generates, four answers a prompt; prompts sorted by length, padded on the left."""
    model, prompts, eos = case
    order = sorted(prompts, key=len)
    torch.manual_seed(0)
    n_tokens = 0
    with Meter(model.device.type) as meter:
        for start in range(0, len(order), batch):
            n_tokens += _count(_generate(model, order[start : start + batch], eos, max_new, sample=True), eos)
    return n_tokens / meter.seconds


def vllm(folder: str, environment: str, problems: int | None = None, dtype: str = "float32") -> float:
    """Return the tokens a CPU second that vLLM generates for `lm135`, in a process of its own environment."""
    from orcamath.student.model import save

    loaded, (_, prompts, eos) = _lm135_loaded(folder, getattr(torch, dtype)), lm135(folder)
    job = {"dtype": dtype, "prompts": prompts[:problems], "eos": eos, "passes": 3}
    job |= {"max_new": MAX_NEW["lm135"], "rows": ROWS["lm135"]}
    with tempfile.TemporaryDirectory() as scratch:
        save(loaded.model, loaded.tokenizer, Path(scratch, "model"), getattr(torch, dtype))
        file = Path(scratch, "job.json")
        file.write_text(json.dumps(job | {"folder": f"{scratch}/model"}), encoding="utf-8")
        side = str(Path(__file__).with_name("vllm_side.py"))
        return float(figures_of(side, str(file), python=f"{environment}/bin/python"))


@torch.inference_mode()
def _generate(model: Any, prompts: list[tuple[int, ...]], eos: int, max_new: int, *, sample: bool) -> torch.Tensor:
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + list(p) for p in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    how = (
        {"do_sample": True, "temperature": 0.7, "top_p": 0.95, "top_k": 0, "num_return_sequences": 4}
        if sample
        else {"do_sample": False}
    )
    out = model.generate(ids, attention_mask=mask, max_new_tokens=max_new, eos_token_id=eos, pad_token_id=0, **how)
    return out[:, width:]


def _count(rows: torch.Tensor, eos: int) -> int:
    return sum((r.index(eos) + 1) if eos in r else len(r) for r in rows.tolist())


def greedy(name: str, folder: str | None, problems: int | None = None) -> dict[str, float]:
    """Compare greedy outputs with transformers', one prompt at a time there."""
    model, prompts, eos = setting(name, folder)
    return agreement((model, prompts[: min(32, problems or 32)], eos), MAX_NEW[name], ROWS[name])


def agreement(case: Case, max_new: int, n_rows: int) -> dict[str, float]:
    """As `greedy`, of a case."""
    model, prompts, eos = case
    sampled = sample_chunk(model, [Asked(p, max_new) for p in prompts], frozenset({eos}), str, n_rows)
    model.set_attn_implementation("sdpa")
    equal = explained = 0
    for prompt, s in zip(prompts, sampled, strict=True):
        expected = _generate(model, [prompt], eos, max_new, sample=False)[0].tolist()
        expected = expected[: expected.index(eos) + 1] if eos in expected else expected
        same = tuple(expected) == s.ids
        equal += same
        explained += same or _near_tie(model, prompt, expected, s.ids)
    return {"greedy_equal": equal / len(prompts), "greedy_explained": explained / len(prompts)}


def _near_tie(model: Any, prompt: tuple[int, ...], one: list[int], other: tuple[int, ...]) -> bool:
    at = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    with torch.inference_mode():
        top = model(torch.tensor([[*prompt, *one[:at]]], device=model.device)).logits[0, -1].topk(2).values
    return float(top[0] - top[1]) < 1e-4


def options(parser: argparse.ArgumentParser) -> None:
    """Which model, how much; a job is one run of one side."""
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--models", help="folder with the GGUF file of SmolLM2-135M-Instruct; without it only `pupil` is run"
    )
    parser.add_argument("--problems", type=int, help="fewer problems (default: 256 and 16)")
    parser.add_argument("--only", choices=("pupil", "lm135"), help="measure one of them")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument(
        "--vllm", metavar="ENVIRONMENT", help="virtual environment of vLLM's CPU build, a peer on lm135"
    )
    parser.add_argument("--job", help=argparse.SUPPRESS)


def measure(args: argparse.Namespace) -> Any:
    """Run one job, or every model's sides in turn."""
    settle()
    if args.job:
        job = json.loads(args.job)
        side = {"ours": ours, "theirs": theirs, "vllm": vllm, "greedy": greedy}[job.pop("side")]
        return side(**job)
    result: dict[str, Any] = {}
    for name in (args.only,) if args.only else ("pupil", "lm135") if args.models else ("pupil",):
        much = {"folder": args.models, "problems": args.problems}
        case, typed = {"name": name, **much}, {"name": name, "dtype": args.dtype, **much}
        tries = {str(b): {"side": "theirs", "batch": b, **typed} for b in BATCHES[name]}
        found = {b: runs[0] for b, runs in alternate(__file__, tries, 1).items()}
        best = max(found, key=found.__getitem__)
        jobs = {"ours": {"side": "ours", "passes": 3, **typed}, "theirs": tries[best]}
        if name == "lm135" and args.vllm:
            jobs["vllm"] = {"side": "vllm", "environment": args.vllm, "dtype": args.dtype, **much}
        elif name == "lm135":
            sys.stderr.write("vLLM: skipped, --vllm names no environment that has it\n")
        speeds = {side: sorted(runs) for side, runs in alternate(__file__, jobs, args.repeats).items()}
        middle = {side: runs[len(runs) // 2] for side, runs in speeds.items()}
        result[name] = round(middle["ours"] / middle["theirs"], 2)
        if "vllm" in middle:
            result[f"{name}_vllm"] = round(middle["ours"] / middle["vllm"], 2)
        result[f"{name}_tokens_per_cpu_s"] = speeds
        result[f"{name}_best_batch"] = int(best)
        agreed = alternate(__file__, {"greedy": {"side": "greedy", **case}}, 1)["greedy"][0]
        result |= {f"{name}_{k}": v for k, v in agreed.items()}
    return result


if __name__ == "__main__":
    report(__doc__, options, measure)
