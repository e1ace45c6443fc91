"""What others published on a benchmark that was measured here, beside our own rows: same items, same protocol only."""

from collections.abc import Iterable

from orcamath.report.fold import Results
from orcamath.report.rows import ResultRow
from orcamath.scoring.facts import SEVERAL, BenchmarkFacts
from orcamath.scoring.published import Published, ours, placed_among, published

__all__ = ["beside", "partly_measured", "placed_beside"]


def placed_beside(measured: Iterable[tuple[str, str, BenchmarkFacts]]) -> dict[str, list[Published]]:
    """Return the groups (benchmark, items, protocol) that hold rows of ours and of others, best first.

    `measured`: (model, benchmark, what the evaluation says of it).
    """
    rows = [p for model, benchmark, facts in measured if _known(benchmark) for p in _ours(model, benchmark, facts)]
    return {name: found for name, found in placed_among(rows).items() if not all(r.is_ours for r in found)}


def beside(results: Results) -> dict[str, list[Published]]:
    """Place the rows of a run."""
    return placed_beside(
        (
            f"{row.name} · {row.model}",
            row.benchmark,
            row.measures.model_copy(update={"n": row.n, "score": row.score.point}),
        )
        for row in results.rows
    )


def partly_measured(results: Results) -> list[str]:
    """Name benchmarks with published rows of which this run measured another number of items: nothing is placed there."""
    whole = {(p.benchmark, p.n_items) for p in published()}
    return list(dict.fromkeys(r.benchmark for r in results.rows if not _whole(r, whole)))


def _whole(row: ResultRow, whole: set[tuple[str, int]]) -> bool:
    name = _known(row.benchmark)
    return name is None or (name, row.n) in whole


def _known(benchmark: str) -> str | None:
    """Return the name under which a benchmark was published; data sets are named without regard to case."""
    return next((p.benchmark for p in published() if p.benchmark.lower() == benchmark.lower()), None)


def _ours(model: str, benchmark: str, facts: BenchmarkFacts) -> list[Published]:
    name, n = _known(benchmark) or benchmark, facts.n
    rows = [ours(model, name, n, facts.score)]
    for what in SEVERAL:
        for k, found in facts.several(what).items():
            calls = found.calls_per_answer or int(k)
            rows.append(ours(model, name, n, found.score, protocol=f"{what}@{k}", calls=calls))
    return rows
