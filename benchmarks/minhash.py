"""MinHash: our numpy kernel one set at a time and in batches, against `rensa` (Rust) where it is installed.

    [ORCAMATH_TEST_DATA=DIR] python benchmarks/minhash.py [--n 20000] [--hashes 64] [--rounds 5]

The sets are pairs of words, as crc32, of the questions of GSM8K's training file, else of the classroom. CPU µs a set, with spread
over rounds; `cpu_ratio` is batches through one at a time. `error` is the mean distance of an estimated Jaccard (share of equal
minima) from the exact one, over pairs of neighbours of which one has lost some of its members.
"""

import argparse
import importlib.util
import random
import time
from collections.abc import Callable
from zlib import crc32

import numpy as np
import numpy.typing as npt

from duplicates import base
from figures import report
from orcamath.sources.clusters import shingles
from orcamath.text.minhash import BATCH, minima

Sets = list[list[int]]


def options(parser: argparse.ArgumentParser) -> None:
    """How many sets, hashes, rounds."""
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--hashes", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Time every way over the same sets, in turn, and compare estimates with exact values."""
    rng = random.Random(0)
    sets: Sets = [[crc32(s.encode()) for s in shingles(text)] for text in base(args.n, rng)]
    dice = np.random.default_rng(0)
    factors = dice.integers(0, 2**63, args.hashes, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = dice.integers(0, 2**63, args.hashes, dtype=np.uint64)

    def ours(some: Sets, batch: int = BATCH) -> npt.NDArray[np.uint64]:
        parts = [minima(some[i : i + batch], factors, offsets) for i in range(0, len(some), batch)]
        return np.concatenate(parts) >> np.uint64(32)

    ways: dict[str, Callable[[Sets], npt.NDArray[np.uint64]]] = {
        "numpy, one at a time": lambda some: ours(some, 1),
        "numpy, batches": ours,
    }
    if importlib.util.find_spec("rensa"):
        from rensa import RMinHash

        def rust(some: Sets) -> npt.NDArray[np.uint64]:
            table = RMinHash.digest_matrix_from_token_hash_sets(some, num_perm=args.hashes, seed=42)
            return np.array(table.to_rows(), np.uint64)

        ways["rensa"] = rust
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            began = time.process_time()
            way(sets)
            spent[name].append((time.process_time() - began) / len(sets) * 1e6)
    fewer = [[x for x in s if rng.random() < 0.8] or s for s in sets]
    exact = np.array([len(b) / len(a) for a, b in zip(sets, fewer, strict=True)])
    return {
        "sets": len(sets),
        "members": round(sum(map(len, sets)) / len(sets), 1),
        "hashes": args.hashes,
        "cpu_us": {
            name: [round(float(np.median(t)), 1), round(min(t), 1), round(max(t), 1)] for name, t in spent.items()
        },
        "cpu_ratio": round(min(spent["numpy, batches"]) / min(spent["numpy, one at a time"]), 3),
        "error": {
            name: round(float(np.abs((way(sets) == way(fewer)).mean(axis=1) - exact).mean()), 4)
            for name, way in ways.items()
        },
    }


if __name__ == "__main__":
    report(__doc__, options, measure)
