"""Supervised training against TRL's SFTTrainer without packing: same model, lessons, batch and steps; CPU seconds of one thread.

    python benchmarks/sft.py [--lessons 512] [--repeats 3] [--json]

Each run is its own process; sides take turns; the figure is the median. Tokenisation is counted on neither side.
`sft_speedup`: TRL's CPU seconds through ours.
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
from orcamath.student.loop import plan, train
from orcamath.student.losses import nll
from orcamath.student.settings import LossSettings, SftSettings
from orcamath.student.steps import Objective, Referenced, gradients
from pupil_shape import EOS, Clock, alternate, make_model, make_tokenizer, settle, spread, text_of, words

BATCH = 16


def lessons(n: int) -> list[Group]:
    """Draw lessons of the classroom's lengths."""
    rng = random.Random(0)
    return [
        Group(f"p{i}", words(rng, 22, 50), ((*words(rng, 19, 44), EOS),), (True,), (1.0,), (), (False,))
        for i in range(n)
    ]


def ours(n: int) -> float:
    """Train with orcamath; returns CPU seconds."""
    model, groups = make_model().train(), lessons(n)
    settings = SftSettings(learning_rate=1e-3, batch_size=BATCH, dtype="float32")
    objective = Objective(nll.loss, LossSettings())
    clock = Clock()
    steps = plan(n, settings)
    ready = [Referenced(g, (0.0,)) for g in groups]
    with tempfile.TemporaryDirectory() as scratch:
        train(
            model, [[groups[k].problem_id for k in s] for s in steps],
            lambda i: gradients(model, [ready[k] for k in steps[i]], objective, 0.0, settings.batch_tokens),
            settings, Path(scratch), Silent(), lambda **_: None,
        )  # fmt: skip
    return clock.seconds


def theirs(n: int) -> float:
    """Train with TRL; returns CPU seconds."""
    logging.disable(logging.WARNING)
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [{"prompt": text_of(g.prompt), "completion": " " + text_of(g.responses[0])} for g in lessons(n)]
    with tempfile.TemporaryDirectory() as out:
        settings = SFTConfig(
            output_dir=out, per_device_train_batch_size=BATCH, learning_rate=1e-3, num_train_epochs=1, packing=False,
            gradient_checkpointing=False, bf16=False, report_to="none", save_strategy="no", logging_strategy="no",
            disable_tqdm=True, use_cpu=True, max_length=None, optim="adamw_torch_fused",
        )  # fmt: skip
        trainer: Any = SFTTrainer(
            make_model(), args=settings, train_dataset=Dataset.from_list(rows), processing_class=make_tokenizer()
        )
        clock = Clock()
        trainer.train()
        return clock.seconds


def options(parser: argparse.ArgumentParser) -> None:
    """How much; a job is one run of one side."""
    parser.add_argument("--lessons", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--job", help=argparse.SUPPRESS)


def measure(args: argparse.Namespace) -> Any:
    """Run one job, or both sides in turn."""
    settle()
    if args.job:
        job = json.loads(args.job)
        return (ours if job["side"] == "ours" else theirs)(job["n"])
    jobs = {side: {"side": side, "n": args.lessons} for side in ("ours", "theirs")}
    seconds = {name: spread(runs) for name, runs in alternate(__file__, jobs, args.repeats).items()}
    return {
        "lessons": args.lessons, "cpu_s": seconds,
        "sft_speedup": round(seconds["theirs"]["median"] / seconds["ours"]["median"], 2),
    }  # fmt: skip


if __name__ == "__main__":
    report(__doc__, options, measure)
