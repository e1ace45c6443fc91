"""Plots as inline SVG, drawn by small pure functions: numbers and labels in, markup out. No script, no outside file.

Colours and fonts are the page's (CSS classes `s0` … `s7`, so dark mode needs no second drawing). Every drawing carries a
title and a description for those who do not see it; every label goes through `visible` and is escaped.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from orcamath.report.svg import at_tenth, figure, gridline, padded, ruled_line, short, svg, text, ticks
from orcamath.visible import visible

__all__ = ["Lane", "Line", "bars", "intervals", "lines", "smoothed", "thinned"]

LANE, TOP = 26, 14
MAX_POINTS = 160


class Lane(NamedTuple):
    """One dot with whiskers."""

    label: str
    point: float
    low: float
    high: float
    series: int = 0
    strong: bool = True
    """False draws it hollow: its interval holds the reference value."""
    seeds: tuple[float, ...] = ()
    """Single seeds that the point averages: small ticks on the whisker."""


class Line(NamedTuple):
    """One curve; x rises."""

    label: str
    points: Sequence[tuple[float, float]]
    series: int = 0
    dashed: bool = False
    raw: Sequence[tuple[float, float]] = ()
    """Drawn faintly behind: what the curve smooths."""


def thinned(points: Sequence[tuple[float, float]], limit: int = MAX_POINTS) -> list[tuple[float, float]]:
    """Average neighbours so that at most `limit` points stay; values that are not finite are left out."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(finite) <= limit:
        return finite
    edges = [len(finite) * i // limit for i in range(limit + 1)]
    groups = [finite[a:b] for a, b in pairwise(edges)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def smoothed(points: Sequence[tuple[float, float]], share: float = 0.08) -> list[tuple[float, float]]:
    """Average each point with its neighbours, `share` of the curve in all; ends see fewer. Not finite ones are left out."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    half = max(1, round(len(finite) * share / 2))
    windows = (finite[max(0, i - half) : i + half + 1] for i in range(len(finite)))
    return [(x, sum(y for _, y in w) / len(w)) for (x, _), w in zip(finite, windows, strict=True)]


def intervals(
    name: str, title: str, about: str, lanes: Sequence[Lane], *, unit: str = "%", reference: float | None = None
) -> Markup:
    """Draw points with whiskers, one a lane, on one axis in `unit`; `reference` is a dashed line to compare with.

    `name` is the id that the title is found under; it must be the only one on the page.
    """
    if not lanes:
        return Markup("")
    ends = [v for lane in lanes for v in (lane.low, lane.high, *lane.seeds)] + (
        [] if reference is None else [reference]
    )
    low, high = padded(min(ends), max(ends))
    left, width = 296, 1080
    height = TOP + LANE * len(lanes) + 40

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - 24)

    parts = [gridline(x(t), TOP - 6, height - 34, figure(t)) for t in ticks(low, high, 8)]
    if reference is not None:
        parts.append(
            Markup('<line class="ref" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
                at_tenth(x(reference)), TOP - 6, height - 34
            )
        )
    for i, lane in enumerate(lanes):
        parts.append(_lane(lane, TOP + LANE * i + LANE / 2, left, x, unit))
    parts.append(text((left + width) / 2, height - 4, unit, "axis", "middle"))
    return svg(name, title, about, width, height, parts)


def _lane(lane: Lane, y: float, left: float, x: Callable[[float], float], unit: str) -> Markup:
    words = f"{lane.label}: {lane.point:.1f} [{lane.low:.1f}, {lane.high:.1f}] {unit}"
    whisker = Markup(
        '<line class="whisker s{0}" x1="{1}" x2="{2}" y1="{3}" y2="{3}"/>'
        '<path class="whisker s{0}" d="M{1} {4}v8M{2} {4}v8"/>'
    ).format(lane.series % 8, at_tenth(x(lane.low)), at_tenth(x(lane.high)), at_tenth(y), at_tenth(y - 4))
    dot = Markup('<circle class="{} s{}" cx="{}" cy="{}" r="5"/>').format(
        "dot" if lane.strong else "dot hollow", lane.series % 8, at_tenth(x(lane.point)), at_tenth(y)
    )
    if lane.seeds:
        words += "; seeds " + ", ".join(f"{seed:.1f}" for seed in lane.seeds)
        ticked = "".join(f"M{at_tenth(x(seed))} {at_tenth(y - 7)}v14" for seed in lane.seeds)
        whisker += Markup('<path class="whisker s{}" d="{}"/>').format(lane.series % 8, ticked)
    label = text(left - 14, y + 4, short(lane.label), "label", "end")
    return Markup("<g><title>{}</title>{}{}{}</g>").format(visible(words), label, whisker, dot)


def lines(name: str, title: str, about: str, curves: Sequence[Line]) -> Markup:
    """Draw curves over training steps. Empty where no point is finite."""
    drawn = [c._replace(points=thinned(c.points), raw=thinned(c.raw)) for c in curves]
    everything = [p for c in drawn for p in (*c.points, *c.raw)]
    if not everything:
        return Markup("")
    width, height, left, bottom = 360, 210, 58, 34
    xs = [p[0] for p in everything]
    x0, x1 = min(xs), max(xs)
    y0, y1 = padded(min(p[1] for p in everything), max(p[1] for p in everything))

    def x(value: float) -> float:
        return left + (value - x0) / max(x1 - x0, 1e-9) * (width - left - 12)

    def y(value: float) -> float:
        return height - bottom - (value - y0) / (y1 - y0) * (height - bottom - 26)

    parts = [ruled_line(y(t), left, width - 12, figure(t)) for t in ticks(y0, y1)]
    parts += [text(x(t), height - bottom + 15, f"{t:,.0f}", "tick", "middle") for t in ticks(x0, x1, 4)]
    parts.append(text((left + width) / 2, height - 3, "step", "axis", "middle"))
    for curve in drawn:
        if len(curve.points) == 1:  # a path of one point cannot be seen
            parts.append(
                Markup('<circle class="dot s{}" cx="{}" cy="{}" r="2"/>').format(
                    curve.series % 8, at_tenth(x(curve.points[0][0])), at_tenth(y(curve.points[0][1]))
                )
            )
        for points, kind in ((curve.raw, " raw"), (curve.points, " dashed" if curve.dashed else "")):
            path = "M" + "L".join(f"{at_tenth(x(a))} {at_tenth(y(b))}" for a, b in points)
            if points:
                parts.append(
                    Markup('<path class="curve s{}{}" d="{}"><title>{}</title></path>').format(
                        curve.series % 8, kind, path, visible(curve.label)
                    )
                )
    return svg(name, title, about, width, height, parts)


def bars(
    name: str,
    title: str,
    about: str,
    groups: Sequence[tuple[str, Sequence[tuple[str, int]]]],
    *,
    series: Sequence[int] = range(8),
    stacked: bool = False,
) -> Markup:
    """Draw counts as horizontal bars: beneath each other in a group, or end to end (`stacked`, each group to its own sum)."""
    if not any(n for _, counts in groups for _, n in counts):
        return Markup("")
    left, width = 296, 1080
    room = width - left - 84
    bar = 16 if stacked else 12
    high = max(sum(n for _, n in c) if stacked else max((n for _, n in c), default=0) for _, c in groups)
    parts, y = [], float(TOP - 8)
    for label, counts in groups:
        tall = bar if stacked else bar * len(counts)
        parts.append(text(left - 14, y + tall / 2 + 4, short(label), "label", "end"))
        at, whole = float(left), max(1, sum(n for _, n in counts))
        for i, (what, n) in enumerate(counts):
            size = room * n / (whole if stacked else max(high, 1))
            words = f"{label}, {what}: {n:,}" + (f" ({100 * n / whole:.1f} %)" if stacked else "")
            parts.append(_bar(at, y, size, bar - 2, series[i], words))
            if stacked:
                at += size
            else:
                parts.append(text(left + size + 6, y + 9, f"{n:,}", "tick", "start"))
                y += bar
        if stacked:
            parts.append(text(left + room + 8, y + 12, f"{whole:,}", "tick", "start"))
            y += bar
        y += 12
    return svg(name, title, about, width, int(y) + 2, parts)


def _bar(x: float, y: float, width: float, height: float, series: int, words: str) -> Markup:
    return Markup('<rect class="bar s{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
        series % 8, at_tenth(x), at_tenth(y), at_tenth(width), at_tenth(height), visible(words)
    )
