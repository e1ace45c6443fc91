"""One self-contained HTML page of a run: no script, nothing fetched, readable for years. The drawing is `plot`'s.

In: `Results`. Out: one file. All text goes through `visible` and jinja2's escaping, because models, files and endpoints wrote
most of it. The same results make the same bytes; a date is shown only where one is given.
"""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from orcamath.report import sections
from orcamath.report.curves import curves
from orcamath.report.drawn import growth, paths
from orcamath.report.fold import Results
from orcamath.report.mistakes import MAX_SORTED
from orcamath.report.others import beside, partly_measured
from orcamath.report.provenance import origins
from orcamath.report.rows import Contrast
from orcamath.report.table import difference
from orcamath.report.written import minus
from orcamath.store.placing import write_whole
from orcamath.text.money import dollars
from orcamath.visible import clip, visible

__all__ = ["render_page", "write_page"]

MAX_RECIPE_CHARS = 200_000
MAX_TEXT_CHARS = 2_000
"""Of any other text that is shown as it was written."""


def write_page(results: Results, path: Path) -> None:
    """Write the page whole (a reader sees the old or the new one)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, render_page(results).encode())


def render_page(results: Results) -> str:
    """Return the page as text."""
    return _template().render(
        r=results,
        head=sections.head(results),
        findings=sections.findings(results),
        boards=sections.boards(results),
        others=beside(results),
        sources=origins(results.facts),
        partly=partly_measured(results),
        growth=growth(results),
        paths=paths(results),
        rejects=sections.rejects(results),
        books=sections.books(results),
        practice=sections.practice(results),
        gate=sections.contamination(results),
        curves=curves(results),
        stages=sections.stages(results),
        said=sections.facts_said(results),
        max_recipe=MAX_RECIPE_CHARS,
        max_sorted=MAX_SORTED,
    )


@cache
def _template() -> Template:
    # `finalize` sees every value on its way into the page, so no text can forget to be made visible
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "clip": _clip, "spoken": _spoken, "points": _points, "dollars": dollars}
    return environment.get_template("page.html")


def _shown(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _spoken(name: str) -> str:
    """Turn the name of a fact into words: `n_sampled_tokens` → `sampled tokens`."""
    return name.removeprefix("n_").replace("_", " ")


def _points(contrast: Contrast) -> str:
    return minus(difference(contrast)).replace(" *", " ★")


def _clip(text: object, limit: int = MAX_TEXT_CHARS, whole: int | None = None) -> str:
    return clip(str(text), limit, whole)
