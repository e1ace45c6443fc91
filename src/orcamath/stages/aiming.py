"""What earlier rounds of practice say of the problems at hand: which are worth practising, or growing from, and why.

In: rounds with their verdicts, and the problems that may be chosen (with their families). Out: a place, and a reason in words,
for each. Only rounds that are sealed are read, so the samples that a choice is made on are never those that are learnt from.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orcamath.difficulty import Aim, Place, place, pooled, standings
from orcamath.preferences import Judged, joined
from orcamath.records import Attempt, Chosen, Exercise, Lesson, Problem, Verdict
from orcamath.store.artifacts import Artifact
from orcamath.store.facts import Facts

__all__ = ["Placed", "Round", "SpellFacts", "aims", "families", "placed"]


class SpellFacts(Facts):
    """What tells whether a problem was sampled until something was seen."""

    first_samples: int | None = None
    """Samples that every problem had, before those that only some needed; None where all have as many."""


class Round(NamedTuple):
    """One earlier round: what was practised, and the verdicts on it."""

    practised: Artifact
    verdicts: Artifact

    def fair(self) -> Iterator[tuple[Exercise, list[Judged]]]:
        """Yield every exercise with the samples that all have: a rate of samples that stopped by what was seen would be off."""
        first = self.practised.said(SpellFacts).first_samples
        for exercise, judged in self.rows():
            yield exercise, [j for j in judged if first is None or j.attempt.draw < first]

    def rows(self) -> Iterator[tuple[Exercise, list[Judged]]]:
        """Yield every exercise with its judged samples."""
        return joined(self.practised.read(Exercise), self.practised.read(Attempt), self.verdicts.read(Verdict))


class Placed(NamedTuple):
    """Where a problem lies, and the reason that is kept."""

    place: Place
    chosen: Chosen


def families(gated: Artifact) -> dict[str, str]:
    """Return problem → the problem that it was grown out of, or itself."""
    found = {p.id: p.parents[0] if p.parents else p.id for p in gated.read(Problem)}
    return found | {x.problem_id: x.parents[0] if x.parents else x.problem_id for x in gated.read(Lesson)}


def placed(ids: Iterable[str], aim: Aim, gated: Artifact, earlier: Sequence[Round]) -> dict[str, Placed]:
    """Place every problem by what earlier rounds say of it, or of its family."""
    known, family_of = standings(r.fair() for r in earlier), families(gated)
    rates = pooled(known, family_of)
    found = {}
    for problem in ids:
        where, why, rate = place(problem, aim, known, rates, family_of.get(problem, problem))
        found[problem] = Placed(where, Chosen(problem_id=problem, why=f"{where}: {why}", right=rate.right, n=rate.n))
    return found


def aims(places: Mapping[str, Placed], most: int) -> dict[str, object]:
    """Return the facts of an aim: how many problems lie where, and the first `most` whose label is contradicted."""
    listed = [problem for problem, found in places.items() if found.place == "label_contradicted"]
    counts = Counter(found.place for found in places.values())
    return {"aimed": dict(sorted(counts.items())), "contradicted": tuple(listed[:most])}
