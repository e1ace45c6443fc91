"""What others published on a benchmark that this run was measured on, beside its own rows: same items, same protocol only."""

from orcamath.evaluate.published import Published, ours, placed, published
from orcamath.report.fold import Results, Row

__all__ = ["beside", "partly_measured"]


def beside(results: Results) -> dict[str, list[Published]]:
    """Return the groups (benchmark, items, protocol) that hold rows of ours and of others, best first."""
    groups = placed([p for row in results.rows if _known(row) for p in _ours(row)])
    return {name: rows for name, rows in groups.items() if not all(r.is_ours for r in rows)}


def partly_measured(results: Results) -> list[str]:
    """Name benchmarks with published rows of which this run measured another number of items: nothing is placed there."""
    whole = {(p.benchmark, p.n_items) for p in published()}
    return list(dict.fromkeys(r.benchmark for r in results.rows if (n := _known(r)) and (n, r.n) not in whole))


def _known(row: Row) -> str | None:
    """Return the name under which the benchmark of a row was published; data sets are named without regard to case."""
    return next((p.benchmark for p in published() if p.benchmark.lower() == row.benchmark.lower()), None)


def _ours(row: Row) -> list[Published]:
    benchmark, name = _known(row) or row.benchmark, f"{row.name} · {row.model}"
    rows = [ours(name, benchmark, row.n, row.score.point)]
    for k, found in (row.measures.get("maj") or {}).items():
        rows.append(ours(name, benchmark, row.n, found["score"], protocol=f"maj@{k}", calls=int(k)))
    return rows
