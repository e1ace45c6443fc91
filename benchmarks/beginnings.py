"""Ask-Me-Anything's prompts begin alike: CPU seconds of a local writer that runs the beginning once, and of one that does not.

    ORCAMATH_TEST_DATA=DIR python benchmarks/beginnings.py --model FOLDER_OR_GGUF [--seeds 40] [--tokens 96] [--repeats 1]

The paper's one prompt a seed, of GSM8K's train problems in hashed order, each a greedy reply of at most `--tokens`. `once` and
`each` are processes of their own in turn, one thread each; `each` is the same sampler with every prompt run by itself. Given are
the median CPU seconds of both, their ratio by pairs [least, most], tokens of prompts and replies, and how many replies are equal.
"""

import argparse
import statistics
import sys
from typing import Any

import torch

from apart import figures_of
from figures import report
from orcamath.agents.ask_me_anything import AskSettings, make
from orcamath.student import sampling
from orcamath.student.encode import Encoder
from orcamath.student.model import load_model, open_folder
from pupil_shape import Meter
from real_agents import seeds_of

ROWS = 64


def side(args: argparse.Namespace) -> dict[str, Any]:
    """Write the replies in this process; returns CPU seconds, tokens and the ids."""
    loaded = load_model(open_folder(args.model), dtype=getattr(torch, args.dtype))
    encoder, agent = Encoder(loaded.tokenizer, ends=loaded.ends), make(AskSettings())
    prompts = [encoder.chat(agent.request(seed, 0).messages) for seed in seeds_of(args.seeds)]
    if args.side == "each":
        sampling.SHARED_TOKENS = sys.maxsize
    with Meter("cpu") as meter:
        replies = sampling.sample_chunk(
            loaded.model, [sampling.Asked(p, args.tokens) for p in prompts], encoder.stop_ids, encoder.decode, ROWS
        )
    return {"cpu_s": meter.seconds, "prompt_tokens": sum(map(len, prompts)), "ids": [list(r.ids) for r in replies]}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Run one side, or both in turn."""
    if args.side is not None:
        return side(args)
    given = ("--model", args.model, "--seeds", str(args.seeds), "--tokens", str(args.tokens), "--dtype", args.dtype)
    runs: dict[str, list[Any]] = {"each": [], "once": []}
    for _ in range(args.repeats):
        for name, found in runs.items():
            found.append(figures_of(__file__, *given, "--side", name))
            sys.stderr.write(f"{name}: {found[-1]['cpu_s']:.1f} CPU s\n")
    ratios = [each["cpu_s"] / once["cpu_s"] for each, once in zip(runs["each"], runs["once"], strict=True)]
    first, other = runs["once"][0]["ids"], runs["each"][0]["ids"]
    return {
        "cpu_s": {name: round(statistics.median(f["cpu_s"] for f in found), 1) for name, found in runs.items()},
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(min(ratios), 2), round(max(ratios), 2)],
        "prompt_tokens": runs["once"][0]["prompt_tokens"],
        "reply_tokens": sum(map(len, first)),
        "equal": sum(a == b for a, b in zip(first, other, strict=True)),
        "seeds": args.seeds,
    }


def options(parser: argparse.ArgumentParser) -> None:
    """The writer, and how much of it."""
    parser.add_argument("--model", required=True)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--side", choices=("once", "each"), help=argparse.SUPPRESS)


if __name__ == "__main__":
    report(__doc__, options, measure)
