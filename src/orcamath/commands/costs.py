"""Commands on money: what a recipe will cost, and whether a run is about to pay a second time."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orcamath.assemble import Assembled, size_of
from orcamath.checks.whole import check
from orcamath.commands.disk import disk_of
from orcamath.commands.promises import leaving
from orcamath.errors import PaysAgain
from orcamath.plan import Plan, Range, paid_before, plan
from orcamath.ports import Progress
from orcamath.recipe_file import load
from orcamath.recipe_settings import Recipe
from orcamath.report.arms import key_of
from orcamath.store.artifacts import Store
from orcamath.store.budget import Budget
from orcamath.text.money import dollars

__all__ = ["confirm_paying_again", "plan_of", "planned"]


def plan_of(
    recipe: str, *, overrides: Sequence[str], limit: int | None, runs: Path, store: Path, tflops: float, as_json: bool
) -> str:
    """Say what every stage will still cost, from the seeds themselves and what is remembered.

    The run of the recipe's name in `runs`, if there is one, tells what is on the disk already.
    """
    from orcamath.report.progress import Bars

    loaded = load(recipe, overrides, limit=limit)
    checked = check(loaded, store, everything=False)
    warned = [f"warning: {line}" for line in checked.require(loaded.name)]
    found = planned(loaded, Store(store), Bars(), tflops)
    disk = disk_of(loaded, found, runs / loaded.name, store)
    if as_json:
        plain = {
            **found.plain(),
            "disk_mb": disk.needed_mb,
            "free_mb": disk.free_mb,
            "leaves": leaving(loaded),
            "waits": loaded.review is not None,
            "warnings": checked.warnings,
            "not_checked": checked.unchecked,
        }
        return json.dumps(plain, indent=1)
    waits = ["after teaching the run stops for you to read the lessons (`review: pause`)"] if loaded.review else []
    left = [f"not checked without network or key: {'; '.join(checked.unchecked)}"] if checked.unchecked else []
    return "\n".join([_tables(loaded, found, tflops), disk.line(), *leaving(loaded), *waits, *warned, *left])


def planned(recipe: Recipe, store: Store, progress: Progress, tflops: float = 312.0, *, fetches: bool = False) -> Plan:
    """Plan a recipe with the store's ledger at hand. `tflops`: the GPU's peak in 16 bits. `fetches`: as in `plan.plan`."""
    tools = Assembled(store)
    try:
        return plan(recipe, store, tools, size_of, progress, tflops=tflops, fetches=fetches)
    finally:
        tools.close()


def confirm_paying_again(recipe: Recipe, budget_path: Path, now: Plan, confirm: Callable[[str], bool] | None) -> None:
    """Stop before a run pays again, by more than 5 % of its cap, for what it paid for already (an edited prompt does that).

    `now`: the recipe's plan. `confirm` asks whoever sits there; None where nobody does. Raises PaysAgain. Looks only where a cap
    is set and something was spent.
    """
    cap = recipe.budget.cap_usd
    if cap is None or not budget_path.exists():
        return
    budget = Budget(budget_path, cap)
    try:
        if not budget.spent_usd():
            return
        found = paid_before(now, budget.spent_usd, cap)
    finally:
        budget.close()
    if found is None:
        return
    said = (
        f"this run spent {dollars(found.usd)} (cap: {dollars(cap)}) on calls of {', '.join(f'`{s}`' for s in found.stages)} that "
        f"the recipe no longer makes, and would pay that again. A changed prompt, setting or model does this; the old "
        f"replies stay remembered for the old recipe"
    )
    if confirm is None or not confirm(f"{said}. Go on?"):
        raise PaysAgain(f"{said}. Undo the change, or say `--pay-again`")


def _tables(recipe: Recipe, found: Plan, tflops: float) -> str:
    shown = io.StringIO()
    console = Console(file=shown, width=170)
    if found.stages:
        console.print(_calls(recipe.name, found))
    if found.training:
        console.print(_training(found, tflops))
    cap = recipe.budget.cap_usd
    against = f"; the cap is {dollars(cap)}" if cap is not None else "; no cap is set (budget.cap_usd)"
    if cap is not None and found.usd.high > cap:
        against += f" and {'would' if found.usd.low > cap else 'may'} stop the run, which a higher one lets go on"
    for s in found.alone:
        label = f"{s.arm}: " if s.arm else ""
        usd = f"{dollars(s.usd.low)} to {dollars(s.usd.high)}"
        shown.write(f"{label}`{s.model}` alone, without the ladder: {_span(s.calls)} calls, {usd}\n")
    if found.served_gpu_hours.high:
        what = f"on your own servers, of GPUs of {tflops:,.0f} TFLOPS in 16 bits"
        shown.write(f"calls to models {what}: {_span(found.served_gpu_hours, 1)} GPU hours\n")
    gpu = f", {_span(found.gpu_hours)} GPU hours" if found.gpu_hours.high else ""
    return f"{shown.getvalue()}in all: {dollars(found.usd.low)} to {dollars(found.usd.high)}{gpu}{against}"


def _calls(name: str, found: Plan) -> Table:
    table = Table(title=Text(f"What `{name}` will still cost (a range, before anything is sent)"), title_justify="left")
    _columns(
        table, "stage", "model", "calls", "remembered", "to pay", "tokens in", "tokens out", "USD", "hours", "disk MB"
    )
    for s in found.stages:
        spans = (s.to_pay, s.prompt_tokens, s.completion_tokens)
        remembered = f"{s.remembered:,}" if s.rehearsed else "not known yet"
        remembered += f", {s.waiting:,} in a batch" if s.waiting else ""
        table.add_row(
            _label(s.arm, s.stage),
            Text(s.model),
            _span(s.calls),
            remembered,
            *map(_span, spans),
            _span(s.usd, 2),
            _span(s.hours, 1),
            _span(s.disk_mb),
        )
    return table


def _training(found: Plan, tflops: float) -> Table:
    title = f"Training, practice and measuring, all of it (sealed or not), on GPUs of {tflops:,.0f} TFLOPS in 16 bits"
    table = Table(title=Text(title), title_justify="left")
    _columns(table, "stage", "tokens", "GB a process", "GPU hours", "disk MB")
    for t in found.training:
        spans = (_maybe(t.memory_gb, 1), _maybe(t.gpu_hours, 2), _maybe(t.disk_mb))
        table.add_row(_label(t.arm, t.stage), _span(t.tokens), *spans)
    return table


def _columns(table: Table, *names: str) -> None:
    for name in names:
        table.add_column(name, justify="left" if name in {"stage", "model"} else "right")


def _label(arm: str, stage: str) -> Text:
    return Text(key_of(arm, stage))


def _maybe(span: Range | None, digits: int = 0) -> str:
    return "size not known" if span is None else _span(span, digits)


def _span(span: Range, digits: int = 0) -> str:
    low, high = f"{span.low:,.{digits}f}", f"{span.high:,.{digits}f}"
    return low if low == high else f"{low} – {high}"
