"""What a verified lesson cost, rung by rung of a ladder of teachers, beside the dearest teacher alone.

In: the resolved recipe and what `teach` says of its rungs. Out: rows of counts and dollars. Dollars are tokens as billed at the
prices that the recipe (or the shipped list) names today, whenever they were paid; a price that nobody knows leaves them out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from orcamath.errors import RecipeError
from orcamath.ports import Usage
from orcamath.settings import ModelSettings
from orcamath.stages.teach import RungFacts
from orcamath.store.budget import Price
from orcamath.store.prices import price_of

__all__ = ["Ladder", "RungRow", "ladder"]


class RungRow(NamedTuple):
    """One rung, all together, or the dearest teacher alone."""

    name: str
    model: str
    problems: int
    calls: int
    lessons: int
    verified: int
    usd: float | None

    @property
    def usd_each(self) -> float | None:
        """Dollars a verified lesson."""
        return None if self.usd is None or not self.verified else self.usd / self.verified


class Ladder(NamedTuple):
    """What one stage's lessons cost."""

    stage: str
    rows: tuple[RungRow, ...]


def ladder(recipe: Mapping[str, Any], rungs: Sequence[RungFacts]) -> list[RungRow]:
    """Return a row a rung, their sum, and an estimate of the dearest alone; empty where there is no ladder.

    The estimate: every problem costs what the dearest one's calls cost on average, and as many lessons come out verified as all
    rungs verified together. It is asked the hard problems only, so this is high where hard ones take longer answers.
    """
    if not rungs:
        return []
    models = [ModelSettings.model_validate(m) for m in (*(recipe.get("ladder") or ()), recipe.get("teacher") or {})]
    rows = list(_rows(models, rungs))
    n, verified, lessons = rungs[0].problems, sum(r.verified for r in rows), sum(r.lessons for r in rows)
    known = [r.usd for r in rows if r.usd is not None]
    whole = sum(known) if len(known) == len(rows) else None
    rows.append(RungRow("all rungs", "", n, sum(r.calls for r in rows), lessons, verified, whole))
    last, dearest = rungs[-1], rows[len(rungs) - 1]
    if last.problems and dearest.usd is not None:
        calls = round(n * last.calls / last.problems)
        alone = dearest.usd * n / last.problems
        rows.append(RungRow("the dearest alone (estimated)", dearest.model, n, calls, lessons, verified, alone))
    return rows


def _rows(models: Sequence[ModelSettings], rungs: Sequence[RungFacts]) -> Iterator[RungRow]:
    for number, (model, rung) in enumerate(zip(models, rungs, strict=False), start=1):
        price = _price(model)
        usd = None if price is None else price.usd(Usage(rung.prompt_tokens, rung.completion_tokens))
        name = model.model or model.backend
        yield RungRow(f"rung {number}", name, rung.problems, rung.calls, rung.lessons, rung.verified, usd)


def _price(model: ModelSettings) -> Price | None:
    try:
        return price_of(model)
    except RecipeError:
        return None
