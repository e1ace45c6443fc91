"""Stage `unseen`: benchmarks without what was trained on.

Near-duplicate clusters of training problems are left out of the evaluation. In → benchmark problems and what may be
trained on (the gate's lessons and problems); out → table `problems`, the benchmark problems whose cluster no training
problem is in. The contamination gate takes training problems away that are too near to a test problem; this is the
other side, for twins that differ in their numbers, and for sets whose splits are drawn."""

from collections import Counter
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from orcamath.records import Lesson, Problem, Rejected, Settings
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.stage import stage

__all__ = ["UnseenFacts", "UnseenSettings", "unseen"]


class UnseenSettings(Settings):
    """What becomes of benchmark problems whose cluster was trained on."""

    seen_clusters: Literal["drop", "keep"] = "drop"
    """`keep` measures on the whole benchmark, for numbers beside published ones; how many were seen is told either way."""


class UnseenFacts(Facts):
    """How much of each benchmark was seen in training."""

    tests: dict[str, int] = Field({}, alias="of")
    """Source → its benchmark problems."""
    seen: dict[str, int] = Field({})
    """Source → those whose cluster was trained on."""
    seen_clusters: Literal["drop", "keep"] = "drop"


@stage("unseen", version=1, settings=UnseenSettings, facts=UnseenFacts)
def unseen(out: Output, settings: UnseenSettings, tests: Artifact, trained: Artifact) -> UnseenFacts:
    """Write the benchmark problems to measure on, in their order. Left out ones are `seen_in_training`."""
    out.progress.begin("unseen", None)
    known: dict[str, str] = {}
    for lesson in trained.read(Lesson):
        if lesson.cluster is not None:
            known.setdefault(lesson.cluster, lesson.problem_id)
    for problem in trained.read(Problem):
        if problem.cluster is not None:
            known.setdefault(problem.cluster, problem.id)
    n, seen = Counter[str](), Counter[str]()

    def kept() -> Iterator[Problem]:
        for problem in tests.read(Problem):
            n[problem.source] += 1
            twin = known.get(problem.cluster) if problem.cluster is not None else None
            seen[problem.source] += twin is not None
            if twin is not None and settings.seen_clusters == "drop":
                detail = f"cluster {problem.cluster}"
                out.reject(
                    Rejected(
                        item=problem.id, reason="seen_in_training", detail=detail, text=problem.question, repeats=twin
                    )
                )
                continue
            out.keep()
            out.progress.advance()
            yield problem

    out.write("problems", kept())
    out.progress.end()
    return UnseenFacts(
        tests=dict(sorted(n.items())), seen={s: seen[s] for s in sorted(n)}, seen_clusters=settings.seen_clusters
    )
