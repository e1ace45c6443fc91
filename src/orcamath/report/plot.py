"""Plots as inline SVG, drawn by small pure functions: numbers and labels in, markup out. No script, no outside file.

Colours and fonts are the page's (CSS classes `s0` … `s7`, so dark mode needs no second drawing). Every drawing carries a
title and a description for those who do not see it; every label goes through `visible` and is escaped.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup, escape

from orcamath.report.visible import visible

__all__ = ["Lane", "Line", "bars", "intervals", "lines", "thinned", "ticks"]

LANE, TOP = 26, 14
LABEL_CHARS = 38
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


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Return round values (1, 2 or 5 times a power of ten) inside [low, high], roughly `about` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) + 0.0 for i in range(first, math.floor(high / step + 1e-9) + 1)]


def thinned(points: Sequence[tuple[float, float]], limit: int = MAX_POINTS) -> list[tuple[float, float]]:
    """Average neighbours so that at most `limit` points stay; values that are not finite are left out."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(finite) <= limit:
        return finite
    edges = [len(finite) * i // limit for i in range(limit + 1)]
    groups = [finite[a:b] for a, b in pairwise(edges)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


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
    low, high = _padded(min(ends), max(ends))
    left, width = 296, 1080
    height = TOP + LANE * len(lanes) + 40

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - 24)

    parts = [_gridline(x(t), TOP - 6, height - 34, _number(t)) for t in ticks(low, high, 8)]
    if reference is not None:
        parts.append(Markup('<line class="ref" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
            _n(x(reference)), TOP - 6, height - 34))  # fmt: skip
    for i, lane in enumerate(lanes):
        parts.append(_lane(lane, TOP + LANE * i + LANE / 2, left, x, unit))
    parts.append(_text((left + width) / 2, height - 4, unit, "axis", "middle"))
    return _svg(name, title, about, width, height, parts)


def _lane(lane: Lane, y: float, left: float, x: Callable[[float], float], unit: str) -> Markup:
    words = f"{lane.label}: {lane.point:.1f} [{lane.low:.1f}, {lane.high:.1f}] {unit}"
    whisker = Markup(
        '<line class="whisker s{0}" x1="{1}" x2="{2}" y1="{3}" y2="{3}"/>'
        '<path class="whisker s{0}" d="M{1} {4}v8M{2} {4}v8"/>'
    ).format(lane.series % 8, _n(x(lane.low)), _n(x(lane.high)), _n(y), _n(y - 4))
    dot = Markup('<circle class="{} s{}" cx="{}" cy="{}" r="5"/>').format(
        "dot" if lane.strong else "dot hollow", lane.series % 8, _n(x(lane.point)), _n(y)
    )
    if lane.seeds:
        words += "; seeds " + ", ".join(f"{seed:.1f}" for seed in lane.seeds)
        ticked = "".join(f"M{_n(x(seed))} {_n(y - 7)}v14" for seed in lane.seeds)
        whisker += Markup('<path class="whisker s{}" d="{}"/>').format(lane.series % 8, ticked)
    label = _text(left - 14, y + 4, _short(lane.label), "label", "end")
    return Markup("<g><title>{}</title>{}{}{}</g>").format(visible(words), label, whisker, dot)


def lines(
    name: str, title: str, about: str, curves: Sequence[Line], *, breaks: Sequence[tuple[float, str]] = ()
) -> Markup:
    """Draw curves over training steps; `breaks` are labelled borders between stages. Empty where no point is finite."""
    drawn = [Line(c.label, thinned(c.points), c.series) for c in curves]
    everything = [p for c in drawn for p in c.points]
    if not everything:
        return Markup("")
    width, height, left, bottom = 360, 210, 58, 34
    xs = [p[0] for p in everything] + [at for at, _ in breaks]
    x0, x1 = min(xs), max(xs)
    y0, y1 = _padded(min(p[1] for p in everything), max(p[1] for p in everything))

    def x(value: float) -> float:
        return left + (value - x0) / max(x1 - x0, 1e-9) * (width - left - 12)

    def y(value: float) -> float:
        return height - bottom - (value - y0) / (y1 - y0) * (height - bottom - 26)

    parts = [_rule(y(t), left, width - 12, _number(t)) for t in ticks(y0, y1)]
    parts += [_text(x(t), height - bottom + 15, f"{t:,.0f}", "tick", "middle") for t in ticks(x0, x1, 4)]
    parts.append(_text((left + width) / 2, height - 3, "step", "axis", "middle"))
    for at, label in breaks:
        parts.append(
            Markup('<line class="ref" x1="{0}" x2="{0}" y1="20" y2="{1}"/>').format(_n(x(at)), height - bottom)
        )
        near_end = x(at) > 0.8 * width  # its name goes where there is room
        parts.append(_text(x(at) + (-4 if near_end else 4), 29, _short(label), "tick", "end" if near_end else "start"))
    for curve in drawn:
        if len(curve.points) == 1:  # a path of one point cannot be seen
            parts.append(Markup('<circle class="dot s{}" cx="{}" cy="{}" r="2"/>').format(
                curve.series % 8, _n(x(curve.points[0][0])), _n(y(curve.points[0][1]))))  # fmt: skip
        path = "M" + "L".join(f"{_n(x(a))} {_n(y(b))}" for a, b in curve.points) if curve.points else ""
        dashes = " dashed" if curve.series % 2 else ""
        parts.append(Markup('<path class="curve s{}{}" d="{}"><title>{}</title></path>').format(
            curve.series % 8, dashes, path, visible(curve.label)))  # fmt: skip
    return _svg(name, title, about, width, height, parts)


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
        parts.append(_text(left - 14, y + tall / 2 + 4, _short(label), "label", "end"))
        at, whole = float(left), max(1, sum(n for _, n in counts))
        for i, (what, n) in enumerate(counts):
            size = room * n / (whole if stacked else max(high, 1))
            words = f"{label}, {what}: {n:,}" + (f" ({100 * n / whole:.1f} %)" if stacked else "")
            parts.append(_bar(at, y, size, bar - 2, series[i], words))
            if stacked:
                at += size
            else:
                parts.append(_text(left + size + 6, y + 9, f"{n:,}", "tick", "start"))
                y += bar
        if stacked:
            parts.append(_text(left + room + 8, y + 12, f"{whole:,}", "tick", "start"))
            y += bar
        y += 12
    return _svg(name, title, about, width, int(y) + 2, parts)


def _bar(x: float, y: float, width: float, height: float, series: int, words: str) -> Markup:
    return Markup('<rect class="bar s{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
        series % 8, _n(x), _n(y), _n(width), _n(height), visible(words)
    )


def _svg(name: str, title: str, about: str, width: int, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-labelledby="{id}-t {id}-d">'
        '<title id="{id}-t">{title}</title><desc id="{id}-d">{about}</desc>{inside}</svg>'
    ).format(
        w=width, h=_n(height), id=name, title=visible(title), about=visible(about), inside=Markup("\n").join(parts)
    )


def _gridline(x: float, top: float, bottom: float, label: str) -> Markup:
    line = Markup('<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(_n(x), _n(top), _n(bottom))
    return line + _text(x, bottom + 16, label, "tick", "middle")


def _rule(y: float, left: float, right: float, label: str) -> Markup:
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(_n(left), _n(right), y=_n(y))
    return line + _text(left - 6, y + 4, label, "tick", "end")


def _text(x: float, y: float, words: str, kind: str, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, _n(x), _n(y), anchor, escape(visible(words))
    )


def _padded(low: float, high: float) -> tuple[float, float]:
    """Leave room around the data, and some where all of it is one value."""
    room = (high - low) * 0.06 or max(abs(high) * 0.1, 0.5)
    return low - room, high + room


def _short(label: str, limit: int = LABEL_CHARS) -> str:
    return label if len(label) <= limit else label[: limit - 1] + "…"


def _number(value: float) -> str:
    words = f"{abs(value):,.6g}"
    return f"−{words}" if value < 0 else words


def _n(value: float) -> str:
    """Coordinates to a tenth of a pixel, so that the page is small and the same everywhere."""
    return f"{value:.1f}".removesuffix(".0")
