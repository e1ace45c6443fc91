"""Training curves from `metrics.jsonl`: a panel a stage and quantity, all arms in it, smoothed over the raw numbers.

Stages stand apart; within one, losses, gradients and rates have a panel for each way of training, the rest one for all.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from markupsafe import Markup

from orcamath.report.fold import Results
from orcamath.report.plot import Line, lines, smoothed
from orcamath.store.stage import StageLabel

__all__ = ["Curves", "Panel", "curves"]

Steps = list[Mapping[str, object]]
PANELS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("loss", "Loss", (("loss", ""),)),
    ("logp", "Log-probability of an answer", (("logp_chosen", "right"), ("logp_rejected", "wrong"))),
    ("reward", "Implicit reward (β · log-ratio)", (("reward_chosen", "right"), ("reward_rejected", "wrong"))),
    (
        "mass",
        "Right answers of a problem together: log of their probability over that of the reference",
        (("right_mass", ""),),
    ),
    ("margin", "Margin (right − wrong)", (("margin", ""),)),
    ("kl", "Distance to the reference: mean log-ratio, and KTO’s z0", (("kl", "log-ratio"), ("z0", "z0"))),
    (
        "off_topic",
        "Share of off-topic answers, and pairs",
        (("off_topic_share", "answers"), ("off_topic_pairs", "pairs")),
    ),
    ("grad_norm", "Gradient norm", (("grad_norm", ""),)),
    ("learning_rate", "Learning rate", (("learning_rate", ""),)),
)
PREFERENCE_ONLY = {"kl", "off_topic"}
OWN_SCALE = {"loss", "grad_norm", "learning_rate"}
"""A panel for each loss: what an SFT and a KTO loss, their gradients and rates come to cannot be compared."""
SMOOTH_FROM = 20
"""Points; a shorter curve is drawn as it is."""


class Panel(NamedTuple):
    """One drawing."""

    what: str
    drawing: Markup
    names: tuple[tuple[str, int, bool], ...]
    """(curve, its colour's number, whether it is dashed)."""


class Curves(NamedTuple):
    """One training stage, with every arm that has it."""

    stage: str
    panels: tuple[Panel, ...]


def curves(results: Results) -> list[Curves]:
    """Draw each training stage with all arms overlaid, of the first seed each."""
    series = {arm: i for i, arm in enumerate(a for a in results.metrics if a not in results.again)}
    stages: dict[str, dict[str, Steps]] = {}
    for arm in series:
        for step in results.metrics[arm]:
            stages.setdefault(str(step.get("label", "")), {}).setdefault(arm, []).append(step)
    drawn = (
        Curves(label, tuple(_panels(i, label, arms, series, {arm: _loss(results, arm, label) for arm in arms})))
        for i, (label, arms) in enumerate(stages.items())
    )
    return [c for c in drawn if c.panels]


def _loss(results: Results, arm: str, label: str) -> str:
    """Return how an arm was trained in a stage such as `learn 3` or `online 2`, in words, as its row in the score table says."""
    of = StageLabel.read(label)
    if of.name not in ("learn", "online"):
        return "SFT"
    iteration = of.round or 2
    return next((r.training.method for r in results.rows if r.arm == arm and r.iteration == iteration), "")


def _panels(
    number: int, label: str, arms: Mapping[str, Steps], series: Mapping[str, int], losses: Mapping[str, str]
) -> Iterator[Panel]:
    preferring = any("logp_rejected" in step for steps in arms.values() for step in steps)
    for name, quantity, keys in PANELS:
        if name in PREFERENCE_ONLY and not preferring:
            continue
        groups = list(dict.fromkeys(losses.values())) if name in OWN_SCALE else [""]
        for k, loss in enumerate(groups):
            own = [arm for arm in arms if not loss or losses[arm] == loss]
            found = [line for arm in own for line in _lines(arm, arms[arm], keys, series[arm])]
            if found:
                what = f"{quantity} ({loss})" if loss else quantity
                about = "; ".join(f"{c.label} goes from {c.points[0][1]:.4g} to {c.points[-1][1]:.4g}" for c in found)
                drawing = lines(f"c{number}-{name}-{k}", f"{label}: {what}", about, found)
                yield Panel(what, drawing, tuple((c.label, c.series % 8, c.dashed) for c in found))


def _lines(arm: str, steps: Steps, keys: Iterable[tuple[str, str]], series: int) -> Iterator[Line]:
    for i, (key, words) in enumerate(keys):
        raw = list(_points(steps, key))
        if raw:
            smooth = len(raw) >= SMOOTH_FROM and key != "learning_rate"
            name = f"{arm or 'the base'}, {words}" if words else arm or "the base"
            yield Line(name, smoothed(raw) if smooth else raw, series, bool(i), raw if smooth else ())


def _points(steps: Steps, key: str) -> Iterator[tuple[float, float]]:
    for i, numbers in enumerate(steps):
        value, step = numbers.get(key), numbers.get("step", i)
        if isinstance(value, int | float) and math.isfinite(value):
            yield float(step if isinstance(step, int | float) else i) + 1, float(value)
