"""The results as tables for a terminal. What models or files wrote is plain text here, never markup."""

from collections.abc import Iterable, Iterator, Mapping

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from orcamath.report.arms import key_of
from orcamath.report.fold import Results, StageRow
from orcamath.report.measures import Columns, levels, levels_worked, measures, percent
from orcamath.report.rows import Contrast, ResultRow
from orcamath.visible import visible

__all__ = ["by_families", "difference", "each_seed", "recovered", "show", "table", "tables"]

WIDTH = 100
"""Columns that a table of figures takes at most."""


def difference(contrast: Contrast | None) -> str:
    """Write a paired difference in points; a star where its interval excludes zero."""
    if contrast is None:
        return "–"
    d = contrast.difference
    return percent(d, signed=True) + (" *" if d.excludes_zero else "")


def show(results: Results, console: Console) -> None:
    """Print every table."""
    for table in tables(results):
        console.print(table)


def tables(results: Results) -> Iterator[RenderableType]:
    """Yield the tables in reading order: problems, rejects, preferences, students, time."""
    yield table(
        "Problems by origin",
        ["origin", "kept", "taught", "in the lessons"],
        ([o.origin, f"{o.problems:,}", f"{o.taught:,}", f"{o.trained_on:,}"] for o in results.origins),
    )
    yield table(
        "Kept and rejected",
        ["stage", "kept", "rejected", "reasons"],
        (
            [key_of(s.arm, s.label), f"{s.kept:,}", f"{_lost(s):,}", _reasons(s.rejected | s.failed)]
            for s in results.stages
            if s.kept or _lost(s)
        ),
    )
    yield from _preferences(results)
    for benchmark in dict.fromkeys(r.benchmark for r in results.rows):
        rows = [r for r in results.rows if r.benchmark == benchmark]
        yield _scores(benchmark, rows)
        said = [r.measures for r in rows]
        yield from _beside(f"{benchmark}: other measures, in percent", rows, measures(said, limits=False))
        yield from _beside(f"{benchmark}: greedy, % right by level", rows, levels(said))
        yield from _beside(f"{benchmark}: greedy, % worked out / % right of these, by level", rows, levels_worked(said))
    if results.settled:
        yield _hypotheses(results)
    yield table(
        "Time per stage",
        ["stage", "made", "seconds"],
        (
            [key_of(s.arm, s.label), ", ".join(f"{n:,} {t}" for t, n in s.rows.items()), f"{s.seconds:,.1f}"]
            for s in results.stages
        ),
    )


def _preferences(results: Results) -> Iterator[Table]:
    """What could be learnt from, a round a row; the paper's shares stand in the caption."""
    if results.preferences:
        made = table(
            "Preferences",
            ["stage", "problems", "all samples right", "some", "none", "without a wrong one", "pairs"],
            (
                [
                    key,
                    *(f"{n:,}" for n in (f.n_problems, f.all_agree, f.mixed, f.none_agree)),
                    f"{100 * f.no_negative / f.n_problems:.1f} %",
                    f"{f.pairs:,}",
                ]
                for key, f in results.preferences.items()
            ),
        )
        made.caption = (
            "in the paper 80,000 of 200,000 problems had no wrong sample in iteration 2, 104,000 in 3: 40 and 52 %"
        )
        yield made


def _hypotheses(results: Results) -> Table:
    made = table(
        "What was to be decided: student − other, points; families of problems and seeds resampled, crossed",
        ["", "statement", "verdict", "points [at its level]", "[unadjusted]", "seeds", "families", "could see"],
        (
            [
                t.id,
                t.statement + (f" ({t.measure})" if t.measure != "greedy" else ""),
                t.verdict,
                f"{t.difference:+.1f} [{t.low:+.1f}, {t.high:+.1f}]",
                f"[{t.unadjusted[0]:+.1f}, {t.unadjusted[1]:+.1f}]",
                f"{t.seeds}",
                f"{t.structures:,}",
                f"{t.smallest_visible:.1f}",
            ]
            for t in results.settled
        ),
        left=3,
    )
    causes = sorted({t.mechanism for t in results.settled if t.mechanism and t.verdict == "holds"})
    notes = [
        "superiority after Holm; “could see”: the difference that this test shows four times in five",
        *([f"what holds rests on {len(causes)} of the causes: {', '.join(causes)}"] if causes else []),
        *(f"undecided by the rule: {why}" for why in dict.fromkeys(t.why for t in results.settled if t.why)),
    ]
    made.caption = Text("\n".join(notes))
    return made


def each_seed(row: ResultRow) -> str:
    """Write the score of every seed, in percent; empty where there is one."""
    return " · ".join(f"{100 * share:.1f}" for share in row.seeds.values())


def recovered(row: ResultRow) -> str:
    """Write which share of the way from M1 to the unspoilt arm's M1 a student has come; empty where there is none."""
    return "" if row.recovered is None else f"{100 * row.recovered:.0f} %"


def _beside(title: str, rows: list[ResultRow], columns: Columns) -> Iterator[Table]:
    """Show figures beside the score, in as many tables as it takes for none of their words to be broken."""
    measured = [r for r in rows if r.measures.model_fields_set]
    students = [f"{r.name} · {r.model}" for r in measured]
    figures = {heading: [words(r.measures) for r in measured] for heading, words in columns.items()} if measured else {}
    widths = {heading: max(map(len, [*heading.split(), *cells])) + 3 for heading, cells in figures.items()}
    for i, part in enumerate(_fitting(widths, WIDTH - max(map(len, students), default=0) - 4)):
        cells = zip(students, *(figures[heading] for heading in part), strict=True)
        headings = (heading.replace(" ", "\n") for heading in part)
        made = table(f"{title}, continued" if i else title, ["student", *headings], cells)
        for column in made.columns:
            column.no_wrap = True
        yield made


def _fitting(widths: Mapping[str, int], room: int) -> list[list[str]]:
    """Deal headings out, in order, to as few parts as fit a room, as many to each as can be; a wider one stands alone."""
    parts: list[list[str]] = []
    for heading in widths:
        if parts and sum(widths[h] for h in [*parts[-1], heading]) <= room:
            parts[-1].append(heading)
        else:
            parts.append([heading])
    names, n = list(widths), -(-len(widths) // max(1, len(parts)))
    even = [names[i : i + n] for i in range(0, len(names), max(1, n))]
    return even if all(sum(widths[h] for h in part) <= room for part in even) else parts


def _scores(benchmark: str, rows: list[ResultRow]) -> RenderableType:
    """Show who is right how often, in 80 columns; what else is known of a row stands in the report and in the other tables."""
    others = list(dict.fromkeys(c.against for r in rows for c in r.contrasts))
    seeds = list(dict.fromkeys(seed for r in rows for seed in r.seeds))
    way = ["way"] if any(r.recovered is not None for r in rows) else []
    made = table(
        f"{benchmark}: greedy pass@1, {rows[0].n:,} held-out problems, one model call an answer",
        ["student", "% right [95 %]", "points [95 %, paired]", *way, "tokens"],
        (
            [
                f"{r.name} · {r.model}",
                "\n".join(filter(None, (percent(r.score), each_seed(r)))),
                "\n".join(f"{difference(c)} {chr(97 + others.index(c.against))}" for c in r.contrasts) or "–",
                *(recovered(r) or "–" for _ in way),
                _short_count(r.trained_tokens),
            ]
            for r in rows
        ),
    )
    for column in made.columns[1:]:
        column.no_wrap = True
    notes = ["* the paired 95 % interval excludes zero", *by_families(rows[0].n, rows[0].families)]
    notes += [f"{chr(97 + i)}: over {o}" for i, o in enumerate(others)]
    practised = dict.fromkeys(r.training.practice for r in rows if r.training.practice)
    notes += [f"practised on (problems / label): {', '.join(practised)}"] if practised else []
    if seeds:
        notes.append(
            f"seeds {', '.join(seeds)} averaged within each problem, problems bootstrapped; each under the mean"
        )
    notes += ["way: share of the way from M1 to unspoilt lessons"] if way else []
    made.caption = Text("\n".join(notes))
    return made


def by_families(n: int, families: int) -> list[str]:
    """Say that intervals count families of problems, where these are fewer than the problems; nothing where they are not."""
    return [f"intervals by {families:,} families of problems"] if families < n else []


def _short_count(n: int) -> str:
    """Write a count in at most five characters."""
    return (
        f"{n / 1e9:.1f}B" if n >= 1e9 else f"{n / 1e6:.1f}M" if n >= 1e6 else f"{n / 1e3:.0f}k" if n >= 1e4 else str(n)
    )


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]], *, left: int = 1) -> Table:
    """Make a table of plain text; its first `left` columns hold words, the others figures."""
    made = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, caption_justify="left")
    for i, name in enumerate(columns):
        made.add_column(Text(name), justify="left" if i < left else "right", overflow="fold")
    for row in rows:
        made.add_row(*(Text(visible(cell)) for cell in row))  # here already, so that its width is counted
    return made


def _lost(stage: StageRow) -> int:
    return sum(stage.rejected.values()) + sum(stage.failed.values())


def _reasons(reasons: dict[str, int]) -> str:
    return ", ".join(f"{r} {n:,}" for r, n in sorted(reasons.items(), key=lambda x: -x[1]))
