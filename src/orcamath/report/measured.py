"""What `orcamath evaluate` prints: every measure of every benchmark beside its price, two models side by side.

In: facts of evaluations (see `scoring.facts`) and, for two models, their paired differences. Out: text for a terminal. Scores
by another protocol are other rows, and published ones stand beside ours only where benchmark, items and protocol are the same.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from orcamath.intervals import Paired
from orcamath.report.measures import percent, share_of
from orcamath.report.others import placed_beside
from orcamath.report.table import by_families, table
from orcamath.scoring.facts import SEVERAL, EvaluateFacts, PricedShare
from orcamath.scoring.published import Published

__all__ = ["Measurement", "measured_text"]

WIDTH, MIN_WIDTH = 150, 100
NEAR = 4
"""Published rows shown above and below ours, and at the top."""


class Measurement(NamedTuple):
    """One model on its benchmarks."""

    model: str
    facts: EvaluateFacts
    """What the stage `evaluate` says of itself, and the verifier's scores with it."""
    few_shot: int = 0
    """Worked examples it was shown before each question."""


def measured_text(models: Sequence[Measurement], differences: Mapping[str, Paired]) -> str:
    """Return the tables as text; `differences` (benchmark → second − first) where there are two models."""
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, no_color=True)
    for shown in _tables(models, differences):
        shown.min_width = MIN_WIDTH  # titles and captions are longer than some tables are wide
        console.print(shown)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")


def _tables(models: Sequence[Measurement], differences: Mapping[str, Paired]) -> Iterator[Table]:
    for model in models:
        yield _greedy(model)
        if model.facts.samples > 1:
            yield _sampled(model)
    if differences:
        yield _compared(models, differences)
    measured = [(m.model, name, facts) for m in models for name, facts in m.facts.benchmarks.items()]
    for group, rows in placed_beside(measured).items():
        yield _beside(group, rows)


def _greedy(model: Measurement) -> Table:
    shown = f", {n} worked examples shown" if (n := model.few_shot) else ""
    made = table(
        f"{model.model}: greedy pass@1, one model call an answer{shown}",
        [
            "benchmark",
            "problems",
            "% right [95 %]",
            "#### number",
            "last number",
            "unjudged",
            "cut off",
            "tokens an answer",
        ],
        [
            [
                name,
                f"{x.n:,}",
                share_of(x),
                share_of(x.strict, limits=False),
                share_of(x.flexible, limits=False),
                f"{x.unjudged:,}",
                f"{100 * (x.truncated or 0.0):.1f} %",
                f"{x.tokens_per_answer or 0.0:,.0f}",
            ]
            for name, x in model.facts.benchmarks.items()
        ],
    )
    made.caption = (
        "“#### number” and “last number” are the same answers matched as strings; unjudged counts as not right"
    )
    return made


def _sampled(model: Measurement) -> Table:
    """Show scores that take several calls an answer, each with its price."""
    facts = model.facts.benchmarks
    kinds = [kind for kind in SEVERAL if any(x.several(kind) for x in facts.values())]
    headings = [words for kind in kinds for words in (f"{kind}@k [95 %]", "calls", "tokens")]
    rows = [
        [name, k, *(words for kind in kinds for words in _priced(x.several(kind)[k]))]
        for name, x in facts.items()
        for k in sorted(x.maj, key=int)
    ]
    temperature = model.facts.temperature
    made = table(
        f"{model.model}: of k sampled answers, temperature {temperature:g}", ["benchmark", "k", *headings], rows
    )
    about = "; a verifier’s own calls and tokens are counted" if "verifier" in kinds else ""
    part = [
        f"{x.n_sampled:,} of {x.n:,} problems of {name} sampled" for name, x in facts.items() if 0 < x.n_sampled < x.n
    ]
    made.caption = "; ".join([f"calls and tokens: of models, an answer{about}", *part])
    return made


def _priced(found: PricedShare) -> tuple[str, str, str]:
    return share_of(found), f"{found.calls_per_answer:,}", f"{found.tokens_per_answer:,.0f}"


def _compared(models: Sequence[Measurement], differences: Mapping[str, Paired]) -> Table:
    rows = [
        [
            benchmark,
            f"{p.n:,}",
            percent(p.difference, signed=True) + (" *" if p.difference.excludes_zero else ""),
            f"{p.second_only:,} / {p.first_only:,}",
            "< 0.001" if p.p < 0.001 else f"{p.p:.3f}",
        ]
        for benchmark, p in differences.items()
    ]
    made = table(
        f"{models[1].model} against {models[0].model}: greedy answers to the same problems",
        ["benchmark", "problems", "points [95 %, paired]", "gained / lost", "McNemar’s p"],
        rows,
    )
    of = dict.fromkeys(note for p in differences.values() for note in by_families(p.n, p.families))
    made.caption = "; ".join(["* the paired 95 % interval excludes zero", *of])
    return made


def _beside(name: str, rows: Sequence[Published]) -> Table:
    """Show the best rows and those around each of ours."""
    near = {i + d for i, p in enumerate(rows) if p.is_ours for d in range(-NEAR, NEAR + 1)} | set(range(NEAR))
    shown = [p for i, p in enumerate(rows) if i in near]
    return table(
        f"Beside published scores: {name} ({len(shown)} of {len(rows)} rows: the best, and those around ours)",
        ["model", "size", "format", "source", "calls", "% right"],
        [
            [
                ("→ " if p.is_ours else "") + p.model,
                p.size or "–",
                p.format,
                p.source,
                f"{p.calls_per_answer}",
                f"{p.score:.2f}",
            ]
            for p in shown
        ],
        left=4,
    )
