"""Reading and clustering seeds at the paper's size: seconds and peak memory for N problems in one JSON Lines file.

    python benchmarks/sources_at_size.py [N]

Texts are GSM8K-like in length (45 words, drawn from 4,000), a tenth of them near copies of another with other numbers.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from figures import report
from orcamath.sources import file
from orcamath.sources.choosing import SeedsSettings
from orcamath.sources.source import SourceSettings
from orcamath.stages.seeds import gather
from orcamath.store.artifacts import Store


def options(parser: argparse.ArgumentParser) -> None:
    """How many problems."""
    parser.add_argument("n", type=int, nargs="?", default=200_000, metavar="N")


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Make the file, read it both ways."""
    n, found = args.n, {}
    rng = random.Random(0)
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(4_000)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seeds.jsonl"
        last: list[str] = []
        with path.open("w") as out:
            for i in range(n):
                if not last or rng.random() > 0.1:
                    last = [
                        str(rng.randint(2, 99)) if rng.random() < 0.08 else rng.choice(vocabulary) for _ in range(45)
                    ]
                else:
                    last = [str(rng.randint(2, 99)) if w.isdigit() else w for w in last]
                out.write(json.dumps({"question": " ".join(last) + "?", "answer": str(i)}) + "\n")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for clusters in ("exact", "near"):
            settings = SeedsSettings(sources=(SourceSettings(name="file", path=str(path)),), clusters=clusters)
            began = time.perf_counter()
            made = Store(Path(folder) / clusters).stage(
                "seeds", 1, settings, [], lambda o, s=settings: gather(o, s, {"file": file.read})
            )
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            found[clusters] = {
                "problems": made.count("problems"),
                "seconds": round(time.perf_counter() - began, 1),
                "peak_mb": round(peak / 1024),
                "before_mb": round(before / 1024),
            }
    return found


if __name__ == "__main__":
    report(__doc__, options, measure)
