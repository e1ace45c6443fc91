"""What others published on the same benchmarks (the paper's comparison), and where a score of ours stands among them.

The rows are data (`published.json`): model, size, format, protocol, model calls an answer, score, source. A score is placed
only among rows of its own protocol and number of items: an answer picked from 48 calls is another test than one greedy
answer, and the first 30 problems are another test than all 1,319.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

__all__ = ["Published", "ours", "placed_among", "published"]


class Published(NamedTuple):
    """One row of the comparison."""

    benchmark: str
    n_items: int
    model: str
    size: str
    format: str
    """`natural language`, `code` (the model writes a program that is run), `words and code`, or `not stated`."""
    protocol: str
    """`pass@1` (one greedy answer), `maj@k`, `verifier@k`, …"""
    calls_per_answer: int
    score: float
    """Percent."""
    source: str
    note: str = ""
    is_ours: bool = False


@lru_cache
def published(benchmark: str | None = None) -> tuple[Published, ...]:
    """Return the published rows, of one benchmark or of all."""
    text = (resources.files(__package__) / "published.json").read_text(encoding="utf-8")
    rows = (Published(**row) for row in json.loads(text)["rows"])
    return tuple(row for row in rows if benchmark in (None, row.benchmark))


def ours(
    model: str, benchmark: str, n_items: int, score: float, *, protocol: str = "pass@1", calls: int = 1, size: str = ""
) -> Published:
    """Build a row of our own; `score` is a share in [0, 1], as `evaluate` reports it."""
    return Published(
        benchmark, n_items, model, size, "natural language", protocol, calls, 100 * score, "this run", is_ours=True
    )


def placed_among(rows: Iterable[Published]) -> dict[str, list[Published]]:
    """Put rows of ours among the published ones: group name → rows, best first. Groups are never mixed.

    A group is a benchmark, its number of items and a protocol; it is there only where a row of ours is in it.
    """
    groups: dict[str, list[Published]] = {}
    for row in rows:
        groups.setdefault(_group(row), []).append(row)
    for name, members in groups.items():
        members += [row for row in published() if _group(row) == name]
        members.sort(key=lambda row: (-row.score, row.model))
    return groups


def _group(row: Published) -> str:
    return f"{row.benchmark}, {row.n_items:,} items, {row.protocol}"
