"""Drawings that take several rows at once: score against trained tokens, votes and samples, the growth of the data.

In: `Results`. Out: SVG, empty where there is nothing to draw.
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from orcamath.intervals import Interval
from orcamath.report.fold import Results
from orcamath.report.rows import ResultRow
from orcamath.report.ways import Trail, flow, trails
from orcamath.scoring.facts import Several

__all__ = ["Paths", "growth", "paths"]

SEVERAL: tuple[tuple[Several, str], ...] = (
    ("pass", "pass@k: right in at least one of k samples"),
    ("maj", "maj@k: what most of k samples say"),
)


class Paths(NamedTuple):
    """One benchmark."""

    benchmark: str
    tokens: Markup
    """Score against trained tokens, M0 … M3."""
    samples: tuple[tuple[str, Markup], ...]
    """(what, its curves against k)."""


def paths(results: Results) -> list[Paths]:
    """Draw every benchmark that was measured."""
    found = []
    for i, benchmark in enumerate(dict.fromkeys(r.benchmark for r in results.rows)):
        rows = [r for r in results.rows if r.benchmark == benchmark]
        several = tuple(
            (what, drawn) for kind, what in SEVERAL if (drawn := _of_samples(f"{kind}{i}", kind, what, rows))
        )
        found.append(Paths(benchmark, _against_tokens(f"tokens{i}", benchmark, rows), several))
    return found


def _against_tokens(name: str, benchmark: str, rows: Sequence[ResultRow]) -> Markup:
    early = [r for r in rows if not r.arm and r.iteration <= 1 and r.model in {"M0", "M1"}]
    arms: dict[str, list[ResultRow]] = {}
    for row in rows:
        if row.iteration > 1 or row.arm:
            arms.setdefault(row.arm or row.name, []).append(row)
    of_base = [r for r in early if r.model == "M0"]
    drawn = []
    series = {
        name: i for i, name in enumerate(dict.fromkeys(r.name for r in rows))
    }  # an arm's colour is its colour in the table
    for arm, own in arms.items():
        before = of_base if any(r.iteration == 1 for r in own) else early
        points = sorted(before + own, key=lambda r: r.trained_tokens)
        drawn.append(Trail(arm, [_point(r.trained_tokens, r.score) for r in points], series[own[0].name]))
    if not drawn and len(early) > 1:
        drawn = [Trail("imitate the teacher", [_point(r.trained_tokens, r.score) for r in early])]
    about = "; ".join(f"{t.label}: " + ", ".join(f"{p[1]:.1f} at {p[0]:,.0f}" for p in t.points) for t in drawn)
    return trails(name, f"{benchmark}: score against trained tokens", about, drawn, x_unit="tokens trained")


def _of_samples(name: str, kind: Several, what: str, rows: Sequence[ResultRow]) -> Markup:
    drawn: list[Trail] = []
    series = {name: i for i, name in enumerate(dict.fromkeys(r.name for r in rows))}
    last = {r.name: r for r in rows}
    for row in last.values():
        found = sorted(row.measures.several(kind).items(), key=lambda item: int(item[0]))
        points = [_point(int(k), v.interval or Interval(v.score, v.score, v.score)) for k, v in found]
        if points:
            drawn.append(Trail(f"{row.name} · {row.model}", points, series[row.name]))
    about = "; ".join(f"{t.label}: " + ", ".join(f"{p[1]:.1f} at k = {p[0]:.0f}" for p in t.points) for t in drawn)
    return trails(name, what, about, drawn, x_unit="k, samples a problem")


def _point(x: float, share: Interval) -> tuple[float, float, float, float]:
    return x, 100 * share.point, 100 * share.low, 100 * share.high


def growth(results: Results) -> Markup:
    """Draw how many problems of each origin were written, stayed after the duplicate search, were taught, became lessons."""
    columns = ["written", "no duplicate", "taught", "in the lessons"]
    searched = any(o.collected for o in results.origins)
    bands = [
        (o.origin, (o.problems, o.collected if searched else o.problems, o.taught, o.trained_on))
        for o in results.origins
    ]
    about = "; ".join(
        f"{band}: " + ", ".join(f"{n} {c}" for n, c in zip(counts, columns, strict=True)) for band, counts in bands
    )
    return flow("growth", "From seeds to lessons, by origin", about, columns, bands)
