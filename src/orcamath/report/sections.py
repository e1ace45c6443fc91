"""What the page says, section by section, as plain values and drawings: `Results` in, nothing of HTML.

A run may have begun at a later stage, stopped early, or be of an older version: a section without facts is left out.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

from orcamath.intervals import Interval
from orcamath.report.fold import Example, Results, StageRow
from orcamath.report.measures import Columns, levels, levels_worked, measures, percent
from orcamath.report.plot import Lane, bars, intervals
from orcamath.report.rows import Contrast, ResultRow
from orcamath.report.table import difference, each_seed, recovered
from orcamath.report.written import duration, minus, p_value
from orcamath.stages.gate import AlikePair, Flagged, GateFacts
from orcamath.stages.judge import JudgeFacts
from orcamath.stages.practice import PracticeFacts
from orcamath.stages.preferences import PreferFacts
from orcamath.store.facts import Facts
from orcamath.store.stage import StageLabel
from orcamath.student.facts import OnlineFacts
from orcamath.text.money import dollars

__all__ = [
    "Beside",
    "Board",
    "Cell",
    "Gate",
    "PracticeCounts",
    "Rejects",
    "ScoreRow",
    "Sentence",
    "Timed",
    "boards",
    "books",
    "contamination",
    "facts_said",
    "findings",
    "head",
    "practice",
    "rejects",
    "stages",
]

MAX_PAIRS = 5
OUTCOMES = ("agrees", "disagrees", "unjudged")
VERDICT_SERIES = (0, 1, 7)


class Sentence(NamedTuple):
    """One sentence that the intervals allow."""

    benchmark: str
    kind: str
    """`better`, `worse` or `open`."""
    text: str


class Cell(NamedTuple):
    """A row against another one, in words."""

    words: str
    contrast: Contrast | None
    p: str
    """McNemar's; empty where several seeds are averaged."""


class ScoreRow(NamedTuple):
    """A row of the score table."""

    row: ResultRow
    series: int
    percent: str
    recovered: str
    """Share of the way to the unspoilt arm's M1; empty where the recipe names none."""
    seeds: str
    cells: tuple[Cell, ...]


class Beside(NamedTuple):
    """A table of figures beside the score: headings, and (row, its figures in that order)."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


class Board(NamedTuple):
    """All of one benchmark."""

    benchmark: str
    n: int
    families: int
    """Of its problems; `n` where each stands alone."""
    seeds: tuple[str, ...]
    """Seeds of training that the rows average over; empty where each was trained once."""
    against: tuple[str, ...]
    rows: tuple[ScoreRow, ...]
    measures: Beside
    """Besides the judged score."""
    levels: Beside
    """The judged score by level; empty where the benchmark has none. So is `worked`: answers that show their working."""
    worked: Beside
    scores: Markup
    differences: tuple[tuple[str, Markup], ...]


class Rejects(NamedTuple):
    """One reason in one stage, with examples."""

    stage: str
    reason: str
    n: int
    examples: tuple[Example, ...]


class PracticeCounts(NamedTuple):
    """What judging and pairing came to."""

    plot: Markup
    key: tuple[tuple[str, int], ...]
    """(outcome, number of its colour in `plot`)."""
    rows: tuple[tuple[str, JudgeFacts], ...]
    preferences: tuple[tuple[str, PreferFacts], ...]
    """(stage, what it says)."""
    aims: tuple[tuple[str, PracticeFacts], ...]
    """Rounds whose problems were chosen by earlier ones."""
    spells: tuple[tuple[str, PracticeFacts], ...]
    """Rounds that were sampled until something was seen."""
    online: tuple[tuple[str, OnlineFacts], ...]


class Gate(NamedTuple):
    """What the search for contamination found, ready for tables."""

    facts: GateFacts
    counts: tuple[tuple[str, Flagged], ...]
    """(against what, benchmark questions flagged)."""
    sizes: tuple[str, ...]
    """n of the n-grams."""
    shown: tuple[AlikePair, ...]


class Timed(NamedTuple):
    """One stage with its time and tokens."""

    stage: StageRow
    share: float
    """Of the longest one, in percent."""
    tokens: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]


def head(results: Results) -> list[tuple[str, str]]:
    """Return the few figures that stand at the top."""
    figures = [(f"held-out problems, {b}", f"{n:,}") for b, n in {r.benchmark: r.n for r in results.rows}.items()]
    if lessons := sum(o.trained_on for o in results.origins) or sum(o.taught for o in results.origins):
        figures.append(("lessons", f"{lessons:,}"))
    if results.rows:
        figures.append(
            ("students", f"{sum({(r.arm, r.model): max(1, len(r.seeds)) for r in results.rows}.values()):,}")
        )
    if results.spent:
        figures.append(("spent on models", dollars(sum(usd for _, usd in results.spent))))
    figures.append(("time to make, all stages", duration(sum(s.seconds for s in results.stages))))
    return figures


def findings(results: Results) -> list[Sentence]:
    """Say of each arm's last student what its paired intervals show; "better" only where one excludes zero."""
    last: dict[tuple[str, str], ResultRow] = {}
    for row in results.rows:
        if row.contrasts:
            last[row.arm, row.benchmark] = row
    return [_finding(row, c) for row in last.values() for c in row.contrasts]


def _finding(row: ResultRow, contrast: Contrast) -> Sentence:
    d, r = contrast.difference, contrast.result
    kind = "open" if not d.excludes_zero else "better" if d.point > 0 else "worse"
    verb = {"open": "shows no difference from", "better": "is better than", "worse": "is worse than"}[kind]
    points = f"{minus(difference(contrast)).removesuffix(' *')} points"
    if r is None:
        more = f"mean of {len(row.seeds)} seeds of training"
    else:
        more = f"{r.second_only:,} gained and {r.first_only:,} lost, {_p(r.p)}"
    return Sentence(row.benchmark, kind, f"{row.name} ({row.model}) {verb} {contrast.against}: {points}, {more}.")


def _p(p: float) -> str:
    return "p\u00a0" + ("" if p < 0.001 else "=\u00a0") + p_value(p)


def boards(results: Results) -> list[Board]:
    """Return the score table and drawings of every benchmark."""
    series = {name: i for i, name in enumerate(dict.fromkeys(r.name for r in results.rows))}
    out = []
    for number, benchmark in enumerate(dict.fromkeys(r.benchmark for r in results.rows)):
        rows = [r for r in results.rows if r.benchmark == benchmark]
        against = tuple(dict.fromkeys(c.against for r in rows for c in r.contrasts))
        shown = tuple(
            ScoreRow(r, series[r.name], percent(r.score), recovered(r), each_seed(r), _cells(r, against)) for r in rows
        )
        plots = tuple((name, _differences(f"d{number}-{i}", name, shown)) for i, name in enumerate(against))
        said = [r.measures for r in rows]
        tables = (_beside(rows, measures(said)), _beside(rows, levels(said)), _beside(rows, levels_worked(said)))
        drawn = _scores(f"b{number}", benchmark, shown)
        seeds = tuple(dict.fromkeys(seed for r in rows for seed in r.seeds))
        out.append(Board(benchmark, rows[0].n, rows[0].families, seeds, against, shown, *tables, drawn, plots))
    return out


def _beside(rows: Sequence[ResultRow], columns: Columns) -> Beside:
    said = [r for r in rows if r.measures.model_fields_set]
    shown = tuple((_label(r), tuple(words(r.measures) for words in columns.values())) for r in said)
    return Beside(tuple(columns), shown if columns else ())


def _cells(row: ResultRow, against: Sequence[str]) -> tuple[Cell, ...]:
    return tuple(_cell(next((c for c in row.contrasts if c.against == name), None)) for name in against)


def _cell(contrast: Contrast | None) -> Cell:
    p = p_value(contrast.result.p) if contrast is not None and contrast.result is not None else ""
    return Cell(minus(difference(contrast)), contrast, p)


def _label(row: ResultRow) -> str:
    return f"{row.name} · {row.model}"


def _lane(label: str, share: Interval, series: int, strong: bool = True) -> Lane:
    return Lane(label, 100 * share.point, 100 * share.low, 100 * share.high, series, strong)


def _scores(name: str, benchmark: str, rows: Sequence[ScoreRow]) -> Markup:
    lanes = [
        _lane(_label(r.row), r.row.score, r.series)._replace(seeds=tuple(100 * x for x in r.row.seeds.values()))
        for r in rows
    ]
    first = next((100 * r.row.score.point for r in rows if r.row.iteration == 1), None)
    about = "; ".join(f"{_label(r.row)}: {r.percent} percent" for r in rows)
    return intervals(
        name, f"{benchmark}: share right", about, lanes, unit="% right, with 95 % interval", reference=first
    )


def _differences(name: str, against: str, rows: Sequence[ScoreRow]) -> Markup:
    lanes, words = [], []
    for r in rows:
        found = next((c.difference for c in r.row.contrasts if c.against == against), None)
        if found is not None:
            lanes.append(_lane(_label(r.row), found, r.series, found.excludes_zero))
            words.append(f"{_label(r.row)}: {100 * found.point:+.1f} points")
    unit = f"points over {against}, same problems, 95 % paired interval"
    return intervals(name, f"Difference from {against}", "; ".join(words), lanes, unit=unit, reference=0.0)


def rejects(results: Results) -> list[Rejects]:
    """Group the examples by stage and reason, most frequent first within a stage."""
    grouped = groupby(results.examples, key=lambda e: (e.stage, e.reason))
    return [Rejects(stage, reason, (shown := tuple(group))[0].n, shown) for (stage, reason), group in grouped]


def books(results: Results) -> list[tuple[StageRow, bool]]:
    """Return every stage that kept books, and whether they balance: asked = parsed + failed, results = kept + rejected."""
    return [(s, _balanced(s.balance)) for s in results.stages if any(s.balance.values())]


def _balanced(b: Mapping[str, int]) -> bool:
    n = {k: b.get(k, 0) for k in ("asked", "parsed", "failed", "results", "kept", "rejected")}
    return n["asked"] == n["parsed"] + n["failed"] and n["results"] == n["kept"] + n["rejected"]


def practice(results: Results) -> PracticeCounts:
    """Gather verdicts and preferences of every iteration."""
    said = [(s.key, results.facts.get(s.key)) for s in results.stages]
    judged = [(key, f) for key, f in said if isinstance(f, JudgeFacts) and f.outcomes]
    groups = [(key, [(o, f.outcomes.get(o, 0)) for o in OUTCOMES]) for key, f in judged]
    about = "; ".join(f"{key}: " + ", ".join(f"{n} {what}" for what, n in counts) for key, counts in groups)
    drawn = bars("verdicts", "Verdicts on the samples", about, groups, series=VERDICT_SERIES, stacked=True)
    return PracticeCounts(
        plot=drawn,
        key=tuple(zip(OUTCOMES, VERDICT_SERIES, strict=True)),
        rows=tuple(judged),
        preferences=tuple(results.preferences.items()),
        aims=tuple((key, f) for key, f in said if isinstance(f, PracticeFacts) and f.aimed),
        spells=tuple((key, f) for key, f in said if isinstance(f, PracticeFacts) and f.n_at_most),
        online=tuple((key, f) for key, f in said if isinstance(f, OnlineFacts) and f.rounds),
    )


def contamination(results: Results) -> Gate | None:
    """Return what the last gate found, which saw all lessons: counts of all data, seeds, each benchmark. None without one."""
    *_, facts = (None, *(f for key, f in results.facts.items() if StageLabel.read(key).name == "gate"))
    if not isinstance(facts, GateFacts) or not facts.flagged:
        return None
    counts = [("all training questions", facts.flagged)]
    counts += [("seeds only", flagged) for origin, flagged in facts.by_origin.items() if origin == "seed"]
    counts += [(f"{name} only", flagged) for name, flagged in facts.by_benchmark.items()]
    return Gate(facts, tuple(counts), tuple(facts.flagged), facts.pairs[:MAX_PAIRS])


def stages(results: Results) -> list[Timed]:
    """Return every stage with its share of time, the tokens it counted and what it warned of."""
    longest = max((s.seconds for s in results.stages), default=0.0) or 1.0
    said = [(s, results.facts.get(s.key, Facts())) for s in results.stages]
    return [Timed(s, 100 * s.seconds / longest, tuple(f.tokens().items()), f.warnings) for s, f in said]


def facts_said(results: Results) -> list[tuple[str, str]]:
    """Return all facts of all stages as indented JSON, the pairs of the gate (shown above) left out."""
    plain = {key: {k: v for k, v in facts.plain().items() if k != "pairs"} for key, facts in results.facts.items()}
    return [(key, json.dumps(facts, indent=1, ensure_ascii=False)) for key, facts in plain.items() if facts]
