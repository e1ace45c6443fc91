"""What the plan says training needs in memory, against what it took: a random Llama on the CPU in float32, one process a case.

    python benchmarks/training_memory.py [--hidden 512] [--layers 12] [--json]

`measured_gb` is the peak resident memory less what was resident before the model was made; `planned_gb` the range of
`orcamath plan`; `inside` whether it lies in it. A GPU's allocator keeps less than a process does, and more than the plan's
sum: this shows that the terms are right, not what a GPU will report.
"""

import argparse
import random
import tempfile
from pathlib import Path
from typing import Any

from apart import figures_of
from figures import report, resident
from orcamath.ports import Silent

VOCABULARY, HEADS = 8192, 8
CASES: dict[str, dict[str, Any]] = {
    "full": {},
    "full, twice the tokens": {"batch_tokens": 8192},
    "full, checkpointing": {"gradient_checkpointing": True},
    "LoRA": {"adapter": {"rank": 16}},
    "LoRA, checkpointing": {"adapter": {"rank": 16}, "gradient_checkpointing": True},
}


def measure(case: str, hidden: int, layers: int) -> dict[str, Any]:
    """Train one step here."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from orcamath.plan.sizes import ModelSize
    from orcamath.plan.training import memory_gb
    from orcamath.student.groups import Group
    from orcamath.student.loop import Training, train
    from orcamath.student.losses import nll
    from orcamath.student.model import Loaded
    from orcamath.student.prepare import prepared
    from orcamath.student.settings import LossSettings, SftSettings
    from orcamath.student.steps import Objective, Referenced

    settings = SftSettings.model_validate({"dtype": "float32", "batch_tokens": 4096, "batch_size": 32} | CASES[case])
    torch.zeros(8, 8).requires_grad_().matmul(torch.zeros(8, 8)).sum().backward()  # what torch itself sets up
    before = resident("VmRSS")
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=hidden * 8 // 3,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        tie_word_embeddings=True,
    )
    bare = LlamaForCausalLM(config)
    n = sum(p.numel() for p in bare.parameters())
    model = prepared(Loaded(bare, None), settings)
    rng = random.Random(0)

    def ids(length: int) -> tuple[int, ...]:
        return tuple(rng.randrange(VOCABULARY) for _ in range(length))

    groups = [Group(f"p{i}", ids(90), (ids(166),), (True,), (1.0,), (), (False,)) for i in range(32)]
    ready, steps = [Referenced(g, (0.0,)) for g in groups], [list(range(32))]
    objective = Objective(nll.loss, LossSettings())
    with tempfile.TemporaryDirectory() as scratch:
        train(Training(model, settings, ready, steps, objective), Path(scratch), Silent(), lambda **_: None)
    planned = memory_gb(settings, ModelSize(n, hidden, layers, VOCABULARY, tied=True))
    assert planned is not None
    took = resident("VmHWM") - before
    inside = planned.low <= took <= planned.high
    return {"case": case, "measured_gb": round(took, 2), "planned_gb": [round(x, 2) for x in planned], "inside": inside}


def options(parser: argparse.ArgumentParser) -> None:
    """The model's size and the cases; one case here is how they are run."""
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--here", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Run every case in its own process."""
    if args.here:
        return measure(args.here, args.hidden, args.layers)
    sizes = ["--hidden", str(args.hidden), "--layers", str(args.layers)]
    rows = []
    for case in args.only:
        given_back = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # freed tensors leave the process at once
        rows.append(figures_of(__file__, *sizes, "--here", case, env=given_back))
        low, high = rows[-1]["planned_gb"]
        print(f"{case}: measured {rows[-1]['measured_gb']:.2f} GB, planned {low:.2f} to {high:.2f}", flush=True)
    return {"cases": rows, "inside": sum(r["inside"] for r in rows)}


if __name__ == "__main__":
    report(__doc__, options, run)
