"""Online rounds beside TRL's GRPOTrainer: CPU seconds of the same rounds, in alternation, on the shipped pupil.

    python benchmarks/online.py [--rounds 3] [--problems 16] [--samples 8] [--repeats 2]

Both sample as many answers of the same classroom problems, judge them by the same rules and take one step a round by `grpo`, from
the same weights, in float32 on one thread. Time is CPU time of the process, loading and saving left out on both sides. TRL
samples by transformers' `generate`. `answer_tokens` says how much each sampled.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from figures import report
from orcamath.classroom.seeds import read
from orcamath.classroom.weights import folder
from orcamath.judges.rules import make, rule
from orcamath.ports import Comparison
from orcamath.records import Exercise
from orcamath.sources.source import SourceSettings
from orcamath.store.artifacts import Output, Store
from orcamath.student.encode import Encoder
from orcamath.student.facts import OnlineFacts
from orcamath.student.losses.grpo import loss
from orcamath.student.model import load_model, open_folder
from orcamath.student.online import train_online
from orcamath.student.settings import OnlineSettings

LONGEST = 80


def exercises(n: int) -> list[Exercise]:
    """Return n classroom problems of the split `dev`."""
    problems = itertools.islice(read(SourceSettings(name="classroom", split="dev", options={"n": n})), n)
    return [
        Exercise(problem_id=p.id, question=p.question, reference=p.answer or "", label="known_answer") for p in problems
    ]


def ours(args: argparse.Namespace, asked: list[Exercise]) -> tuple[float, int]:
    """Return CPU seconds of the rounds, and answer tokens sampled."""
    settings = OnlineSettings(
        rounds=args.rounds,
        problems=args.problems,
        samples=args.samples,
        max_new_tokens=LONGEST,
        learning_rate=1e-5,
        dtype="float32",
        max_tokens=320,
    )
    clock: dict[str, float] = {}

    def make_stage(out: Output) -> OnlineFacts:
        out.progress = Marks(clock)
        return train_online(out, settings, asked, open_folder(str(folder())), make(), loss)

    with tempfile.TemporaryDirectory() as root:
        made = Store(Path(root)).stage("online", 1, None, [], make_stage)
    return clock["end"] - clock["begin"], made.said(OnlineFacts).n_sampled_tokens


class Marks:
    """Progress that notes the CPU time at its beginning and end."""

    def __init__(self, clock: dict[str, float]) -> None:
        self.clock = clock

    def begin(self, what: str, total: int | None) -> None:
        """Note it."""
        del what, total
        self.clock["begin"] = time.process_time()

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:
        """Take no notice."""

    def end(self) -> None:
        """Note it."""
        self.clock["end"] = time.process_time()


def theirs(args: argparse.Namespace, asked: list[Exercise]) -> tuple[float, int]:
    """Return the same of TRL's trainer."""
    import trl
    from datasets import Dataset

    loaded = load_model(open_folder(str(folder())))
    encoder = Encoder(loaded.tokenizer)
    n_tokens = 0

    def reward(completions: list[str], completion_ids: list[list[int]], reference: list[str], **_: Any) -> list[float]:
        nonlocal n_tokens
        n_tokens += sum(map(len, completion_ids))
        told = zip(completions, reference, strict=True)
        return [float(rule(Comparison("", right, text)).outcome == "agrees") for text, right in told]

    rows = [{"prompt": encoder.decode(encoder.prompt(e.question)), "reference": e.reference} for e in asked]
    with tempfile.TemporaryDirectory() as root:
        config = trl.GRPOConfig(
            output_dir=root,
            per_device_train_batch_size=args.problems * args.samples,
            num_generations=args.samples,
            max_completion_length=LONGEST,
            max_steps=args.rounds,
            learning_rate=1e-5,
            beta=0.0,
            temperature=1.0,
            top_p=1.0,
            top_k=0,
            loss_type="grpo",
            bf16=False,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            activation_checkpointing=False,
            lr_scheduler_type="constant",
        )
        trainer = trl.GRPOTrainer(
            loaded.model, reward, args=config, train_dataset=Dataset.from_list(rows), processing_class=loaded.tokenizer
        )
        began = time.process_time()
        trainer.train()
        return time.process_time() - began, n_tokens


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return CPU seconds and tokens of every repeat, and each repeat's ratio of the seconds."""
    torch.set_num_threads(1)
    asked = exercises(args.problems * args.rounds)
    found: dict[str, list[tuple[float, int]]] = {"ours": [], "trl": []}
    for _ in range(args.repeats):
        found["ours"].append(ours(args, asked))
        found["trl"].append(theirs(args, asked))
    ratios = [t / o for (o, _), (t, _) in zip(found["ours"], found["trl"], strict=True)]
    return {
        "cpu_s": {who: [round(s, 2) for s, _ in runs] for who, runs in found.items()},
        "answer_tokens": {who: [n for _, n in runs] for who, runs in found.items()},
        "trl_over_ours": [round(r, 2) for r in ratios],
    }


def options(parser: argparse.ArgumentParser) -> None:
    """How much, and how often."""
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=16, help="of a round")
    parser.add_argument("--samples", type=int, default=8, help="of a problem")
    parser.add_argument("--repeats", type=int, default=2)


if __name__ == "__main__":
    report(__doc__, options, measure)
