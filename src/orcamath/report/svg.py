"""The pieces that drawings are made of: a figure with title and description, text, grid lines, round numbers on an axis.

In: numbers and words. Out: SVG markup, every word of it made visible and escaped.
"""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from orcamath.visible import visible

__all__ = ["at_tenth", "figure", "gridline", "padded", "ruled_line", "short", "svg", "text", "ticks"]

LABEL_CHARS = 38


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Return round values (1, 2 or 5 times a power of ten) inside [low, high], roughly `about` (3 or more) of them."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) + 0.0 for i in range(first, math.floor(high / step + 1e-9) + 1)]


def svg(name: str, title: str, about: str, width: int, height: float, parts: Sequence[Markup]) -> Markup:
    """Wrap a drawing; title and description are for those who do not see it."""
    return Markup(
        '<svg viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-labelledby="{id}-t {id}-d">'
        '<title id="{id}-t">{title}</title><desc id="{id}-d">{about}</desc>{inside}</svg>'
    ).format(
        w=width,
        h=at_tenth(height),
        id=name,
        title=visible(title),
        about=visible(about),
        inside=Markup("\n").join(parts),
    )


def gridline(x: float, top: float, bottom: float, label: str) -> Markup:
    """Draw an upright grid line with its label below."""
    line = Markup('<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
        at_tenth(x), at_tenth(top), at_tenth(bottom)
    )
    return line + text(x, bottom + 16, label, "tick", "middle")


def ruled_line(y: float, left: float, right: float, label: str) -> Markup:
    """Draw a level grid line with its label before it."""
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(
        at_tenth(left), at_tenth(right), y=at_tenth(y)
    )
    return line + text(left - 6, y + 4, label, "tick", "end")


def text(x: float, y: float, words: str, kind: str, anchor: str) -> Markup:
    """Write a word."""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        kind, at_tenth(x), at_tenth(y), anchor, escape(visible(words))
    )


def padded(low: float, high: float) -> tuple[float, float]:
    """Leave room around the data, and some where all of it is one value."""
    room = (high - low) * 0.06 or max(abs(high) * 0.1, 0.5)
    return low - room, high + room


def short(label: str, limit: int = LABEL_CHARS) -> str:
    """Cut a label to what fits."""
    return label if len(label) <= limit else label[: limit - 1] + "…"


def figure(value: float) -> str:
    """Write a number for an axis, with a true minus."""
    words = f"{abs(value):,.6g}"
    return f"−{words}" if value < 0 else words


def at_tenth(value: float) -> str:
    """Coordinates to a tenth of a pixel, so that the page is small and the same everywhere."""
    return f"{value:.1f}".removesuffix(".0")
