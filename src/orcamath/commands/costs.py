"""Commands on money and room: what a recipe will cost, and what the ledger no longer needs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orcamath.assemble import Assembled
from orcamath.plan import Plan, Range, plan
from orcamath.recipe_file import load
from orcamath.records import Problem
from orcamath.sources.reading import contents, gather, together
from orcamath.store.artifacts import Output, Store
from orcamath.store.prices import price_of

__all__ = ["collect_garbage", "plan_of"]


def plan_of(recipe: str, *, overrides: Sequence[str], limit: int | None, store: Path, as_json: bool) -> str:
    """Say what every stage will still cost, from the seeds themselves and what is remembered."""
    from orcamath.report.progress import Silent
    from orcamath.sources import reading

    loaded = load(recipe, overrides, limit=limit)
    where = Store(store)
    tools = Assembled(where)
    wanted, _ = together(loaded.seeds, loaded.benchmarks)

    def read(out: Output) -> None:
        gather(out, wanted, tools.readers(wanted.named), progress=Silent())

    try:
        seeds = where.stage("seeds", reading.VERSION, wanted, contents(wanted.named), read)
        found = plan(
            loaded,
            lambda: seeds.read(Problem),
            tools.chat,
            lambda m: price_of(m.backend, m.model, m.base_url, m.options.get("price")),
        )
    finally:
        tools.ledger.close()
    if as_json:
        return json.dumps(found.plain(), indent=1)
    return _table(loaded.name, found, loaded.budget.cap_usd)


def _table(name: str, found: Plan, cap_usd: float | None) -> str:
    table = Table(title=Text(f"What `{name}` will still cost (a range, before anything is sent)"), title_justify="left")
    for column in ("stage", "model", "calls", "remembered", "to pay", "tokens in", "tokens out", "USD", "hours", "MB"):
        table.add_column(column, justify="left" if column in {"stage", "model"} else "right")
    for s in found.stages:
        spans = (s.to_pay, s.prompt_tokens, s.completion_tokens)
        table.add_row(
            s.stage, Text(s.model), _span(s.calls), f"{s.remembered:,}", *map(_span, spans), _span(s.usd, 2),
            _span(s.hours, 1), _span(s.disk_mb),
        )  # fmt: skip
    console = Console(width=160)
    with console.capture() as shown:
        console.print(table)
    cap = f"; the cap is ${cap_usd:,.2f}" if cap_usd is not None else "; no cap is set (budget.cap_usd)"
    return f"{shown.get()}in all: ${found.usd.low:,.2f} to ${found.usd.high:,.2f}{cap}"


def _span(span: Range, digits: int = 0) -> str:
    low, high = f"{span.low:,.{digits}f}", f"{span.high:,.{digits}f}"
    return low if low == high else f"{low} – {high}"


def collect_garbage(runs: Path, store: Path, *, dry: bool) -> str:
    """Drop the samples of students that no run points to any more. Teachers' replies are paid for and always stay."""
    where = Store(store)
    tools = Assembled(where)
    kept = set(_pointed_to(runs))
    students = [p for p in sorted(where.artifacts.glob("*-*")) if (p / "model").is_dir()]
    from orcamath.student.model import open_folder

    names = {open_folder(str(p / "model")).fingerprint for p in students if p.name not in kept}
    names -= {open_folder(str(p / "model")).fingerprint for p in students if p.name in kept}
    counts = tools.ledger.counts()
    stale = [f for f in counts if any(n in f for n in names)]
    n = sum(counts[f] for f in stale)
    if not dry and stale:
        n = tools.ledger.forget(stale)
    tools.ledger.close()
    return f"{'would drop' if dry else 'dropped'} {n:,} samples of {len(stale)} students that no run names"


def _pointed_to(runs: Path) -> Iterator[str]:
    folders: Iterable[Path] = runs.rglob("stages.json")
    for pointers in folders:
        for student in json.loads(pointers.read_text(encoding="utf-8"))["students"]:
            yield student["model"]
