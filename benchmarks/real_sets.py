"""GSM8K as its authors wrote it, from the folder that ORCAMATH_TEST_DATA names."""

import gzip
import json
import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["Worked", "gsm8k"]


class Worked(NamedTuple):
    """A problem with its worked solution, and what stands behind the solution's `####`."""

    question: str
    solution: str
    answer: str


def gsm8k(split: str) -> list[Worked]:
    """Return the problems of a split (`train`, `test`) in the file's order; none where the folder does not hold it."""
    folder = os.environ.get("ORCAMATH_TEST_DATA")
    path = Path(folder or ".", "original", f"gsm8k_{split}.jsonl.gz")
    if folder is None or not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [Worked(r["question"], r["answer"], r["answer"].rpartition("####")[2].strip()) for r in rows]
