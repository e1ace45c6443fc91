"""Supervised training against TRL's SFTTrainer without packing: same model, lessons, batch and steps; CPU seconds of one thread.

    python benchmarks/sft.py [--model pupil|135m|0.5b] [--dtype float32|bfloat16] [--lessons 512] [--repeats 3] [--json]

Each run is its own process; sides take turns; the figure is the median. Tokenisation is counted on neither side.
`sft_speedup`: TRL's CPU seconds through ours; `forwarded_ratio`: its tokens through ours, padding included; `peak_share`: our
peak memory through TRL's. Models are random, of the named shape; bfloat16: computed in, over float32 weights.
"""

import argparse
import json
import logging
import random
import tempfile
from pathlib import Path
from typing import Any

from figures import report
from orcamath.ports import Silent
from orcamath.student.groups import Group
from orcamath.student.loop import Training, planned_steps, train
from orcamath.student.losses import nll
from orcamath.student.settings import LossSettings, SftSettings
from orcamath.student.steps import Objective, Referenced
from pupil_shape import (
    EOS,
    PUPIL,
    SHAPES,
    Meter,
    Setting,
    alternate,
    make_model,
    make_tokenizer,
    settle,
    spread,
    text_of,
    words,
)

BATCH = 16


def lessons(n: int, shape: str = "pupil") -> list[Group]:
    """Draw lessons of the shape's lengths."""
    rng, kind = random.Random(0), SHAPES[shape]
    answer = kind.answer[0] - 1, kind.answer[1] - 1
    return [
        Group(
            f"p{i}",
            words(rng, *kind.prompt, kind.vocabulary),
            ((*words(rng, *answer, kind.vocabulary), EOS),),
            (True,),
            (1.0,),
            (),
            (False,),
        )
        for i in range(n)
    ]


def ours(n: int, setting: Setting = PUPIL, batch: int = BATCH, tokens: int | None = None) -> dict[str, float]:
    """Train with orcamath, `batch` lessons a step, `tokens` at once (None: the product's choice)."""
    meter, groups = Meter(setting.device), lessons(n, setting.shape)
    model = meter.count(make_model(setting=setting).train())
    settings = SftSettings(learning_rate=1e-5, batch_size=batch, dtype=setting.dtype, batch_tokens=tokens)
    objective = Objective(nll.loss, LossSettings())
    work = Training(model, settings, [Referenced(g, (0.0,)) for g in groups], planned_steps(n, settings), objective)
    with meter, tempfile.TemporaryDirectory() as scratch:
        train(work, Path(scratch), Silent(), lambda **_: None)
    return meter.took()


def theirs(
    n: int, setting: Setting = PUPIL, batch: int = BATCH, *, at_once: int = BATCH, padding_free: bool = False
) -> dict[str, float]:
    """Train with TRL, `batch` lessons a step, `at_once` of them forwarded together."""
    logging.disable(logging.WARNING)
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [
        {"prompt": text_of(g.prompt), "completion": " " + text_of(g.responses[0])} for g in lessons(n, setting.shape)
    ]
    meter = Meter(setting.device)
    with tempfile.TemporaryDirectory() as out:
        settings = SFTConfig(
            output_dir=out,
            per_device_train_batch_size=at_once,
            gradient_accumulation_steps=max(1, batch // at_once),
            learning_rate=1e-5,
            num_train_epochs=1,
            packing=False,
            padding_free=padding_free,
            activation_checkpointing=False,
            bf16=setting.dtype == "bfloat16",
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=setting.device == "cpu",
            max_length=None,
            optim="adamw_torch_fused",
        )
        trainer: Any = SFTTrainer(
            meter.count(make_model(setting=setting)),
            args=settings,
            train_dataset=Dataset.from_list(rows),
            processing_class=make_tokenizer(setting.shape),
        )
        assert trainer.accelerator.mixed_precision == (
            "bf16" if settings.bf16 else "no"
        )  # accelerate keeps it by process
        with meter:
            trainer.train()
    return meter.took()


def options(parser: argparse.ArgumentParser) -> None:
    """How much; a job is one run of one side."""
    parser.add_argument("--lessons", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", choices=tuple(SHAPES), default="pupil", help="shape of model and lessons")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32", help="computed in, on both sides"
    )
    parser.add_argument("--job", help=argparse.SUPPRESS)


def measure(args: argparse.Namespace) -> Any:
    """Run one job, or both sides in turn."""
    settle()
    if args.job:
        job = json.loads(args.job)
        return (ours if job["side"] == "ours" else theirs)(job["n"], Setting(**job["setting"]))
    case = {"n": args.lessons, "setting": Setting(args.model, args.dtype)._asdict()}
    runs = alternate(__file__, {side: {"side": side, **case} for side in ("ours", "theirs")}, args.repeats)
    found = {side: {k: spread([r[k] for r in some]) for k in some[0]} for side, some in runs.items()}
    ratio = {k: round(found["theirs"][k]["median"] / found["ours"][k]["median"], 2) for k in found["ours"]}
    return {
        "model": args.model,
        "dtype": args.dtype,
        "lessons": args.lessons,
        **found,
        "sft_speedup": ratio["seconds"],
        "forwarded_ratio": ratio["forwarded"],
        "peak_share": round(1 / ratio["peak_gb"], 2),
    }


if __name__ == "__main__":
    report(__doc__, options, measure)
