"""Preference sets as files that TRL reads: pairs, or unpaired and shuffled responses (JSON lines).

TRL's KTOTrainer estimates its KL from the neighbouring row of a batch. Rows of one problem that stand together would give it
responses to the *same* question, silently; so the unpaired file is shuffled, by hash, and keeps equal problems apart.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from orcamath.records import Preference, digest

__all__ = ["paired_rows", "unpaired_rows", "write_pairs"]


def _turn(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def paired_rows(preferences: Iterable[Preference]) -> Iterator[dict[str, Any]]:
    """Yield one conversational row a pair: `prompt`, `chosen`, `rejected`; the pairs that are chosen, or the whole product."""
    for p in preferences:
        chosen = p.pairs
        if chosen is None:
            chosen = tuple((i, j) for i in range(len(p.positives)) for j in range(len(p.negatives)))
        for i, j in chosen:
            yield {
                "prompt": _turn("user", p.question), "chosen": _turn("assistant", p.positives[i].text),
                "rejected": _turn("assistant", p.negatives[j].text),
            }  # fmt: skip


def unpaired_rows(preferences: Iterable[Preference], seed: int = 0) -> list[dict[str, Any]]:
    """Return one row a response, `prompt`, `completion`, `label`, shuffled so that neighbours are of different problems.

    Where one problem has most of the rows that cannot be, and its last rows stand together.
    """
    rows = []
    for p in preferences:
        for label, side in ((True, p.positives), (False, p.negatives)):
            for i, r in enumerate(side):
                row = {"prompt": _turn("user", p.question), "completion": _turn("assistant", r.text), "label": label}
                rows.append((digest(seed, p.problem_id, label, i), p.problem_id, row))
    rows.sort(key=lambda entry: entry[0])
    return _apart([(problem, row) for _, problem, row in rows])


def _apart(rows: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Take rows in order, but hold back one that would follow another of its problem until a stranger has come."""
    out: list[dict[str, Any]] = []
    last, held = "", list[tuple[str, dict[str, Any]]]()
    for entry in rows:
        held.append(entry)
        while (k := next((k for k, (problem, _) in enumerate(held) if problem != last), None)) is not None:
            last, row = held.pop(k)
            out.append(row)
    return out + [row for _, row in held]


def write_pairs(
    path: Path, preferences: Iterable[Preference], form: Literal["paired", "unpaired"], seed: int = 0
) -> int:
    """Write a JSON-lines file in TRL's `preference` or `unpaired preference` format; returns the number of rows."""
    n = 0
    with path.open("w", encoding="utf-8") as f:
        for row in paired_rows(preferences) if form == "paired" else unpaired_rows(preferences, seed):
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
            n += 1
    return n
