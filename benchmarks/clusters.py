"""Near-duplicate clusters of the real sets: overlaps, and precision and recall of the sketches against exact Jaccard.

    ORCAMATH_TEST_DATA=DIR python benchmarks/clusters.py

DIR/original holds the authors' files. The exact comparison is over all pairs but MathQA's (15,676 problems).
"""

import argparse
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from figures import report
from orcamath.families import find
from orcamath.records import Problem, Rejected
from orcamath.sources.clusters import NEAR, Sketches, near_pairs, shingles
from orcamath.sources.source import SourceSettings, Unsplit

SETS = ("gsm8k", "svamp", "asdiv", "addsub", "multiarith", "singleeq", "singleop", "draw", "alg514", "mathqa")
FILES = {"svamp": "SVAMP.json.gz", "asdiv": "ASDiv.xml.gz"}


def options(parser: argparse.ArgumentParser) -> None:
    """Which sets."""
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS)


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Read, cluster, compare."""
    folder = Path(os.environ["ORCAMATH_TEST_DATA"]) / "original"
    began = time.perf_counter()
    sketches, some, problems = Sketches(), Sketches(), list[Problem]()
    for name in args.sets:
        for found in find("source", name).read(SourceSettings(name=name, path=str(folder / FILES.get(name, "")))):
            assert not isinstance(found, Rejected)
            problem, split = (found.problem, None) if isinstance(found, Unsplit) else (found, found.split)
            sketches.add(problem, split)
            problems.append(problem)
            if name != "mathqa":
                some.add(problem, split)
    clusters = sketches.cluster()
    sketched_s = round(time.perf_counter() - began, 1)  # most of them twice
    dev = {n for p, n in zip(problems, clusters.names, strict=True) if (p.source, p.split) == ("mathqa", "dev")}
    twins = sum(
        n in dev for p, n in zip(problems, clusters.names, strict=True) if (p.source, p.split) == ("mathqa", "test")
    )
    found_pairs = {(min(a, b), max(a, b)) for a, b in near_pairs(some)}
    exact = exact_pairs([p.question for p in problems if p.source != "mathqa"])
    near = {pair for pair, j in exact.items() if j >= NEAR}
    loose, tight = ({p for p, j in exact.items() if j >= t} for t in (NEAR - 0.1, NEAR + 0.1))

    def share(part: set[tuple[int, int]], whole: set[tuple[int, int]]) -> float | None:
        return round(len(part & whole) / len(whole), 4) if whole else None

    return {
        "problems": len(problems),
        "sketched_s": sketched_s,
        "clusters": len(set(clusters.names.tolist())),
        "largest": Counter(clusters.names.tolist()).most_common(3),
        "overlap": clusters.overlap,
        "mathqa_test_with_twin_in_dev": twins,
        "near": NEAR,
        "pairs": len(near),
        "pairs_found": len(found_pairs),
        "precision": share(near, found_pairs),
        "recall": share(found_pairs, near),
        "precision_a_tenth_lower": share(loose, found_pairs),
        "recall_a_tenth_higher": share(found_pairs, tight),
    }


def exact_pairs(texts: list[str], least: float = 0.5) -> dict[tuple[int, int], float]:
    """Return the pairs whose shingles' Jaccard is `least` or more, by sparse products."""
    sets = [shingles(t) for t in texts]
    words: dict[str, int] = {}
    where = [(i, words.setdefault(s, len(words))) for i, found in enumerate(sets) for s in found]
    rows, columns = np.array(where).T
    table = csr_matrix((np.ones(len(where), np.int32), (rows, columns)), shape=(len(sets), len(words)))
    sizes = np.array([len(s) for s in sets])
    pairs: dict[tuple[int, int], float] = {}
    for start in range(0, len(sets), 500):
        block = (table[start : start + 500] @ table.T).tocoo()
        left, right, shared = block.row + start, block.col, block.data
        jaccard = shared / (sizes[left] + sizes[right] - shared)
        for k in np.flatnonzero((left < right) & (jaccard >= least)):
            pairs[int(left[k]), int(right[k])] = float(jaccard[k])
    return pairs


if __name__ == "__main__":
    report(__doc__, options, measure)
