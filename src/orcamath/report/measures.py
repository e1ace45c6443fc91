"""The columns beside a score: string matches, votes and samples, answers that show their working, scores by level.

In: what evaluations say of a benchmark (`stages.evaluate`). Out: heading → the words that stand in a row's cell. The page and the
terminal show the same ones.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orcamath.intervals import Interval

__all__ = ["Columns", "levels", "measures", "percent"]

Columns = dict[str, Callable[[Mapping[str, Any]], str]]


def percent(share: Interval, *, signed: bool = False) -> str:
    """Write a share with its limits, in percent; `signed` for a difference."""
    form = "+.1f" if signed else ".1f"
    return f"{100 * share.point:{form}} [{100 * share.low:{form}}, {100 * share.high:{form}}]"


def measures(found: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the columns of the second table; those that no row has anything for are left out."""
    columns: Columns = {
        "judged": _share, "strict match": lambda m: _share(m.get("strict")), "last number": lambda m: _share(m.get("flexible")),
    }  # fmt: skip
    for what in ("maj", "pass"):
        for k in dict.fromkeys(k for m in found for k in m.get(what) or {}):
            heading = "mean of samples" if (what, k) == ("pass", "1") else f"{what}@{k}"
            if (what, k) != ("maj", "1"):
                columns[heading] = lambda m, what=what, k=k: _share((m.get(what) or {}).get(k))  # type: ignore[misc]
    for key, of in (("working", ""), ("sampled_working", " (samples)")):
        if any(key in m for m in found):
            for part, words in (("share", "worked"), ("right_when_worked", "right when worked")):
                columns[words + of] = lambda m, key=key, part=part: _plain((m.get(key) or {}).get(part))  # type: ignore[misc]
    columns["tokens an answer"] = lambda m: f"{m['tokens_per_answer']:,.1f}" if "tokens_per_answer" in m else "–"
    columns["cut off"] = lambda m: f"{100 * m['truncated']:.1f} %" if "truncated" in m else "–"
    return columns


def levels(found: Sequence[Mapping[str, Any]]) -> Columns:
    """Return a column a level, greedy answers right; none where a benchmark has no levels."""
    names = sorted({level for m in found for level in m.get("levels") or {}})
    return {
        name: lambda m, name=name: _plain(((m.get("levels") or {}).get(name) or {}).get("score"))  # type: ignore[misc]
        for name in names
    }


def _share(found: Mapping[str, Any] | None) -> str:
    if found is None or "score" not in found:
        return "–"
    if not {"low", "high"} <= found.keys():  # a mean over seeds
        return _plain(found["score"])
    return percent(Interval(found["score"], found["low"], found["high"]))


def _plain(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"
