"""Pairs for people to look at: the most alike first, both texts cut into pieces with the shared words marked."""

from orcamath.contamination.search import LOOKS, SearchResult
from orcamath.contamination.words import pieces, split_words, stop_words

Piece = tuple[str, bool]
"""A part of a text, and whether the other text has its words too."""
__all__ = ["looks_found", "most_alike", "side_by_side"]


def most_alike(found: SearchResult, limit: int) -> list[tuple[int, int, dict[str, float]]]:
    """Return (training row, test, score by look) of at most `limit` pairs, each once, the most alike first.

    Of more than the search was asked to keep (`max_pairs`), only what it kept.
    """
    scores: dict[tuple[int, int], dict[str, float]] = {}
    for pair in found.pairs:
        scores.setdefault((pair.row, pair.test), {})[pair.look] = round(pair.score, 4)
    ranked = sorted(scores.items(), key=lambda item: (-max(item[1].values()), item[0]))
    return [(row, test, looks) for (row, test), looks in ranked[:limit]]


def side_by_side(training: str, test: str) -> dict[str, tuple[Piece, ...]]:
    """Return both texts (`training`, `test`) in pieces that join to them; stop words are never marked on their own."""
    shared = (set(split_words(training)) & set(split_words(test))) - set(stop_words())
    return {"training": tuple(pieces(training, shared)), "test": tuple(pieces(test, shared))}


def looks_found(found: SearchResult) -> dict[str, dict[str, int]]:
    """Count, for every look, the test questions and the training rows it found in some pair."""
    return {
        look: {"tests": len(found.tests.get(look, ())), "rows": len({p.row for p in found.of_look(look)})}
        for look in LOOKS
    }
