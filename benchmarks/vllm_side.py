"""vLLM's side of sampling.py, run by the interpreter of an environment that has vLLM's CPU build; it imports nothing of orcamath.

    ENVIRONMENT/bin/python benchmarks/vllm_side.py JOB.json [--json]

JOB.json: `folder` (weights and tokenizer), `dtype`, `prompts` (lists of ids), `eos`, `max_new`, `rows` (sequences at a time),
`passes`. Prints generated tokens a CPU second of this process, the engine inside it, one thread: the median of the passes after
one that is not counted, in which vLLM compiles and warms up.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path

from figures import report

os.environ |= {
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is sampled."""
    parser.add_argument("job", type=Path, metavar="JOB.json")


def measure(args: argparse.Namespace) -> float:
    """Sample four answers a prompt; returns tokens a CPU second."""
    import torch
    from vllm import LLM, SamplingParams

    job = json.loads(args.job.read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    engine = LLM(
        job["folder"],
        dtype=job["dtype"],
        max_model_len=1024,
        max_num_seqs=job["rows"],
        enable_prefix_caching=False,
        generation_config="vllm",
    )
    drawn = SamplingParams(
        n=4,
        temperature=0.7,
        top_p=0.95,
        max_tokens=job["max_new"],
        stop_token_ids=[job["eos"]],
        seed=0,
        detokenize=False,
    )
    prompts = [{"prompt_token_ids": ids} for ids in job["prompts"]]
    speeds = []
    for _ in range(1 + job["passes"]):
        began = time.process_time()
        made = engine.generate(prompts, drawn, use_tqdm=False)
        n = sum(len(answer.token_ids) for one in made for answer in one.outputs)
        speeds.append(n / (time.process_time() - began))
    return statistics.median(speeds[1:])


if __name__ == "__main__":
    report(__doc__, options, measure)
