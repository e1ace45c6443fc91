"""Every answer of an evaluation as rows: what was asked, what was said, what the judge made of it. Pure: records in, rows out.

In → a model's name, its sealed evaluation and the benchmarks it was asked; out → one row an answer, greedy (draw 0) first.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from orcamath.export.places import write_lines, write_parquet
from orcamath.records import Problem, Scored
from orcamath.store.artifacts import Artifact

__all__ = ["answer_rows", "write_answers"]

_COUNTS = ("draw", "n_tokens")
_COLUMNS = (
    "model",
    "benchmark",
    "problem_id",
    "question",
    "options",
    "gold",
    "draw",
    "response",
    "final_answer",
    "outcome",
    "by",
    "finish_reason",
    "n_tokens",
)
_TYPES = {"options": pa.list_(pa.string()), **dict.fromkeys(_COUNTS, pa.int64())}
_ANSWERS = pa.schema([(name, _TYPES.get(name, pa.string())) for name in _COLUMNS])


def answer_rows(model: str, scored: Artifact, tests: Artifact) -> Iterator[dict[str, object]]:
    """Yield a model's answers in the benchmarks' order."""
    problems = {p.id: p for p in tests.read(Problem)}
    for row in scored.read(Scored):
        yield {
            "model": model,
            "benchmark": row.benchmark,
            "problem_id": row.problem_id,
            "question": problems[row.problem_id].question,
            "options": list(problems[row.problem_id].options),
            "gold": row.gold,
            "draw": row.draw,
            "response": row.text,
            "final_answer": row.final_answer,
            "outcome": row.outcome,
            "by": row.by,
            "finish_reason": row.finish_reason,
            "n_tokens": row.n_tokens,
        }


def write_answers(rows: Iterable[Mapping[str, object]], path: Path, *, parquet: bool) -> int:
    """Write answers as Parquet or JSON Lines; returns how many."""
    return write_parquet(rows, path, _ANSWERS) if parquet else write_lines(rows, path)
