"""Training curves of each arm, from `metrics.jsonl`: one small drawing a quantity, iterations one after the other."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from markupsafe import Markup

from orcamath.report.fold import Results
from orcamath.report.plot import Line, lines

__all__ = ["Curves", "curves"]

PANELS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("loss", "Loss", (("loss", "loss"),)),
    ("logp", "Log-probability of an answer", (("logp_chosen", "right"), ("logp_rejected", "wrong"))),
    ("reward", "Implicit reward (β · log-ratio)", (("reward_chosen", "right"), ("reward_rejected", "wrong"))),
    ("margin", "Margin (right − wrong)", (("margin", "margin"),)),
    ("kl", "Distance to the reference, two estimates of the KL", (("kl", "mean log-ratio"), ("z0", "z0 (KTO)"))),
    (
        "off_topic",
        "Share of off-topic answers and pairs",
        (("off_topic_share", "answers"), ("off_topic_pairs", "pairs")),
    ),
    ("grad_norm", "Gradient norm", (("grad_norm", "gradient norm"),)),
    ("learning_rate", "Learning rate", (("learning_rate", "learning rate"),)),
)
PREFERENCE_ONLY = {"kl", "off_topic"}


class Curves(NamedTuple):
    """The training curves of one arm."""

    arm: str
    stages: tuple[str, ...]
    drawings: tuple[tuple[Markup, str, tuple[str, ...]], ...]
    """(drawing, what it shows, names of its curves)."""


def curves(results: Results) -> list[Curves]:
    """Draw each arm's training with its first seed, its stages one after the other."""
    shown = ((arm, steps) for arm, steps in results.metrics.items() if arm not in results.again)
    return [c for i, (arm, steps) in enumerate(shown) if (c := _curves(i, arm, steps)).drawings]


def _curves(number: int, arm: str, steps: Sequence[Mapping[str, Any]]) -> Curves:
    parts: list[list[tuple[float, Mapping[str, Any]]]] = []
    breaks, offset = [], 0.0
    for label, group in groupby(steps, key=lambda s: str(s.get("label", ""))):
        breaks.append((offset, label))
        parts.append([(offset + float(s.get("step", i)) + 1, s) for i, s in enumerate(group)])
        offset = max(x for x, _ in parts[-1])
    title = arm or ("imitate the teacher" if len(parts) < 2 else "the recipe’s own students")
    drawings = []
    for name, what, keys in PANELS:
        shown = [
            Line(words, points, i)
            for i, (key, words) in enumerate(keys) for part in parts if (points := list(_points(part, key)))
        ]  # fmt: skip
        if not shown or (name in PREFERENCE_ONLY and not _prefers(steps)):
            continue
        about = "; ".join(f"{c.label} goes from {c.points[0][1]:.4g} to {c.points[-1][1]:.4g}" for c in shown)
        drawing = lines(f"c{number}-{name}", f"{title}: {what}", about, shown, breaks=breaks)
        drawings.append((drawing, what, tuple(dict.fromkeys(c.label for c in shown))))
    return Curves(title, tuple(label for _, label in breaks), tuple(drawings))


def _prefers(steps: Iterable[Mapping[str, Any]]) -> bool:
    return any("logp_rejected" in s for s in steps)


def _points(steps: Iterable[tuple[float, Mapping[str, Any]]], key: str) -> Iterator[tuple[float, float]]:
    for x, numbers in steps:
        value = numbers.get(key)
        if isinstance(value, int | float) and math.isfinite(value):
            yield x, float(value)
