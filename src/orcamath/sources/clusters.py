"""Near-duplicate clusters across all sources, and the split that a set without official splits gets from them.

Word-problem sets copy from each other (111 texts of AddSub are in SingleEq, 154 of SingleOp in ASDiv), so one set's training
half can be another's test. Two problems are near when their texts, numbers masked, share at least `NEAR` of their word
pairs (Jaccard); a cluster is a connected component of near problems. It never straddles two splits that are drawn here: it is for
testing if an official test problem is in it, else for training or development if an official one of these is, else by a hash
of its name (20 % test, 10 % dev, unless the recipe says otherwise).

Method: MinHash (Broder 1997) with 64 hashes of which one byte each is kept (b-bit MinHash, Li & König 2010), 16 bands of 4
bytes to find candidates, the share of equal bytes to decide. Memory: `BYTES_A_PROBLEM` each; texts are not kept.
"""

import math
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt
from pydantic import Field

from orcamath.records import Problem, Split
from orcamath.store.facts import Fact
from orcamath.text.minhash import BATCH, minima
from orcamath.text.unspaced import CHARACTER, LETTERS
from orcamath.text.words import WORDS_TO_MASK, signs

__all__ = [
    "NEAR",
    "Clusters",
    "SharedClusters",
    "Sketches",
    "exact_cluster",
    "hashed_split",
    "near_pairs",
    "shingles",
    "words",
]

NEAR = 0.7
HASHES, BAND = 64, 4
BYTES_A_PROBLEM = 8 + 8 + HASHES + 4 + 1 + 8
"""Problem id, text key, sketch, source, split, cluster."""
LEAST_EQUAL = math.ceil(HASHES * (NEAR * 255 / 256 + 1 / 256))
"""Bytes that near sketches share: one in 256 agrees by chance, so the shared part is (agreeing − 1/256) / (1 − 1/256)."""
MAX_GROUP = 256
MAX_PARTS = 200
"""Of more parts than that the overlap is not told two by two: their rows name a page, and no data set, as their source."""

_WORD = re.compile(rf"[^\W{LETTERS}]+|{CHARACTER}")
_WORD_ASCII = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+")
_SPLITS: tuple[Split | None, ...] = (None, "train", "dev", "test")
# the 64 hash functions: fixed by name, since a generator's stream may differ between versions of numpy
_HASHED = np.frombuffer(
    b"".join(blake2b(f"minhash {i}".encode(), digest_size=16).digest() for i in range(HASHES)), "<u8"
)
_A, _B = _HASHED[0::2] | np.uint64(1), _HASHED[1::2]


def words(text: str) -> list[str]:
    """Return a text's words and numbers in lower case: what two spellings of one problem have in common.

    Where a script has no blanks between words, each character is one.
    """
    return (_WORD_ASCII if text.isascii() else _WORD).findall(text.lower())


def _text_key(text: str, besides: str = "") -> int:
    """Return 64 bits that name a text's words, and what is to tell it apart besides."""
    told = [*words(text), besides] if besides else words(text)
    return int.from_bytes(blake2b(" ".join(told).encode(), digest_size=8).digest(), "big")


def exact_cluster(text: str) -> str:
    """Return the cluster of a text that is compared word for word only."""
    return f"{_text_key(text, signs(text)):016x}"


def hashed_split(cluster: str, test: int = 20, dev: int = 10) -> Split:
    """Draw a split from a cluster's name: so many per cent test and dev, the rest train; the same one in every run."""
    place = int.from_bytes(blake2b(b"split" + cluster.encode(), digest_size=8).digest(), "big") % 100
    return "test" if place < test else "dev" if place < test + dev else "train"


def shingles(text: str) -> set[str]:
    """Return what texts are compared by: pairs of words, numbers masked unless they are all there is (`387 x 387 = ?`)."""
    tokens = words(text)
    if sum(not t[0].isdigit() for t in tokens) >= WORDS_TO_MASK:
        tokens = _NUMBER.sub("0", " ".join(tokens)).split(" ")
    return {f"{a} {b}" for a, b in pairwise(tokens)} or set(tokens) or {""}


def _sketched(texts: Sequence[str]) -> bytes:
    """Return the sketches of some texts, HASHES bytes each."""
    least = minima([[crc32(pair.encode()) for pair in shingles(text)] for text in texts], _A, _B)
    kept = (least >> np.uint64(29)) & np.uint64(255)
    return kept.astype(np.uint8).tobytes()


class SharedClusters(Fact):
    """What the parts that were read have in common, two by two (`gsm8k ∩ svamp`)."""

    texts: dict[str, int] = Field({})
    """Part → its distinct texts."""
    same_text: dict[str, int] = Field({})
    """Two parts → distinct texts that both have."""
    near: dict[str, int] = Field({})
    """Two parts → near-duplicate clusters that both have."""


class Clusters(NamedTuple):
    """What became of every problem that was sketched, by its place in the order they came in."""

    names: npt.NDArray[np.uint64]
    splits: list[Split]
    ids: npt.NDArray[np.uint64]
    overlap: SharedClusters

    def name(self, place: int) -> str:
        """Return a problem's cluster."""
        return f"{int(self.names[place]):016x}"

    def holds(self, place: int, problem: Problem) -> bool:
        """Tell whether that problem stood at that place when it was sketched."""
        return place < len(self.ids) and int(self.ids[place]) == int(problem.id[:16], 16)


@dataclass
class Sketches:
    """The first pass: what is kept of each problem."""

    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    keys: "array[int]" = field(default_factory=lambda: array("Q"))
    bytes_: bytearray = field(default_factory=bytearray)
    """Sketches, HASHES bytes each, but for those of the texts below."""
    texts: list[str] = field(default_factory=list)
    """The last few, not sketched yet."""
    parts: "array[int]" = field(default_factory=lambda: array("I"))
    official: "array[int]" = field(default_factory=lambda: array("B"))
    part_names: dict[str, int] = field(default_factory=dict)
    """Source and split → number, in the order in which they came."""

    def add(self, problem: Problem, split: Split | None) -> None:
        """Take one problem in; `split` is None where its set has none."""
        part = f"{problem.source}/{split}" if split else problem.source
        self.ids.append(int(problem.id[:16], 16))
        self.keys.append(_text_key(problem.question))
        self.texts.append(problem.question)
        if len(self.texts) == BATCH:
            self._sketch()
        self.parts.append(self.part_names.setdefault(part, len(self.part_names)))
        self.official.append(_SPLITS.index(split))

    def __len__(self) -> int:
        """Return how many problems were taken in."""
        return len(self.ids)

    def table(self) -> npt.NDArray[np.uint8]:
        """Return all sketches, shape (problems, HASHES)."""
        if self.texts:
            self._sketch()
        return np.frombuffer(self.bytes_, np.uint8).reshape(len(self), HASHES)

    def _sketch(self) -> None:
        self.bytes_ += _sketched(self.texts)
        self.texts.clear()

    def cluster(self, test: int = 20, dev: int = 10) -> Clusters:
        """Join what is near, name every cluster by its least text, and give each problem its split (see `hashed_split`)."""
        n = len(self)
        keys = np.frombuffer(self.keys, np.uint64, n)
        roots = _join(keys, self.table())
        names = np.full(n, np.iinfo(np.uint64).max, np.uint64)
        np.minimum.at(names, roots, keys)
        names = names[roots]
        official = np.frombuffer(self.official, np.uint8, n)
        ids = np.frombuffer(self.ids, np.uint64, n)
        return Clusters(names, self._splits(names, official, test, dev), ids, self._overlap(names, keys))

    def _splits(
        self, names: npt.NDArray[np.uint64], official: npt.NDArray[np.uint8], test: int, dev: int
    ) -> list[Split]:
        # precedence inside a cluster: an official test problem, then train, then dev
        rank = np.array([0, 2, 1, 3], np.uint8)
        clusters, place = np.unique(names, return_inverse=True)
        strongest = np.zeros(len(clusters), np.uint8)
        np.maximum.at(strongest, place, rank[official])
        by_rank: tuple[Split | None, ...] = (None, "dev", "train", "test")
        drawn = [
            by_rank[r] or hashed_split(f"{int(c):016x}", test, dev) for c, r in zip(clusters, strongest, strict=True)
        ]
        return [_SPLITS[o] or drawn[p] for o, p in zip(official, place, strict=True)]

    def _overlap(self, names: npt.NDArray[np.uint64], keys: npt.NDArray[np.uint64]) -> SharedClusters:
        """Count what every two parts have in common; nothing where there are more than MAX_PARTS."""
        if len(self.part_names) > MAX_PARTS:
            return SharedClusters()
        parts = np.frombuffer(self.parts, np.uint32, len(self))
        return SharedClusters(
            texts={p: len(np.unique(keys[parts == i])) for p, i in self.part_names.items()},
            same_text=self._shared(keys, parts),
            near=self._shared(names, parts),
        )

    def _shared(self, values: npt.NDArray[np.uint64], parts: npt.NDArray[np.uint32]) -> dict[str, int]:
        names, seen = list(self.part_names), Counter[str]()
        # unique (value, part), then the parts of each value, pairwise
        order = np.lexsort((parts, values))
        value, part = values[order], parts[order]
        new = np.ones(len(order), np.bool_)
        new[1:] = (value[1:] != value[:-1]) | (part[1:] != part[:-1])
        value, part = value[new], part[new]
        borders = np.flatnonzero(np.diff(value)) + 1
        for group in np.split(part, borders):
            if len(group) > 1:
                for a, left in enumerate(group):
                    for right in group[a + 1 :]:
                        seen[" ∩ ".join(sorted((names[left], names[right])))] += 1
        return dict(sorted(seen.items()))


def near_pairs(sketches: Sketches) -> Iterator[tuple[int, int]]:
    """Yield the places of all pairs that are near; a pair may come more than once."""
    return _candidates(np.frombuffer(sketches.keys, np.uint64, len(sketches)), sketches.table(), _all_near)


def _join(keys: npt.NDArray[np.uint64], sketches: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return for every problem the first one of its cluster."""
    parent = list(range(len(keys)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for left, right in _candidates(keys, sketches, _connected):
        a, b = root(left), root(right)
        if a != b:
            parent[max(a, b)] = min(a, b)
    return np.array([root(i) for i in range(len(keys))], np.int64)


Near = Callable[[npt.NDArray[np.uint8]], Iterator[tuple[int, npt.NDArray[np.int64]]]]
"""Sketches of a block in, (row, other rows near it) out."""


def _candidates(keys: npt.NDArray[np.uint64], sketches: npt.NDArray[np.uint8], near: Near) -> Iterator[tuple[int, int]]:
    """Yield pairs that are near: equal texts, and of each block that shares a band those that `near` finds."""
    for group in _groups(keys):
        yield from ((int(group[0]), int(i)) for i in group[1:])
    bands = sketches.view(np.uint32).reshape(len(keys), HASHES // BAND)
    for b in range(HASHES // BAND):
        for group in _groups(bands[:, b]):
            for block in _blocks(group, sketches):
                for row, others in near(sketches[block]):
                    yield from ((int(block[row]), int(other)) for other in block[others])


def _groups(values: npt.NDArray[np.generic]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the places of every value that stands at two or more."""
    order = np.argsort(values, kind="stable")
    edges = np.concatenate([[0], np.flatnonzero(np.diff(values[order])) + 1, [len(values)]])
    for i in np.flatnonzero(np.diff(edges) > 1):
        yield order[edges[i] : edges[i + 1]]


def _blocks(members: npt.NDArray[np.int64], sketches: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield what is compared each with each: all, or where one template has thousands of fillings, neighbours in sorted order."""
    if len(members) <= MAX_GROUP:
        yield members
        return
    # the last byte counts first
    words = np.ascontiguousarray(sketches[members][:, ::-1]).view(">u8").astype(np.uint64)
    members = members[np.lexsort(words.T[::-1])]
    for i in range(0, len(members), MAX_GROUP // 2):
        yield members[i : i + MAX_GROUP]


def _all_near(rows: npt.NDArray[np.uint8]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    for i in range(len(rows) - 1):
        yield i, np.flatnonzero(_is_near(rows[i + 1 :], rows[i])) + i + 1


def _connected(rows: npt.NDArray[np.uint8]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Yield only as many near pairs as connect each component: a row that was reached is not compared again."""
    rest = np.arange(len(rows))
    while len(rest) > 1:
        reached, rest = [int(rest[0])], rest[1:]
        while reached and len(rest):
            row = reached.pop()
            near = _is_near(rows[rest], rows[row])
            yield row, rest[near]
            reached += rest[near].tolist()
            rest = rest[~near]


def _is_near(rows: npt.NDArray[np.uint8], row: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Tell of every sketch whether it and `row` are near."""
    near: npt.NDArray[np.bool_] = (rows == row).sum(axis=1) >= LEAST_EQUAL
    return near
