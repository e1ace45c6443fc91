"""The whole search of training texts against test questions: the paper's procedure, and two further looks.

Two passes over the training texts, the second from a spool of word ids on disk, so that memory stays flat: the first counts
document frequencies, the second searches. Looks:

- `paper`      the ten nearest rows of each test question by TF-IDF cosine, then Jaccard of n-grams without stop words;
- `every_pair` the same Jaccard over every pair, not only the nearest ten: ten copies of one question hide an eleventh;
- `containment` the share of the question's long n-grams (8 words, stop words kept) that the row has: copies inside longer text;
- `masked`     Jaccard of short n-grams, stop words kept, every number the same: the question with other numbers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from orcamath.contamination.neighbours import Nearest, counts, nearest_rows
from orcamath.contamination.overlap import Overlap, ngrams
from orcamath.contamination.spool import Spool
from orcamath.contamination.words import MAX_ROWS, Block, Vocabulary, content, numbers_masked
from orcamath.errors import DataError
from orcamath.machines import InBlocks, one_by_one
from orcamath.records import Settings
from orcamath.text.minhash import jaccard

__all__ = ["LOOKS", "Look", "Pair", "SearchResult", "SearchSettings", "search"]

Look = Literal["paper", "every_pair", "containment", "masked"]
LOOKS: tuple[Look, ...] = ("paper", "every_pair", "containment", "masked")


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
    """Sorted by look, test and row; for `paper` and `every_pair` at the shortest n."""
    nearest: Nearest

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
) -> SearchResult:
    """Search training texts, read once, for the test questions.

    `tick` is told how many rows were read; `in_blocks` does what the further looks find in each block of rows. Raises DataError
    for more than MAX_ROWS test questions.
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
        pairs += _further_looks(asked, spool, vocabulary, settings, looks, in_blocks)
        return SearchResult(spool.n_rows, len(tests), best, sorted(pairs), near)


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


def _further_looks(
    asked: Block,
    spool: Spool,
    vocabulary: Vocabulary,
    settings: SearchSettings,
    looks: Sequence[Look],
    in_blocks: InBlocks,
) -> list[Pair]:
    numbers, n_stop = vocabulary.numbers(), vocabulary.n_stop
    ways: dict[Look, tuple[Callable[[Block], Block], Overlap]] = {}

    def way(look: Look, seen: Callable[[Block], Block], overlap: Callable[[Block], Overlap]) -> None:
        if look in looks:
            ways[look] = (seen, overlap(seen(asked)))

    s = settings
    way("every_pair", lambda b: content(b, n_stop), lambda t: Overlap(t, min(s.ngrams), "jaccard", s.threshold))
    way("containment", lambda b: b, lambda t: Overlap(t, s.containment_n, "containment", s.containment_threshold))
    way("masked", lambda b: numbers_masked(b, numbers), lambda t: Overlap(t, s.masked_n, "jaccard", s.masked_threshold))

    def hits(block: Block) -> tuple[int, list[Pair]]:
        return block.n_rows, [
            Pair(look, int(row), int(test), overlap.n, float(score))
            for look, (seen, overlap) in ways.items()
            for row, test, score in zip(*overlap(seen(block)), strict=True)
        ]

    pairs: list[Pair] = []
    first = 0
    for n_rows, found in in_blocks(hits, spool.blocks()) if ways else ():
        pairs += [pair._replace(row=first + pair.row) for pair in found]
        first += n_rows
    return pairs
