"""Preference training against TRL: the same model, the same set, the same number of optimizer steps; CPU seconds of one thread.

    python benchmarks/preference_training.py [--problems 64] [--repeats 3] [--table [--trl-batch 4]] [--json]

Each run is its own process; sides take turns; the figure is the median. TRL runs at the best of batch size {2, 4, 8, 16} and
precomputed or live reference, found on a smaller set first. Tokenisation is counted on neither side, reference log-probs on
both. `dpo_speedup`: TRL's seconds through ours, without and with prompts shared. `kto_speedup_pairs`: TRL gets the product as
unpaired rows (what pairs come to there); `kto_speedup_unique`: TRL gets each response once. `count_ratio`: how many sequences
TRL forwards for one of ours. `loss_diff`, `grad_rel_diff`: one step in float32 against TRL's own loss; `loss_diff64`: against a
naive loop in float64.
"""

import argparse
import json
import logging
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
from orcamath.student.loop import plan, train
from orcamath.student.losses import dpo, kto
from orcamath.student.settings import LearnSettings
from orcamath.student.steps import Objective, Referenced, gradients, score_all, z0
from pupil_shape import Clock, alternate, make_groups, make_model, make_tokenizer, settle, spread, text_of

BATCH = 8
BETA = 0.1
LOSSES = {"dpo": dpo.loss, "kto": kto.loss}


def ours(groups: list[Group], loss: str, share: bool) -> float:
    """Train with orcamath; returns CPU seconds, reference log-probs included."""
    model = make_model().train()
    settings = LearnSettings(
        beta=BETA, learning_rate=1e-5, batch_size=BATCH, loss=loss, dtype="float32", batch_tokens=8192
    )
    clock = Clock()
    steps = plan(len(groups), settings)
    strangers = [mismatches([groups[k] for k in s]) if loss == "kto" else {} for s in steps]
    reference = score_all(model, [Posed(g.prompt, g.responses) for g in groups], 8192, share=share)
    other = [[Posed(groups[k].prompt, strangers[i][groups[k].problem_id]) for k in s] if loss == "kto" else [] for i, s in enumerate(steps)]  # noqa: E501  # fmt: skip
    other_reference = [score_all(model, posed, 8192, share=share) for posed in other]
    ready = [Referenced(g, r) for g, r in zip(groups, reference, strict=True)]
    objective = Objective(LOSSES[loss], settings)

    def step(i: int) -> Any:
        baseline = z0(score_all(model, other[i], 8192, share=share), other_reference[i]) if loss == "kto" else 0.0
        return gradients(model, [ready[k] for k in steps[i]], objective, baseline, 8192, share=share)

    with tempfile.TemporaryDirectory() as scratch:
        ids = [[groups[k].problem_id for k in s] for s in steps]
        train(model, ids, step, settings, Path(scratch), Silent(), lambda **_: None)
    return clock.seconds


def dpo_rows(groups: list[Group]) -> list[dict[str, str]]:
    """Return TRL's preference format: every pair a row."""
    return [
        {
            "prompt": text_of(g.prompt),
            "chosen": " " + text_of(g.responses[w]),
            "rejected": " " + text_of(g.responses[b]),
        }
        for g in groups
        for w, b, _ in g.pairs
    ]


def kto_rows(groups: list[Group], *, pairs: bool) -> list[dict[str, Any]]:
    """Return TRL's unpaired format, shuffled: both sides of every pair, or each response once."""
    rows = []
    for g in groups:
        sides = [i for w, b, _ in g.pairs for i in (w, b)] if pairs else range(len(g.responses))
        rows += [
            {"prompt": text_of(g.prompt), "completion": " " + text_of(g.responses[i]), "label": g.desirable[i]}
            for i in sides
        ]
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
    return [rows[i] for i in order]


def trl_trainer(
    rows: list[dict[str, Any]], kind: str, n_steps: int, batch: int, precompute: bool, clock: Clock, out: str
) -> Any:
    """Build TRL's trainer; its tokenisation is left out of the clock."""
    from datasets import Dataset
    from datasets.utils.logging import disable_progress_bar
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    disable_progress_bar()
    settings = {
        "output_dir": out, "per_device_train_batch_size": batch, "learning_rate": 1e-5, "num_train_epochs": 1, "beta": BETA,
        "gradient_accumulation_steps": max(1, round(len(rows) / n_steps / batch)), "gradient_checkpointing": False,
        "bf16": False, "report_to": "none", "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True,
        "max_length": None, "use_cpu": True, "precompute_ref_log_probs": precompute, "optim": "adamw_torch_fused",
    }  # fmt: skip
    trainer_class, config = (DPOTrainer, DPOConfig) if kind == "dpo" else (KTOTrainer, KTOConfig)

    class Trainer(trainer_class):  # type: ignore[misc, valid-type]
        def _prepare_dataset(self, *args: Any, **kwargs: Any) -> Any:
            with clock.without():
                return super()._prepare_dataset(*args, **kwargs)

    return Trainer(
        make_model(), None if precompute else make_model(), config(**settings), train_dataset=Dataset.from_list(rows),
        processing_class=make_tokenizer(),
    )  # fmt: skip


def theirs(groups: list[Group], kind: str, batch: int, precompute: bool) -> float:
    """Train with TRL on `dpo` pairs, or on `kto_pairs` or `kto_unique` rows; returns CPU seconds."""
    logging.disable(logging.WARNING)
    from trl import DPOTrainer, KTOTrainer  # noqa: F401  # imported before the clock starts

    rows = dpo_rows(groups) if kind == "dpo" else kto_rows(groups, pairs=kind == "kto_pairs")
    with tempfile.TemporaryDirectory() as out:
        clock = Clock()
        trainer = trl_trainer(rows, kind[:3], math.ceil(len(groups) / BATCH), batch, precompute, clock, out)
        trainer.train()
        return clock.seconds


def agreement() -> dict[str, float]:
    """Compare one step's loss and gradient with TRL's own, from a student that differs from its reference."""
    groups = make_groups(6, 0.8, seed=3)
    student, reference = make_model(1), make_model(0)
    posed = [Posed(g.prompt, g.responses) for g in groups]
    ready = [Referenced(g, r) for g, r in zip(groups, score_all(reference, posed, 8192), strict=True)]
    found: dict[str, float] = {"loss_diff": 0.0, "grad_rel_diff": 0.0}
    for kind in ("dpo", "kto"):
        rows = dpo_rows(groups) if kind == "dpo" else kto_rows(groups, pairs=False)
        with tempfile.TemporaryDirectory() as out:
            trainer = trl_trainer(rows, kind, 1, len(rows), False, Clock(), out)
        inputs = trainer.data_collator(list(trainer.train_dataset))
        trainer.model.load_state_dict(student.state_dict())
        trainer.model.train()
        loss = trainer._compute_loss(trainer.model, dict(inputs), return_outputs=False)
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
        report = gradients(student, ready, Objective(LOSSES[kind], LearnSettings(beta=BETA)), baseline, 2000)
        gradient = torch.cat([p.grad.flatten() for p in student.parameters()])  # type: ignore[union-attr]
        found[f"loss_diff_{kind}"] = abs(report.loss - float(loss))
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
    report = gradients(student, ready, Objective(dpo.loss, LearnSettings(beta=BETA)), 0.0, 2000)
    return abs(report.loss - sum(losses) / len(losses))


def counts(groups: list[Group]) -> dict[str, float]:
    """Return pairs, responses and sequences a problem, and how many sequences TRL forwards for one of ours."""
    n, pairs = len(groups), sum(len(g.pairs) for g in groups)
    responses = sum(len(g.responses) for g in groups)
    return {"pairs": pairs / n, "responses": responses / n, "count_ratio": 2 * pairs / responses}


def best_of_trl(kind: str, shape: dict[str, Any]) -> dict[str, Any]:
    """Find TRL's fastest setting on a smaller set."""
    small = shape | {"n": max(16, shape["n"] // 3)}
    jobs = {
        f"{b} {p}": {"side": "theirs", "kind": kind, "batch": b, "precompute": p, "shape": small}
        for b in (2, 4, 8, 16) for p in (True, False)
    }  # fmt: skip
    found = {name: runs[0] for name, runs in alternate(__file__, jobs, 1).items()}
    return jobs[min(found, key=found.__getitem__)] | {"shape": shape}


def measure(
    shape: dict[str, Any], repeats: int, kinds: tuple[str, ...], known: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Measure one shape of preference set; `known`: TRL's best setting, where it was searched already."""
    jobs: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        jobs[f"trl_{kind}"] = (known or best_of_trl(kind, shape)) | {"shape": shape}
    for loss in {k[:3] for k in kinds}:
        for share in (False, True):
            jobs[f"{loss}{'_shared' if share else ''}"] = {"side": "ours", "kind": loss, "share": share, "shape": shape}
    seconds = {name: spread(runs) for name, runs in alternate(__file__, jobs, repeats).items()}
    result: dict[str, Any] = {"shape": shape, **counts(make_groups(**shape)), "cpu_s": seconds}
    result["trl_best"] = {k: {x: jobs[k][x] for x in ("batch", "precompute")} for k in jobs if k.startswith("trl")}
    names = {"dpo": "dpo_speedup", "kto_pairs": "kto_speedup_pairs", "kto_unique": "kto_speedup_unique"}
    for kind in kinds:
        for suffix in ("", "_shared"):
            ratio = seconds[f"trl_{kind}"]["median"] / seconds[f"{kind[:3]}{suffix}"]["median"]
            result[names[kind] + suffix] = round(ratio, 2)
    return result


def options(parser: argparse.ArgumentParser) -> None:
    """How much, or the whole table; a job is one run of one side."""
    parser.add_argument("--problems", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--table", action="store_true", help="instead, right-answer rates .5 / .8 / .95, capped at 4 and not (DPO)"
    )
    parser.add_argument(
        "--trl-batch", type=int, help="in the table: TRL's batch size, not searched; its reference is live"
    )
    parser.add_argument("--job", help=argparse.SUPPRESS)


def job_of(job: dict[str, Any]) -> Any:
    """Run one side once."""
    if job["side"] == "agreement":
        return agreement()
    groups = make_groups(**job["shape"])
    if job["side"] == "ours":
        return ours(groups, job["kind"], job["share"])
    return theirs(groups, job["kind"], job["batch"], job["precompute"])


def run(args: argparse.Namespace) -> Any:
    """Run one job, one shape, or the table of shapes."""
    settle()
    if args.job:
        return job_of(json.loads(args.job))
    shape = {"n": args.problems, "right": 0.8, "cap": None}
    if args.table:
        best = {"side": "theirs", "kind": "dpo", "batch": args.trl_batch, "precompute": False}
        if args.trl_batch is None:
            best = best_of_trl("dpo", shape)  # once, at the middle shape
        result: dict[str, Any] = {"table": []}
        for right, cap in ((r, c) for r in (0.5, 0.8, 0.95) for c in (None, 4)):
            row = measure({"n": args.problems, "right": right, "cap": cap}, args.repeats, ("dpo",), best)
            print(json.dumps(row), flush=True)
            result["table"].append(row)
    else:
        result = measure(shape, args.repeats, ("dpo", "kto_pairs", "kto_unique"))
        result |= alternate(__file__, {"agreement": {"side": "agreement"}}, 1)["agreement"][0]
    return result


if __name__ == "__main__":
    report(__doc__, options, run)
