"""The whole search of training texts against test questions: the paper's procedure, and two further looks.

Two passes over the training texts, the second from a spool of word ids on disk, so that memory stays flat: the first counts
document frequencies, the second searches. Looks:

- `paper`      the ten nearest rows of each test question by TF-IDF cosine, then Jaccard of n-grams without stop words;
- `every_pair` the same Jaccard over every pair, not only the nearest ten: ten copies of one question hide an eleventh;
- `containment` the share of the question's long n-grams (8 words, stop words kept) that the row has: copies inside longer text;
- `masked`     Jaccard of short n-grams, stop words kept, every number the same: the question with other numbers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from orcamath.contamination.neighbours import Nearest, counts, nearest_rows
from orcamath.contamination.overlap import Hits, Overlap, ngrams
from orcamath.contamination.spool import Spool
from orcamath.contamination.words import MAX_ROWS, Block, Ints, Vocabulary, content, numbers_masked
from orcamath.errors import DataError
from orcamath.machines import InBlocks, one_by_one
from orcamath.records import Settings
from orcamath.text.minhash import jaccard

__all__ = ["LOOKS", "Look", "Pair", "SearchResult", "SearchSettings", "search"]

Look = Literal["paper", "every_pair", "containment", "masked"]
LOOKS: tuple[Look, ...] = ("paper", "every_pair", "containment", "masked")
MAX_PAIRS = 200
"""Pairs, the most alike, of which it is kept what every look says."""
SLICE = 2_500
"""Rows whose pairs are in memory at once, before they are reduced."""


class SearchSettings(Settings):
    """What counts as the same question."""

    ngrams: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 3), min_length=1)
    """n-gram lengths for which the paper's procedure is reported."""
    threshold: float = Field(default=0.5, gt=0, le=1)
    """Jaccard from which (≥) or above which (>) a test question is flagged; both are reported."""
    top: int = Field(default=10, ge=1)
    """Nearest training rows looked at for each test question."""
    containment_n: int = Field(default=8, ge=1)
    containment_threshold: float = Field(default=0.5, gt=0, le=1)
    masked_n: int = Field(default=2, ge=1)
    masked_threshold: float = Field(default=0.5, gt=0, le=1)


class Pair(NamedTuple):
    """A training row and a test question that one look found too alike."""

    look: Look
    row: int
    test: int
    n: int
    score: float
    cosine: float = 0.0


class SearchResult(NamedTuple):
    """What a search found."""

    n_rows: int
    n_tests: int
    best: dict[int, list[float]]
    """n → the paper's score of each test question: its largest Jaccard among its nearest rows."""
    pairs: list[Pair]
    """Sorted by look, row and test; for `paper` and `every_pair` at the shortest n. Of the further looks, for each row its most
    alike test, and all there is of the most alike pairs."""
    nearest: Nearest
    tests: dict[Look, set[int]]
    """Look → the test questions in any pair, kept or not."""

    def flagged(self, threshold: float, tests: Iterable[int] | None = None) -> dict[str, dict[str, int]]:
        """Count flagged test questions, at (`ge`) and above (`gt`) the threshold, for every n."""
        chosen = range(self.n_tests) if tests is None else list(tests)
        return {
            str(n): {
                "ge": sum(scores[t] >= threshold for t in chosen),
                "gt": sum(scores[t] > threshold for t in chosen),
            }
            for n, scores in self.best.items()
        }

    def of_look(self, look: Look) -> list[Pair]:
        """Return the pairs of one look."""
        return [p for p in self.pairs if p.look == look]


def search(
    training: Iterable[str],
    tests: Sequence[str],
    settings: SearchSettings,
    looks: Sequence[Look] = LOOKS,
    tick: Callable[[int], None] = lambda _: None,
    in_blocks: InBlocks = one_by_one,
    max_pairs: int = MAX_PAIRS,
) -> SearchResult:
    """Search training texts, read once, for the test questions.

    `tick` is told how many rows were read; `in_blocks` does what the further looks find in each block of rows;
    `max_pairs` is how many of the most alike pairs are told. Raises DataError for more than MAX_ROWS test questions.
    """
    if len(tests) > MAX_ROWS:
        raise DataError(
            f"{len(tests):,} test questions are more than a search takes ({MAX_ROWS:,}); search for a part at a time"
        )
    vocabulary = Vocabulary()
    asked = vocabulary.encode(tests)
    bare = content(asked, vocabulary.n_stop)
    with Spool() as spool:
        frequency = spool.read(training, vocabulary, tick)
        n_words = len(vocabulary)
        near = nearest_rows(counts(bare, n_words), spool.counts(n_words), frequency, spool.n_rows, settings.top)
        best, pairs = _papers_step(bare, near, spool, vocabulary.n_stop, settings)
        kept = _further_looks(asked, spool, vocabulary, settings, looks, in_blocks, max_pairs)
        seen: dict[Look, set[int]] = {**kept.tests, "paper": {pair.test for pair in pairs}}
        return SearchResult(spool.n_rows, len(tests), best, sorted({*pairs, *kept.best, *kept.top}), near, seen)


def _papers_step(
    tests: Block, near: Nearest, spool: Spool, n_stop: int, settings: SearchSettings
) -> tuple[dict[int, list[float]], list[Pair]]:
    """Jaccard of each test question with its nearest rows, for every n; pairs at the shortest."""
    wanted: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for test, (rows, cosines) in enumerate(zip(near.rows.tolist(), near.cosines.tolist(), strict=True)):
        for row, cosine in zip(rows, cosines, strict=True):
            wanted[row].append((test, round(cosine, 9)))
    best = {n: [0.0] * tests.n_rows for n in settings.ngrams}
    shortest = min(settings.ngrams)
    asked = [{n: ngrams(tests.row(t), n) for n in settings.ngrams} for t in range(tests.n_rows)]
    pairs: list[Pair] = []
    first = 0
    for block in spool.content(n_stop):
        for row in range(first, first + block.n_rows):
            if row not in wanted:
                continue
            words = block.row(row - first)
            for n in settings.ngrams:
                own = ngrams(words, n)
                for test, cosine in wanted[row]:
                    score = jaccard(asked[test][n], own)
                    best[n][test] = max(best[n][test], score)
                    if n == shortest and score >= settings.threshold:
                        pairs.append(Pair("paper", row, test, n, score, cosine))
        first += block.n_rows
    return best, pairs


class _Kept(NamedTuple):
    """What is kept of all pairs that the further looks find in some rows: no more than is told, however alike texts are."""

    best: list[Pair]
    """Of each look and row the pair with the highest score; of two the earlier test."""
    top: list[Pair]
    """Of the most alike rows and tests what every look says of them."""
    tests: dict[Look, set[int]]
    """Look → the tests in any pair."""

    def add(self, other: "_Kept", first: int, max_pairs: int) -> "_Kept":
        """Take over what was kept of rows that begin at row `first`."""
        self.best.extend(pair._replace(row=first + pair.row) for pair in other.best)
        top = [*self.top, *(pair._replace(row=first + pair.row) for pair in other.top)]
        for look, tests in other.tests.items():
            self.tests.setdefault(look, set()).update(tests)
        return self._replace(top=_most_alike(top, max_pairs))


def _most_alike(pairs: Iterable[Pair], limit: int) -> list[Pair]:
    """Return the pairs of the `limit` rows and tests with the highest score of any look, as `pairs.most_alike` ranks them."""
    found: dict[tuple[int, int], list[Pair]] = defaultdict(list)
    for pair in pairs:
        found[pair.row, pair.test].append(pair)
    ranked = sorted(found, key=lambda place: (-max(round(pair.score, 4) for pair in found[place]), place))
    return [pair for place in ranked[:limit] for pair in found[place]]


def _kept(found: Mapping[Look, Hits], n: Mapping[Look, int], max_pairs: int) -> _Kept:
    """Reduce the pairs of some rows to what is kept of them."""
    best: list[Pair] = []
    for look, hits in found.items():
        order = np.lexsort((hits.tests, -hits.scores, hits.rows))
        _, firsts = np.unique(hits.rows[order], return_index=True)
        best += _pairs(look, n[look], hits, order[firsts])
    place = {look: (hits.rows << 32) | hits.tests for look, hits in found.items()}
    places, at = np.unique(np.concatenate(list(place.values())), return_inverse=True)
    scores, of = np.unique(np.concatenate([hits.scores for hits in found.values()]), return_inverse=True)
    highest = np.zeros(len(places))
    np.maximum.at(highest, at, np.array([round(score, 4) for score in scores.tolist()])[of])
    chosen = places[np.lexsort((places, -highest))[:max_pairs]]
    top = [
        pair
        for look, hits in found.items()
        for pair in _pairs(look, n[look], hits, np.flatnonzero(np.isin(place[look], chosen)))
    ]
    return _Kept(best, top, {look: set(np.unique(hits.tests).tolist()) for look, hits in found.items()})


def _pairs(look: Look, n: int, hits: Hits, at: Ints) -> list[Pair]:
    columns = (hits.rows[at].tolist(), hits.tests[at].tolist(), hits.scores[at].tolist())
    return [Pair(look, row, test, n, score) for row, test, score in zip(*columns, strict=True)]


def _further_looks(
    asked: Block,
    spool: Spool,
    vocabulary: Vocabulary,
    settings: SearchSettings,
    looks: Sequence[Look],
    in_blocks: InBlocks,
    max_pairs: int,
) -> _Kept:
    numbers, n_stop = vocabulary.numbers(), vocabulary.n_stop
    ways: dict[Look, tuple[Callable[[Block], Block], Overlap]] = {}

    def way(look: Look, seen: Callable[[Block], Block], overlap: Callable[[Block], Overlap]) -> None:
        if look in looks:
            ways[look] = (seen, overlap(seen(asked)))

    s = settings
    way("every_pair", lambda b: content(b, n_stop), lambda t: Overlap(t, min(s.ngrams), "jaccard", s.threshold))
    way("containment", lambda b: b, lambda t: Overlap(t, s.containment_n, "containment", s.containment_threshold))
    way("masked", lambda b: numbers_masked(b, numbers), lambda t: Overlap(t, s.masked_n, "jaccard", s.masked_threshold))
    n = {look: overlap.n for look, (_, overlap) in ways.items()}

    def hits(block: Block) -> tuple[int, _Kept]:
        kept = _Kept([], [], {})
        for first in range(0, block.n_rows, SLICE):
            part = block.part(first, first + SLICE)
            found = {look: overlap(seen(part)) for look, (seen, overlap) in ways.items()}
            kept = kept.add(_kept(found, n, max_pairs), first, max_pairs)
        return block.n_rows, kept

    kept, first = _Kept([], [], {}), 0
    for n_rows, found in in_blocks(hits, spool.blocks()) if ways else ():
        kept = kept.add(found, first, max_pairs)
        first += n_rows
    return kept
