"""Drawings of ways: where arms went (points with whiskers, joined), and how much flows from column to column.

In: numbers and labels. Out: SVG markup. Colours and fonts are the page's, as in `plot`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from orcamath.report.svg import at_tenth, figure, padded, ruled_line, short, svg, text, ticks
from orcamath.visible import visible

__all__ = ["Trail", "flow", "trails"]


class Trail(NamedTuple):
    """A few points with whiskers, joined: where one arm went."""

    label: str
    points: Sequence[tuple[float, float, float, float]]
    """(x, y, low, high); x rises."""
    series: int = 0


def trails(
    name: str, title: str, about: str, drawn: Sequence[Trail], *, x_unit: str, y_unit: str = "% right"
) -> Markup:
    """Draw where arms went: points with whiskers, joined, each arm with a mark of its own shape and its name at its end."""
    everything = [p for t in drawn for p in t.points]
    if len({p[0] for p in everything}) < 2:
        return Markup("")
    width, height, left, right, bottom = 1080, 320, 58, 300, 40
    x0, x1 = min(p[0] for p in everything), max(p[0] for p in everything)
    y0, y1 = padded(min(p[2] for p in everything), max(p[3] for p in everything))

    def x(value: float) -> float:
        return left + 24 + (value - x0) / (x1 - x0) * (width - left - right - 24)

    def y(value: float) -> float:
        return height - bottom - (value - y0) / (y1 - y0) * (height - bottom - 14)

    parts = [ruled_line(y(t), left, width - right, figure(t)) for t in ticks(y0, y1)]
    parts += [text(x(t), height - bottom + 16, f"{t:,.0f}", "tick", "middle") for t in ticks(x0, x1, 5)]
    parts.append(text((left + width - right) / 2, height - 5, f"{x_unit} (across), {y_unit} (up)", "axis", "middle"))
    names = sorted(((y(t.points[-1][1]), t) for t in drawn), key=lambda found: found[0])
    last = -math.inf
    for at, trail in names:
        last = max(at, last + 15)
        parts.append(
            text(x(trail.points[-1][0]) + 12 + 2.5 * len(drawn), last + 4, short(trail.label), "label", "start")
        )
    for i, trail in enumerate(drawn):
        s, aside = trail.series % 8, 5 * (i - (len(drawn) - 1) / 2)  # whiskers at one place stand side by side
        path = "M" + "L".join(f"{at_tenth(x(p[0]) + aside)} {at_tenth(y(p[1]))}" for p in trail.points)
        parts.append(Markup('<path class="curve s{}" d="{}"/>').format(s, path))
        for at, point, low, high in trail.points:
            words = f"{trail.label}, {x_unit} {at:,.0f}: {point:.1f} [{low:.1f}, {high:.1f}] {y_unit}"
            whisker = f"M{at_tenth(x(at) + aside)} {at_tenth(y(low))}V{at_tenth(y(high))}"
            shape = Markup('<path class="whisker s{}" d="{}"/><path class="dot s{}" d="{}"/>').format(
                s, whisker, s, _mark(trail.series, x(at) + aside, y(point))
            )
            parts.append(Markup("<g><title>{}</title>{}</g>").format(visible(words), shape))
    return svg(name, title, about, width, height, parts)


def _mark(series: int, x: float, y: float) -> str:
    """Return the path of a circle, square, triangle or diamond: who sees no colours tells arms apart by it."""
    shapes = (
        "M{0} {1}m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0",
        "M{0} {1}m-4 -4h8v8h-8z",
        "M{0} {1}m0 -5.5l5 9h-10z",
        "M{0} {1}m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
    )
    return shapes[series % len(shapes)].format(at_tenth(x), at_tenth(y))


def flow(
    name: str, title: str, about: str, columns: Sequence[str], bands: Sequence[tuple[str, Sequence[int]]]
) -> Markup:
    """Draw how many of each band pass from column to column: a ribbon a band, as thick as what is left of it."""
    most = max((sum(n[i] for _, n in bands) for i in range(len(columns))), default=0)
    if not most:
        return Markup("")
    width, left, right, top, gap, tall = 1080, 180, 120, 34, 10, 190
    step = (width - left - right) / max(1, len(columns) - 1)
    scale = tall / most
    parts, tops = [], {}
    for i, column in enumerate(columns):
        at = float(top)
        parts.append(text(left + i * step, 18, f"{column}: {sum(n[i] for _, n in bands):,}", "label", "middle"))
        for band, n in bands:
            tops[band, i] = at
            at += n[i] * scale + gap
    for s, (band, n) in enumerate(bands):
        for i in range(len(columns) - 1):
            x0, x1, a, b = left + i * step, left + (i + 1) * step, tops[band, i], tops[band, i + 1]
            half = (x0 + x1) / 2
            below, then = a + n[i] * scale, b + n[i + 1] * scale
            path = "M{x0} {a}C{half} {a} {half} {b} {x1} {b}V{then}C{half} {then} {half} {below} {x0} {below}Z".format(
                **{
                    k: at_tenth(v)
                    for k, v in {"x0": x0, "x1": x1, "a": a, "b": b, "half": half, "below": below, "then": then}.items()
                }
            )
            words = f"{band}: {n[i]:,} {columns[i]}, {n[i + 1]:,} {columns[i + 1]}"
            parts.append(
                Markup('<path class="bar ribbon s{}" d="{}"><title>{}</title></path>').format(
                    s % 8, path, visible(words)
                )
            )
        parts.append(text(left - 12, tops[band, 0] + n[0] * scale / 2 + 4, short(band, 24), "label", "end"))
        parts += [
            text(left + i * step + 6, tops[band, i] + n[i] * scale / 2 + 4, f"{n[i]:,}", "label", "start")
            for i in range(len(columns))
        ]
    return svg(name, title, about, width, top + tall + gap * len(bands) + 8, parts)
