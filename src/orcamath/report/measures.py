"""The columns beside a score: string matches, votes and samples, answers that show their working, scores by level.

In: what evaluations say of a benchmark (`stages.evaluate`). Out: heading → the words that stand in a row's cell. The page and the
terminal show the same ones.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from orcamath.intervals import Interval
from orcamath.scoring.facts import BenchmarkFacts, Share, Working

__all__ = ["Columns", "levels", "levels_worked", "measures", "percent", "share_of"]

Words = Callable[[BenchmarkFacts], str]
Columns = dict[str, Words]


def percent(share: Interval, *, signed: bool = False) -> str:
    """Write a share with its limits, in percent; `signed` for a difference."""
    form = "+.1f" if signed else ".1f"
    return f"{100 * share.point:{form}} [{100 * share.low:{form}}, {100 * share.high:{form}}]"


def measures(found: Sequence[BenchmarkFacts], *, limits: bool = True) -> Columns:
    """Return the columns of the second table, with their `limits` or without; those that no row has anything for are left out."""
    columns: Columns = {
        "judged": lambda m: share_of(m, limits=limits),
        "strict match": lambda m: share_of(m.strict, limits=limits),
        "last number": lambda m: share_of(m.flexible, limits=limits),
    }
    for kind in _SAMPLED:
        for k in dict.fromkeys(k for m in found for k in m.several(kind)):
            heading = "mean of samples" if (kind, k) == ("pass", "1") else f"{kind}@{k}"
            if (kind, k) != ("maj", "1"):
                columns[heading] = _at(kind, k, limits=limits)
    if any(m.n_sampled not in (0, m.n) for m in found):
        columns["problems sampled"] = lambda m: f"{m.n_sampled:,}" if m.n_sampled else "–"
    for worked, of in ((_greedy, ""), (_of_samples, " (samples)")):
        if any(worked(m) for m in found):
            columns["worked" + of] = _shown(worked)
            columns["right when worked" + of] = _right(worked)
    columns["tokens an answer"] = lambda m: "–" if m.tokens_per_answer is None else f"{m.tokens_per_answer:,.1f}"
    columns["cut off"] = lambda m: "–" if m.truncated is None else f"{100 * m.truncated:.1f} %"
    return columns


def levels(found: Sequence[BenchmarkFacts]) -> Columns:
    """Return a column a level, greedy answers right; none where a benchmark has no levels."""
    return {name: _level(name) for name in sorted({level for m in found for level in m.levels})}


def levels_worked(found: Sequence[BenchmarkFacts]) -> Columns:
    """Return a column a level: greedy answers that show their working / right among these; none where nothing says so."""
    said = {name for m in found for name, level in m.levels.items() if level.working is not None}
    return {name: _level_worked(name) for name in sorted(said)}


def share_of(found: Share | None, *, limits: bool = True) -> str:
    """Write a share in percent, with its limits where it has some and they are wanted; a dash where there is none."""
    if found is None or not found.model_fields_set:
        return "–"
    return percent(found.interval) if limits and found.interval is not None else _plain(found.score)


_SAMPLED: tuple[Literal["maj", "pass"], ...] = ("maj", "pass")


def _at(kind: Literal["maj", "pass"], k: str, *, limits: bool) -> Words:
    return lambda m: share_of(m.several(kind).get(k), limits=limits)


def _greedy(m: BenchmarkFacts) -> Working | None:
    return m.working


def _of_samples(m: BenchmarkFacts) -> Working | None:
    return m.sampled_working


def _shown(worked: Callable[[BenchmarkFacts], Working | None]) -> Words:
    return lambda m: _plain(None if (found := worked(m)) is None else found.share)


def _right(worked: Callable[[BenchmarkFacts], Working | None]) -> Words:
    return lambda m: _plain(None if (found := worked(m)) is None else found.right_when_worked)


def _level(name: str) -> Words:
    return lambda m: _plain(m.levels[name].score if name in m.levels else None)


def _level_worked(name: str) -> Words:
    def words(m: BenchmarkFacts) -> str:
        found = m.levels[name].working if name in m.levels else None
        return "–" if found is None else f"{_plain(found.share)} / {_plain(found.right_when_worked)}"

    return words


def _plain(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"
