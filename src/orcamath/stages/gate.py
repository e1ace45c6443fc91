"""Stage `gate`: taught problems that are too like a benchmark question go no further.

In: lessons and problems not taught, the benchmarks, screens. Out: `lessons` and `problems` that may be trained or practised
on; facts for the report: the paper's counts, by origin and benchmark, the second looks, and pairs side by side.

A screen (a rule of its own, such as a grammar's held-out structures) always drops what it hits. What similarity finds
is dropped, stops the run, or is only reported. Deviation: the paper counts flagged test questions; the gate also says which
training rows are to go, and for that compares every pair, since ten copies among a question's nearest rows hide others.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar

from pydantic import Field

from orcamath.contamination.pairs import Piece, looks_found, most_alike, side_by_side
from orcamath.contamination.search import Look, Pair, SearchResult, SearchSettings, search
from orcamath.contamination.words import stop_words
from orcamath.errors import DataError
from orcamath.ports import Screen
from orcamath.records import Lesson, Problem, Rejected
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Fact, Facts
from orcamath.store.stage import stage

__all__ = ["AlikePair", "Flagged", "GateFacts", "GateSettings", "gate"]

MAX_PAIRS = 50
"""Pairs that are shown in full in the facts; all are counted."""

Row = TypeVar("Row", Lesson, Problem)


class GateSettings(SearchSettings):
    """What the gate does with what it finds."""

    policy: Literal["drop", "stop", "report"] = "drop"
    """`drop` the training row, `stop` the run, or only `report` it (template languages, where most texts are alike)."""
    drop_on: tuple[Literal["every_pair", "containment", "masked"], ...] = ("every_pair", "containment", "masked")
    """The looks that `drop` and `stop` listen to; the others are reported. All three together cost about one innocent
    problem in a thousand (docs/decisions/contamination.md)."""
    at: Literal["ge", "gt"] = "ge"
    """Whether a score equal to the threshold counts (for dropping; both are reported)."""


class AlikePair(Fact):
    """A training question and a benchmark question that some look found too alike, in full."""

    id: str = ""
    origin: str = ""
    test_id: str = ""
    benchmark: str = ""
    scores: dict[str, float] = Field({})
    """Look → similarity."""
    texts: dict[str, tuple[Piece, ...]] = Field({})
    """`training`, `test` → the text in pieces."""

    def text(self, side: Literal["training", "test"]) -> str:
        """Return one of the two texts, whole."""
        return "".join(words for words, _ in self.texts.get(side, ()))


Flagged = dict[str, dict[str, int]]
"""n of the n-grams → `ge`, `gt` → benchmark questions whose similarity is at or above the threshold, or above it."""


class GateFacts(Facts):
    """What the search for contamination found."""

    policy: Literal["drop", "stop", "report"] = "drop"
    threshold: float | None = None
    stop_words: str = "stop words"
    n_training: int = 0
    n_tests: int = 0
    flagged: Flagged = Field({})
    by_origin: dict[str, Flagged] = Field({})
    by_benchmark: dict[str, Flagged] = Field({})
    looks: dict[str, dict[str, int]] = Field({})
    """Look → `tests`, `rows` that it found in some pair."""
    pairs: tuple[AlikePair, ...] = ()
    """The most alike, at most `MAX_PAIRS`."""
    screened: dict[str, int] = Field({})
    """Screen's reason → rows."""
    colliding_rows: int = 0


@stage("gate", version=4, settings=GateSettings, facts=GateFacts)
def gate(
    out: Output,
    settings: GateSettings,
    taught: Artifact,
    benchmarks: Artifact,
    screens: Sequence[Screen],
) -> GateFacts:
    """Write what may be trained on. Raises DataError under the policy `stop` where something collides.

    Books every lesson and problem as kept or rejected: with the screen's reason, or as `contaminated`.
    """
    tests = list(benchmarks.read(Problem))
    out.progress.begin("contamination gate", taught.count("lessons") + taught.count("problems"))
    screened = _screened(taught, screens)
    training = (r.question for r in _rows(taught) if r.id not in screened)
    asked, advance, spread = [t.question for t in tests], out.progress.advance, out.machines.in_blocks
    found = search(training, asked, settings, tick=advance, in_blocks=spread, max_pairs=MAX_PAIRS)
    seeds = _seeds_only(taught, screened, tests, settings)
    colliding, alike = _colliding(found, settings), most_alike(found, MAX_PAIRS)
    rows = _named(taught, screened, {*colliding, *(row for row, _, _ in alike)})
    reasons = dict(sorted(Counter(reason for reason, _ in screened.values()).items()))
    facts = _facts(settings, found, tests, seeds, _shown(alike, taught, rows, tests))
    facts = facts.model_copy(update={"screened": reasons, "colliding_rows": len(colliding)})
    if settings.policy == "stop" and colliding:
        raise DataError(
            f"{len(colliding)} training problems are too like a benchmark question (first: "
            f"`{rows[min(colliding)][0]}`). Take them out of the seeds, or set `gate.policy: drop`"
        )
    contaminated = {rows[i][0]: tests[t].id for i, t in colliding.items()} if settings.policy == "drop" else {}

    def kept(table: Iterable[Row]) -> Iterator[Row]:
        for row in table:
            if row.id in screened:
                reason, detail = screened[row.id]
                out.reject(Rejected(item=row.id, reason=reason, detail=detail, text=row.question))
            elif row.id in contaminated:
                out.reject(Rejected(item=row.id, reason="contaminated", detail=contaminated[row.id], text=row.question))
            else:
                out.keep()
                yield row

    out.write("lessons", kept(taught.read(Lesson)))
    out.write("problems", kept(taught.read(Problem)))
    out.progress.end()
    return facts


def _rows(taught: Artifact) -> Iterator[Lesson | Problem]:
    yield from taught.read(Lesson)
    yield from taught.read(Problem)


def _named(taught: Artifact, screened: Mapping[str, object], wanted: Collection[int]) -> dict[int, tuple[str, str]]:
    """Return id and origin of the rows wanted, by their number among those that were searched."""
    every = (row for record in (Lesson, Problem) for row in taught.columns(record, "id", "origin"))
    searched = (row for row in every if row[0] not in screened)
    return {i: (row[0], row[1]) for i, row in enumerate(searched) if i in wanted}


def _screened(taught: Artifact, screens: Sequence[Screen]) -> dict[str, tuple[str, str]]:
    """Return id → (reason, what it collides with) for every row that a screen hits; the first screen that does counts."""
    hit: dict[str, tuple[str, str]] = {}
    for row in _rows(taught) if screens else ():
        for screen in screens:
            collision = screen(row.question)
            if collision is not None:
                hit[row.id] = (screen.reason, collision)
                break
    return hit


def _seeds_only(
    taught: Artifact, screened: dict[str, tuple[str, str]], tests: Sequence[Problem], settings: GateSettings
) -> SearchResult:
    """The paper's other count: against the seeds alone, with their own document frequencies."""
    seeds = (r.question for r in _rows(taught) if r.id not in screened and r.origin == "seed")
    return search(seeds, [t.question for t in tests], settings, looks=("paper",))


def _colliding(found: SearchResult, settings: GateSettings) -> dict[int, int]:
    """Return training row → the test question it is most like, among the looks that count."""
    thresholds: dict[Look, float] = {
        "every_pair": settings.threshold,
        "containment": settings.containment_threshold,
        "masked": settings.masked_threshold,
    }
    worst: dict[int, Pair] = {}
    for pair in found.pairs:
        counts = pair.look in settings.drop_on and (settings.at == "ge" or pair.score > thresholds[pair.look])
        if counts and (pair.row not in worst or pair.score > worst[pair.row].score):
            worst[pair.row] = pair
    return {row: pair.test for row, pair in sorted(worst.items())}


def _shown(
    alike: Sequence[tuple[int, int, dict[str, float]]],
    taught: Artifact,
    rows: Mapping[int, tuple[str, str]],
    tests: Sequence[Problem],
) -> tuple[AlikePair, ...]:
    """The most alike pairs in full: each pair once, with every look that found it."""
    wanted = {rows[row][0] for row, _, _ in alike}
    texts = {r.id: r.question for r in _rows(taught) if r.id in wanted}
    return tuple(
        AlikePair(
            id=rows[row][0],
            origin=rows[row][1],
            test_id=tests[test].id,
            benchmark=tests[test].source,
            scores=scores,
            texts=side_by_side(texts[rows[row][0]], tests[test].question),
        )
        for row, test, scores in alike
    )


def _facts(
    settings: GateSettings,
    found: SearchResult,
    tests: Sequence[Problem],
    seeds: SearchResult,
    shown: tuple[AlikePair, ...],
) -> GateFacts:
    by_benchmark: dict[str, list[int]] = {}
    for i, test in enumerate(tests):
        by_benchmark.setdefault(test.source, []).append(i)
    flagged = found.flagged(settings.threshold)
    return GateFacts(
        policy=settings.policy,
        threshold=settings.threshold,
        stop_words=f"NLTK's {len(stop_words())}",
        n_training=found.n_rows,
        n_tests=found.n_tests,
        flagged=flagged,
        by_origin={"seed": seeds.flagged(settings.threshold), "all": flagged},
        by_benchmark={name: found.flagged(settings.threshold, own) for name, own in sorted(by_benchmark.items())},
        looks=looks_found(found),
        pairs=shown,
    )
