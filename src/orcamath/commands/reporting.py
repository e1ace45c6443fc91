"""What a run left behind, told: how it stands, its report, the story of one record. Imports only what each needs.

In: a run folder and the store. Out: text or JSON for stdout, `report.html` in the folder.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orcamath.errors import UsageError
from orcamath.store.artifacts import Store

if TYPE_CHECKING:
    from orcamath.report.fold import Results

__all__ = ["ancestry_of", "plain_report", "report_on", "reported", "status_of"]


def report_on(path: Path, store: Path, *, as_json: bool = False) -> None:
    """Fold a run's results, write report.html into its folder, and print the tables (or JSON) to stdout."""
    from orcamath.report.table import show
    from orcamath.terminal import console

    results, page = reported(path, store)
    if as_json:
        sys.stdout.write(json.dumps(plain_report(results, page), indent=1) + "\n")
        return
    width = None if sys.stdout.isatty() else 160
    show(results, console(width=width))
    sys.stdout.write(f"report: {page}\n")


def reported(path: Path, store: Path) -> "tuple[Results, Path]":
    """Fold a run's results and write report.html into its folder; returns both."""
    from orcamath.report.fold import fold
    from orcamath.report.page import write_page

    results, page = fold(path, Store(store)), path / "report.html"
    write_page(results, page)
    return results, page


def plain_report(results: "Results", page: Path) -> dict[str, Any]:
    """Return a report's score table, findings and what could be learnt from in each round as JSON values."""
    from orcamath.store.facts import Fact

    told = {
        "name": results.name,
        "rows": [r._asdict() for r in results.rows],
        "findings": [t._asdict() for t in results.settled],
        "preferences": results.preferences,
        "report": str(page),
    }
    plain: dict[str, Any] = json.loads(json.dumps(told, default=Fact.plain))
    return plain


def status_of(path: Path, store: Path, *, as_json: bool = False) -> str:
    """Tell how a run and its arms stand: running, or stopped and why; what is under way, next, spent, sealed."""
    from orcamath.commands.standing import lines_of
    from orcamath.view.live import now_of

    if not (path / "recipe.yaml").exists():
        raise UsageError(f"`{path}` is no run; `orcamath run` makes one, `orcamath runs` lists them")
    now = now_of(path, Store(store))
    return json.dumps(now.plain(), indent=1) if as_json else "\n".join(lines_of(now))


def ancestry_of(record: str, path: Path, store: Path, *, full: bool, as_json: bool) -> str:
    """Show a problem's ancestry and all that came of it, in this run and its arms."""
    from orcamath.report.arms import artifacts_of
    from orcamath.view.ancestry import ancestry
    from orcamath.view.text import rendered

    found = ancestry(artifacts_of(path, Store(store)), record)
    return json.dumps(found.plain(), indent=1) if as_json else rendered(found, full=full)
