"""What a GPU shows, in one go and within a budget: training and sampling at real sizes, with TRL and transformers beside them.

    python benchmarks/gpu.py --minutes N [--device cuda|cpu] [--tiny] [--shapes 135m 0.5b] [--only dpo sft kto sampling …]
        [--models DIR] [--repeats 3] [--json] [--out FILE]

Random weights of SmolLM2-135M's and Qwen2.5-0.5B's shapes, made on the device; computed in bfloat16 over float32 weights, as the
product does, and sampled from bfloat16 weights; texts of GSM8K's lengths. `--models`: samples from the real SmolLM2-135M in that
folder as well. `--tiny`: a pupil's shape and a handful of texts, to see that everything runs.

All sides run in this process and take turns; each has run once before its clock counts. Peers run at the best of a few settings,
found on a smaller set first. A stage is written to `--out` as soon as it is done; one that fails is written with its error, and
the rest goes on; nothing starts after `--minutes`. Seconds are wall clock between two synchronisations on CUDA, CPU seconds on
a CPU. `tokens_per_s`: of the set (every answer with its prompt, once) a second of training, the same numerator for both sides;
`forwarded_per_s`: what the model was fed, padding included. `mfu`: matrix products with weights alone, over the device's dense
bfloat16 peak where that is known. `speedup`: peer's seconds through ours.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch

import preference_training as preferences
import sampling
import sft
import trl_preferences
from figures import report
from in_turns import Bench, Side, against, rated
from orcamath.student.logprobs import Posed
from orcamath.student.losses import dpo
from orcamath.student.settings import LearnSettings
from orcamath.student.steps import Objective, Referenced, gradients, score_all
from pupil_shape import PUPIL, Setting, make_groups, make_model

STAGES = ("agreement", "dpo", "sft", "sampling", "kto", "compiled")


class Size(NamedTuple):
    """How much is run of everything."""

    problems: int
    batch: int
    """Problems a step; four times as many lessons."""
    lessons: int
    at_once: tuple[int, ...]
    """TRL's batch sizes to try."""
    tokens: tuple[int | None, ...]
    """Our `batch_tokens`, the product's default first: what the device should hold."""
    asked: int
    max_new: int
    prompts_at_once: tuple[int, ...]
    """transformers' batch sizes to try, four answers each."""
    rows: tuple[int, ...]
    """Our rows, the product's default first."""
    trl: tuple[str, ...] = ()
    """The only ones of TRL's settings to try; none: all."""


FULL = Size(128, 32, 1024, (16, 32, 64), (None, 16_384), 128, 160, (16, 64, 128), (256, 64, 512))
TINY = Size(4, 4, 16, (4,), (None,), 4, 6, (4,), (64, 16))


def compared(
    bench: Bench,
    only: tuple[str, ...],
    ours: dict[str, Side],
    peers: dict[str, Side],
    small: dict[str, Side],
    n_tokens: int,
) -> dict[str, Any]:
    """Find the peer's best setting on the `small` set, then measure it and ours in turns."""
    first = bench.turns(ours, 1)  # kernels are loaded, tuned and compiled before anything counts
    small = {name: side for name, side in small.items() if name in only} or small
    best, tried = bench.best(small) if len(small) > 1 else (next(iter(small)), {})
    sides = ours | ({"trl": peers[best]} if best else {})
    result = rated(bench, bench.turns(sides, bench.repeats), n_tokens)
    return result | {
        "first_s": {name: r["seconds"]["median"] for name, r in first.items() if "seconds" in r},
        "trl_tried_on_fewer": tried,
        "trl_best": best,
        "speedup": against(result, "trl", "seconds", 1),
        "forwarded_ratio": against(result, "trl", "forwarded", 1),
        "peak_share": against(result, "trl", "peak_gb", -1)
        if bench.device == "cuda"
        else None,  # a process has one peak
    }


def preference_stage(bench: Bench, size: Size, setting: Setting, kind: str) -> dict[str, Any]:
    """Compare DPO, or KTO on every pair's sides (`kto_pairs`) or each response once (`kto_unique`)."""
    loss = kind[:3]
    groups = make_groups(size.problems, 0.8, shape=setting.shape)
    few = groups[: max(4, size.problems // 4)]

    def own(tokens: int | None, share: bool) -> Side:
        return lambda: preferences.ours(groups, loss, share, setting, size.batch, tokens)

    ours = {
        f"ours{'' if n is None else f' {n}'}{' shared' if share else ''}": own(n, share)
        for n in size.tokens
        for share in (True, False)
    }

    def trl(of: list[Any], batch: int, ahead: bool) -> Side:
        return lambda: trl_preferences.theirs(of, kind, batch, ahead, setting, size.batch)

    ways = {f"{b}{' precomputed' if ahead else ''}": (b, ahead) for b in size.at_once for ahead in (False, True)}
    peers, small = ({name: trl(of, *way) for name, way in ways.items()} for of in (groups, few))
    result = compared(bench, size.trl, ours, peers, small, sum(g.n_tokens for g in groups))
    return result | preferences.counts(groups)


def compiled_stage(bench: Bench, size: Size, setting: Setting) -> dict[str, Any]:
    """Compare DPO with compiled blocks (`compile: true`) with itself; `first_s`: what the first run took, compiling included."""
    groups = make_groups(size.problems, 0.8, shape=setting.shape)

    def own(compiled: bool) -> Side:
        return lambda: preferences.ours(groups, "dpo", True, setting, size.batch, None, compiled)

    sides = {"compiled": own(True), "plain": own(False)}
    first = bench.turns(sides, 1)
    result = rated(bench, bench.turns(sides, bench.repeats), sum(g.n_tokens for g in groups))
    return result | {
        "first_s": {name: r["seconds"]["median"] for name, r in first.items() if "seconds" in r},
        "speedup": against(result, "plain", "seconds", 1),
    }


def sft_stage(bench: Bench, size: Size, setting: Setting) -> dict[str, Any]:
    """Compare supervised training; TRL pads, or forwards lines without padding (with whatever attention is installed)."""
    batch = 4 * size.batch  # a lesson is one sequence, a problem several
    few = max(4, size.lessons // 4)

    def trl(n: int, at_once: int, padding_free: bool) -> Side:
        return lambda: sft.theirs(n, setting, batch, at_once=at_once, padding_free=padding_free)

    ways = {f"{b}{' padding-free' if free else ''}": (b, free) for b in size.at_once for free in (False, True)}
    peers, small = ({name: trl(n, *way) for name, way in ways.items()} for n in (size.lessons, few))
    ours = {
        f"ours{'' if n is None else f' {n}'}": lambda n=n: sft.ours(size.lessons, setting, batch, n)
        for n in size.tokens
    }
    return compared(
        bench, size.trl, ours, peers, small, sum(g.n_tokens for g in sft.lessons(size.lessons, setting.shape))
    )


def sampling_stage(bench: Bench, size: Size, cases: Callable[[], sampling.Case]) -> dict[str, Any]:
    """Compare sampling four answers a prompt; `first`: our first run of each, in which steps are captured.

    Each side has a model of its own, since what is captured belongs to a number of rows.
    """
    theirs = cases()
    few = (theirs[0], theirs[1][: max(4, len(theirs[1]) // 2)], theirs[2])

    def speed(of: Callable[..., float], *given: Any) -> Side:
        return lambda: {"tokens_per_s": of(*given)}

    sides = {f"ours {rows} rows": speed(sampling.drawn, cases(), size.max_new, rows) for rows in size.rows}
    first = bench.turns(sides, 1)
    tries = {str(b): speed(sampling.generated, few, size.max_new, b) for b in size.prompts_at_once}
    best, tried = bench.best(tries, "tokens_per_s", -1) if len(tries) > 1 else (next(iter(tries)), {})
    if best:
        sides["generate"] = speed(sampling.generated, theirs, size.max_new, int(best))
    result = bench.turns(sides, bench.repeats)
    return result | {
        "first": first,
        "generate_tried_on_fewer": tried,
        "generate_best": best,
        "speedup": against(result, "generate", "tokens_per_s", -1),
    }


def agreement_stage(bench: Bench, setting: Setting) -> dict[str, Any]:
    """One DPO step of the same weights: float32 on the CPU and on the device, bfloat16 on the device; and TRL's loss there."""
    groups = make_groups(2, 0.8, seed=3, shape=setting.shape)
    student = make_model(1, setting=setting._replace(device="cpu")).train()
    reference = [tuple(-2.0 * len(r) for r in g.responses) for g in groups]
    ready = [Referenced(g, r) for g, r in zip(groups, reference, strict=True)]
    posed = [Posed(g.prompt, g.responses) for g in groups]
    objective = Objective(dpo.loss, LearnSettings(beta=0.01))
    seen = {}
    for name, device, low in (
        ("cpu", "cpu", False),
        ("float32", bench.device, False),
        ("bfloat16", bench.device, True),
    ):
        student.zero_grad(set_to_none=True)
        model = student.to(device)
        with torch.autocast(device, torch.bfloat16, enabled=low):
            loss = gradients(model, ready, objective, 0.0, 16_384).loss
            logp = torch.tensor([x for row in score_all(model, posed, 16_384) for x in row])
        seen[name] = loss, logp, torch.cat([p.grad.flatten().cpu() for p in model.parameters()])
    lengths = torch.tensor([len(r) for g in groups for r in g.responses])
    result: dict[str, Any] = {"loss": {name: loss for name, (loss, _, _) in seen.items()}}
    for one, other in (("cpu", "float32"), ("float32", "bfloat16"), ("cpu", "bfloat16")):
        (_, a, g), (_, b, h) = seen[one], seen[other]
        result[f"{other} against {one}"] = {
            "logp_per_token_max": float(((a - b).abs() / lengths).max()),
            "grad_rel_diff": float((g - h).norm() / g.norm()),
        }
    return result | {"trl, pupil, on the device": preferences.agreement(bench.device)}


def stages(
    bench: Bench, size: Size, args: argparse.Namespace
) -> Iterator[tuple[str, str, Callable[[], dict[str, Any]]]]:
    """Yield kind, name and work of every stage, the most telling first."""
    for shape in args.shapes:
        setting = Setting(shape, "bfloat16", bench.device)
        yield "agreement", f"{shape} agreement", lambda s=setting: agreement_stage(bench, s)
        yield "dpo", f"{shape} dpo", lambda s=setting: preference_stage(bench, size, s, "dpo")
        yield "sft", f"{shape} sft", lambda s=setting: sft_stage(bench, size, s)
        yield (
            "sampling",
            f"{shape} sampling, random weights",
            lambda shape=shape: sampling_stage(
                bench, size, lambda: sampling.random_weights(shape, size.asked, torch.bfloat16, bench.device)
            ),
        )
        if args.models and shape == args.shapes[0]:
            yield (
                "sampling",
                "smollm2-135m sampling",
                lambda: sampling_stage(bench, size, lambda: sampling.lm135(args.models, torch.bfloat16)),
            )
            yield (
                "agreement",
                "smollm2-135m greedy, float32",
                lambda: sampling.agreement(sampling.lm135(args.models), size.max_new, size.rows[0]),
            )
        for kind in ("kto_unique", "kto_pairs"):
            yield "kto", f"{shape} {kind}", lambda s=setting, kind=kind: preference_stage(bench, size, s, kind)
        if bench.device == "cuda":
            yield "compiled", f"{shape} dpo, compiled", lambda s=setting: compiled_stage(bench, size, s)


def options(parser: argparse.ArgumentParser) -> None:
    """How long, where, and what of it."""
    parser.add_argument("--minutes", type=float, required=True, help="nothing new starts after so many")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a pupil's shape and a handful of texts")
    parser.add_argument("--shapes", nargs="+", choices=("135m", "0.5b", "pupil"), default=["135m", "0.5b"])
    parser.add_argument("--only", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--trl", nargs="+", default=[], help="of TRL's settings only these; one alone is not searched")
    parser.add_argument("--generate", type=int, help="transformers' batch size, not searched")
    parser.add_argument("--models", help="folder with smollm2-135m…, whose real weights are sampled too")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", help="file for the results, written after every stage")


def measure(args: argparse.Namespace) -> Any:
    """Run every stage that was asked for."""
    if args.tiny:
        args.shapes, args.repeats = [PUPIL.shape], 1
    size = (TINY if args.tiny else FULL)._replace(trl=tuple(args.trl))
    if args.generate:
        size = size._replace(prompts_at_once=(args.generate,))
    bench = Bench(args.minutes, args.device, args.repeats, args.out, size=size._asdict())
    for kind, name, work in stages(bench, size, args):
        if kind in args.only:
            bench.stage(name, work)
    return bench.found


if __name__ == "__main__":
    report(__doc__, options, measure)
