"""Preference training against TRL: the same model, the same set, the same number of optimizer steps; CPU seconds of one thread.

    python benchmarks/preference_training.py [--model pupil|135m|0.5b] [--dtype float32|bfloat16] [--problems 64]
        [--repeats 3] [--only dpo …] [--table] [--trl-batch 4] [--tokens 8192] [--json]

Models are random, of the named shape; `135m` and `0.5b` have texts of GSM8K's lengths. bfloat16: computed in, over float32
weights. Each run is its own process; sides take turns; the figure is the median. TRL runs at the best of batch size
{2, 4, 8, 16} and precomputed or live reference, found on a smaller set first. Tokenisation and building are counted on neither
side, reference log-probs on both.

`dpo_speedup`: TRL's seconds through ours, without and with prompts shared. `kto_speedup_pairs`: TRL gets the product as
unpaired rows (what pairs come to there); `kto_speedup_unique`: TRL gets each response once. `…forwarded_ratio`: the tokens that
TRL forwards for one of ours, padding and reference included; `…passes_ratio`: the same where a token with gradient, which is
gone back over as well, counts three times (of KTO's, TRL forwards more without); `…peak_share`: our peak memory through TRL's
(`--tokens`: what ours forwards at once, as `--trl-batch` is for TRL). `count_ratio`: how many sequences TRL forwards for one of
ours. `loss_diff`, `grad_rel_diff`: one step in float32 against TRL's own loss; `loss_diff64`: against a naive loop in float64.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from figures import report
from orcamath.ports import Silent
from orcamath.student.groups import Group, mismatches
from orcamath.student.logprobs import Posed
from orcamath.student.loop import Training, planned_steps, train
from orcamath.student.losses import dpo, kto
from orcamath.student.model import Loaded
from orcamath.student.prepare import prepared, quietly
from orcamath.student.room import at_once
from orcamath.student.settings import LearnSettings
from orcamath.student.steps import Compared, Objective, Referenced, gradients, score_all, z0
from pupil_shape import (
    PUPIL,
    SHAPES,
    Meter,
    Setting,
    alternate,
    make_groups,
    make_model,
    make_tokenizer,
    settle,
    spread,
)
from trl_preferences import BATCH, BETA, dpo_rows, kto_rows, theirs, trl_trainer

LOSSES = {"dpo": dpo.loss, "kto": kto.loss}


def ours(
    groups: list[Group],
    loss: str,
    share: bool,
    setting: Setting = PUPIL,
    batch: int = BATCH,
    tokens: int | None = 8192,
    compiled: bool = False,
) -> dict[str, float]:
    """Train with orcamath, reference included; `batch` problems a step, `tokens` at once (None: the product's choice)."""
    meter = Meter(setting.device)
    settings = LearnSettings(
        beta=BETA,
        learning_rate=1e-5,
        batch_size=batch,
        loss=loss,
        dtype=setting.dtype,
        batch_tokens=tokens,
        compile=compiled,
        share_prompt=share,
    )
    model = meter.count(prepared(Loaded(make_model(setting=setting), make_tokenizer(setting.shape)), settings))
    room = at_once(model, settings)

    def scored(posed: list[Posed]) -> list[tuple[float, ...]]:
        with quietly(model, settings):
            return score_all(model, posed, room, share=share)

    with meter, tempfile.TemporaryDirectory() as scratch:
        steps = planned_steps(len(groups), settings)
        reference = scored([Posed(g.prompt, g.responses) for g in groups])
        compared = None
        if loss == "kto":
            strangers = [mismatches([groups[k] for k in s]) for s in steps]
            other = [
                [Posed(groups[k].prompt, mine[groups[k].problem_id]) for k in s]
                for s, mine in zip(steps, strangers, strict=True)
            ]
            compared = [[Compared(p, r) for p, r in zip(posed, scored(posed), strict=True)] for posed in other]
        ready = [Referenced(g, r) for g, r in zip(groups, reference, strict=True)]
        work = Training(model, settings, ready, steps, Objective(LOSSES[loss], settings), compared)
        train(work, Path(scratch), Silent(), lambda **_: None)
    return meter.took()


def agreement(device: str = "cpu") -> dict[str, float]:
    """Compare one step's loss and gradient with TRL's own, from a student that differs from its reference; the pupil's shape."""
    groups, setting = make_groups(6, 0.8, seed=3), PUPIL._replace(device=device)
    student, reference = make_model(1, setting=setting), make_model(0, setting=setting)
    posed = [Posed(g.prompt, g.responses) for g in groups]
    ready = [Referenced(g, r) for g, r in zip(groups, score_all(reference, posed, 8192), strict=True)]
    found: dict[str, float] = {"loss_diff": 0.0, "grad_rel_diff": 0.0}
    for kind in ("dpo", "kto"):
        rows = dpo_rows(groups) if kind == "dpo" else kto_rows(groups, pairs=False)
        with tempfile.TemporaryDirectory() as out:
            trainer = trl_trainer(rows, kind, 1, len(rows), False, Meter(), out, setting)
        inputs = {k: v.to(device) for k, v in trainer.data_collator(list(trainer.train_dataset)).items()}
        trainer.model.load_state_dict(student.state_dict())
        trainer.model.train()
        loss = trainer._compute_loss(trainer.model, inputs, return_outputs=False)
        loss.backward()
        expected = torch.cat([p.grad.flatten() for p in trainer.model.parameters()])
        student.zero_grad()
        baseline = 0.0
        if kind == "kto":  # the mismatches that TRL made, scored by our own code
            n = [int(m.sum()) for m in inputs["KL_completion_mask"]]
            length = [int(m.sum()) for m in inputs["KL_attention_mask"]]
            whole = [tuple(row[:k].tolist()) for row, k in zip(inputs["KL_input_ids"], length, strict=True)]
            other = [Posed(w[:-k], (w[-k:],)) for w, k in zip(whole, n, strict=True)]
            baseline = z0(score_all(student, other, 8192), score_all(reference, other, 8192))
        step = gradients(student, ready, Objective(LOSSES[kind], LearnSettings(beta=BETA)), baseline, 2000)
        gradient = torch.cat([p.grad.flatten() for p in student.parameters()])  # type: ignore[union-attr]
        found[f"loss_diff_{kind}"] = abs(step.loss - float(loss))
        found["loss_diff"] = max(found["loss_diff"], found[f"loss_diff_{kind}"])
        relative = float((gradient - expected).norm() / expected.norm())
        found["grad_rel_diff"] = max(found["grad_rel_diff"], relative)
    return found | {"loss_diff64": _float64(groups)}


def _float64(groups: list[Group]) -> float:
    """Compare with a loop over pairs that scores one sequence at a time, in float64."""
    student, reference = make_model(1, torch.float64), make_model(0, torch.float64)

    @torch.no_grad()
    def one(model: Any, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
        logits = F.log_softmax(model(torch.tensor([[*prompt, *answer]])).logits[0], -1)
        return sum(float(logits[len(prompt) - 1 + k, t]) for k, t in enumerate(answer))

    ratio = [[one(student, g.prompt, r) - one(reference, g.prompt, r) for r in g.responses] for g in groups]
    losses = [
        math.log1p(math.exp(-BETA * (rs[w] - rs[b])))
        for g, rs in zip(groups, ratio, strict=True)
        for w, b, _ in g.pairs
    ]
    posed = [Posed(g.prompt, g.responses) for g in groups]
    ready = [Referenced(g, r) for g, r in zip(groups, score_all(reference, posed, 8192), strict=True)]
    step = gradients(student, ready, Objective(dpo.loss, LearnSettings(beta=BETA)), 0.0, 2000)
    return abs(step.loss - sum(losses) / len(losses))


def counts(groups: list[Group]) -> dict[str, float]:
    """Return pairs, responses and sequences a problem, and how many sequences TRL forwards for one of ours."""
    n, pairs = len(groups), sum(len(g.pairs) for g in groups)
    responses = sum(len(g.responses) for g in groups)
    return {"pairs": pairs / n, "responses": responses / n, "count_ratio": 2 * pairs / responses}


def best_of_trl(kind: str, case: dict[str, Any]) -> dict[str, Any]:
    """Find TRL's fastest setting on a smaller set."""
    small = case | {"set": case["set"] | {"n": max(16, case["set"]["n"] // 3)}}
    jobs = {
        f"{b} {p}": {"side": "theirs", "kind": kind, "batch": b, "precompute": p, **small}
        for b in (2, 4, 8, 16)
        for p in (True, False)
    }
    found = {name: runs[0]["seconds"] for name, runs in alternate(__file__, jobs, 1).items()}
    return jobs[min(found, key=found.__getitem__)]


def measure(
    case: dict[str, Any], repeats: int, kinds: tuple[str, ...], known: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Measure one preference set (`set`) under one `setting`; `known`: TRL's best setting, where it was searched already."""
    jobs: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        jobs[f"trl_{kind}"] = (known or best_of_trl(kind, case)) | {"kind": kind, **case}
    for loss in {k[:3] for k in kinds}:
        for share in (False, True):
            jobs[f"{loss}{'_shared' if share else ''}"] = {"side": "ours", "kind": loss, "share": share, **case}
    runs = alternate(__file__, jobs, repeats)
    result: dict[str, Any] = {**case, **counts(make_groups(**case["set"])), "cpu_s": spreads(runs, "seconds")}
    result |= {"peak_gb": spreads(runs, "peak_gb"), "forwarded": {k: r[0]["forwarded"] for k, r in runs.items()}}
    result["passes"] = {k: r[0]["passes"] for k, r in runs.items()}
    result["trl_best"] = {k: {x: jobs[k][x] for x in ("batch", "precompute")} for k in jobs if k.startswith("trl")}
    for kind in kinds:
        for suffix in ("", "_shared"):
            result |= ratios(result, kind, f"trl_{kind}", f"{kind[:3]}{suffix}", suffix)
    return result


def spreads(runs: dict[str, list[dict[str, float]]], what: str) -> dict[str, dict[str, float]]:
    """Return the spread of one number of each side's runs."""
    return {name: spread([r[what] for r in some]) for name, some in runs.items()}


def ratios(result: dict[str, Any], kind: str, trl: str, own: str, suffix: str) -> dict[str, float]:
    """Return TRL through ours: seconds, forwarded tokens, passes over them, and ours through TRL's peak memory."""
    name = {"dpo": "dpo_{}", "kto_pairs": "kto_{}_pairs", "kto_unique": "kto_{}_unique"}[kind] + suffix
    return {
        name.format("speedup"): round(result["cpu_s"][trl]["median"] / result["cpu_s"][own]["median"], 2),
        name.format("forwarded_ratio"): round(result["forwarded"][trl] / result["forwarded"][own], 2),
        name.format("passes_ratio"): round(result["passes"][trl] / result["passes"][own], 2),
        name.format("peak_share"): round(result["peak_gb"][own]["median"] / result["peak_gb"][trl]["median"], 2),
    }


def options(parser: argparse.ArgumentParser) -> None:
    """How much, or the whole table; a job is one run of one side."""
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--table", action="store_true", help="instead, right-answer rates .5 / .8 / .95, capped at 4 and not (DPO)"
    )
    parser.add_argument("--trl-batch", type=int, help="TRL's batch size, not searched; its reference is live")
    parser.add_argument("--tokens", type=int, default=8192, help="tokens that ours forwards at once")
    parser.add_argument("--model", choices=tuple(SHAPES), default="pupil", help="shape of model and texts")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32", help="computed in, on both sides"
    )
    parser.add_argument("--only", nargs="*", choices=("dpo", "kto_pairs", "kto_unique"), help="some of the comparisons")
    parser.add_argument("--job", help=argparse.SUPPRESS)


def job_of(job: dict[str, Any]) -> Any:
    """Run one side once."""
    if job["side"] == "agreement":
        return agreement()
    groups, setting = make_groups(**job["set"]), Setting(**job["setting"])
    if job["side"] == "ours":
        return ours(groups, job["kind"], job["share"], setting, tokens=job["tokens"])
    return theirs(groups, job["kind"], job["batch"], job["precompute"], setting)


def run(args: argparse.Namespace) -> Any:
    """Run one job, one shape, or the table of shapes."""
    settle()
    if args.job:
        return job_of(json.loads(args.job))
    setting = Setting(args.model, args.dtype)._asdict()
    case = {
        "set": {"n": args.problems, "right": 0.8, "cap": None, "shape": args.model},
        "setting": setting,
        "tokens": args.tokens,
    }
    kinds = tuple(args.only or ("dpo", "kto_pairs", "kto_unique"))
    known = None if args.trl_batch is None else {"side": "theirs", "batch": args.trl_batch, "precompute": False}
    if args.table:
        known = known or best_of_trl("dpo", case)  # once, at the middle shape
        result: dict[str, Any] = {"table": []}
        for right, cap in ((r, c) for r in (0.5, 0.8, 0.95) for c in (None, 4)):
            row = measure(case | {"set": case["set"] | {"right": right, "cap": cap}}, args.repeats, ("dpo",), known)
            print(json.dumps(row), flush=True)
            result["table"].append(row)
    else:
        result = measure(case, args.repeats, kinds, known)
        result |= alternate(__file__, {"agreement": {"side": "agreement"}}, 1)["agreement"][0]
    return result


if __name__ == "__main__":
    report(__doc__, options, run)
