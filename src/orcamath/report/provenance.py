"""Where a run's figures come from: which models, which data, what it cost. Pure reading of recipe, facts and books.

In: a run's resolved recipe, its stages and what they said of themselves. Out: plain rows for the page.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from orcamath.sources.clusters import SharedClusters
from orcamath.sources.mixture import Mixture
from orcamath.sources.passes import ReadingFacts
from orcamath.stages.imitate import ImitateFacts
from orcamath.store.facts import Facts
from orcamath.store.leases import Account
from orcamath.store.stage import StageLabel

__all__ = ["Origins", "models", "origins", "spent"]

READING = ("seeds", "benchmarks")


class Origins(NamedTuple):
    """What the sources held, and what they hold of each other."""

    rows: tuple[tuple[str, str, str, int, str], ...]
    """(stage, source, what was read by split, kept, licences)."""
    overlap: tuple[tuple[str, str, int, int], ...]
    """(stage, two parts, texts that both have, near-duplicate clusters that both have)."""
    texts: tuple[tuple[str, str, int], ...]
    """(stage, part, its distinct texts)."""
    mixture: Mixture | None
    """The paper's seed mixture beside ours, where it was asked for."""


def models(recipe: Mapping[str, object], facts: Mapping[str, Facts]) -> list[tuple[str, str]]:
    """Name every model that wrote, taught, judged or was trained."""
    found = []
    for role in ("writer", "teacher", "judge_model"):
        settings = recipe.get(role)
        if isinstance(settings, Mapping):
            found.append((role.replace("_", " "), _model(settings)))
    judge = recipe.get("judge")
    if isinstance(judge, Mapping) and judge.get("name"):
        found.append(("judge", str(judge["name"])))
    student = recipe.get("student")
    if isinstance(student, Mapping) and student.get("base"):
        said = facts.get("imitate")
        base = said.base if isinstance(said, ImitateFacts) else ""
        found.append(("student’s base", str(student["base"]) + (f", fingerprint {base}" if base else "")))
    return found


def _model(settings: Mapping[str, object]) -> str:
    parts = [str(settings[k]) for k in ("backend", "model", "revision", "base_url") if settings.get(k)]
    return " · ".join(parts) or "not stated"


def origins(facts: Mapping[str, Facts]) -> Origins:
    """Gather what the reading stages counted; a stage without such facts is left out."""
    rows, overlap, texts, mixture = [], [], [], None
    for stage in READING:
        said = facts.get(stage)
        if not isinstance(said, ReadingFacts):
            continue
        for source, kept in said.by_source.items():
            splits = ", ".join(f"{split} {n:,}" for split, n in said.read.get(source, {}).items())
            rows.append(
                (stage, source, splits, kept, ", ".join(x or "not stated" for x in said.licences.get(source, {})))
            )
        shared = said.overlap or SharedClusters()
        pairs = dict.fromkeys([*shared.same_text, *shared.near])
        overlap += [(stage, pair, shared.same_text.get(pair, 0), shared.near.get(pair, 0)) for pair in pairs]
        texts += [(stage, part, n) for part, n in shared.texts.items()]
        mixture = mixture or said.mixture
    return Origins(tuple(rows), tuple(overlap), tuple(texts), mixture)


def spent(account: Account, stages: Iterable[str]) -> dict[str, float]:
    """Return US dollars booked by stage, of a run and all its arms, in the order of these; empty where nothing was paid.

    Stages that are not sealed yet, or that the recipe no longer has, come last: what they cost was paid.
    """
    names = dict.fromkeys([*(StageLabel.read(label).name for label in stages), *account.usd])
    return {name: account.usd[name] for name in names if name in account.usd}
