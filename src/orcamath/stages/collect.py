"""Stage `collect`: all problems in one table, each of them once, those that pass the filters of form.

In: seeds and what agents made of them. Out: problems; every drop points to the record it repeats, and the first in input order
stays. Three ways to repeat: the same text after normalising; nearly the same text with the same numbers and the same asked
quantity; for siblings (Ask-Me-Anything's children of one seed) the same hidden number asked for by the same question,
whatever their texts share. Siblings' drops are counted apart.

Two passes over the input; in memory 100 bytes a problem (80 of them a MinHash signature), 8 a pair that is compared, and the
problems that later ones are still compared with.

Deviation: the paper does not say whether it removed duplicates; all of it is ours and can be turned off.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Literal
from zlib import crc32

import numpy as np
import numpy.typing as npt
from pydantic import Field

from orcamath.agents.wellformed import flaw, numbers
from orcamath.duplicates.likeness import Likeness, hidden_value, likeness, trace
from orcamath.duplicates.minhash import BANDS, BITS, Signatures, agreeing, candidates, later_and_earlier, signatures
from orcamath.records import Problem, Rejected, Settings
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.stage import stage
from orcamath.text.minhash import BATCH
from orcamath.text.words import ENGLISH, all_signs, normal_with_signs

__all__ = ["CollectFacts", "CollectSettings", "collect", "looks_english"]


BLOCK = 16 * BATCH
"""Problems that are marked together, here or elsewhere."""


class CollectSettings(Settings):
    """Settings of collecting."""

    exact: bool = True
    """Drop what has the same text as an earlier problem, but for case, punctuation and spaces."""
    near: bool = True
    """Drop near-duplicates: alike in text, with the same numbers in the same order, asking for the same quantity; never two whose
    known answers differ."""
    near_jaccard: float = Field(default=0.7, gt=0, le=1)
    """Share of three-word runs that near-duplicates have in common, names of people apart."""
    siblings: bool = True
    """Drop children of one seed that hide the same number and ask the same."""
    language: Literal["en"] | None = None
    """`en`, the one language that is told, drops what does not read as English; None lets every language pass."""
    min_chars: int = Field(default=0, ge=0)
    max_chars: int | None = Field(default=None, ge=1)
    solvable: bool = False
    """Drop what cannot be solved by its form: no question, no number, cut off, numbers that contradict each other."""


class CollectFacts(Facts):
    """What was put together."""

    problems_in: int = 0
    duplicates: dict[str, int] = Field({})
    """`siblings`, `others` → problems left out as repeating another."""


@dataclass
class _Marks:
    """What pass one keeps of problems: arrays with one row a problem."""

    text: npt.NDArray[np.uint32]
    near: Signatures
    sibling: npt.NDArray[np.uint32]
    dropped: dict[int, str] = field(default_factory=dict)
    """Row → reason, for what the filters drop."""

    @classmethod
    def of(cls, n: int, settings: CollectSettings) -> "_Marks":
        """Begin with `n` problems of which nothing is known."""
        n_bands, n_bits = (BANDS, BITS) if settings.near else (0, 0)
        near = Signatures(np.zeros((n, n_bands), np.uint32), np.zeros((n, n_bits), np.uint64))
        return cls(np.zeros(n, np.uint32), near, np.zeros(n, np.uint32))

    def put(self, first: int, found: "_Marks") -> int:
        """Take over what was found of a block that begins at row `first`; returns the row behind it."""
        end = first + len(found.text)
        self.text[first:end], self.sibling[first:end] = found.text, found.sibling
        self.near.bands[first:end], self.near.bits[first:end] = found.near
        self.dropped |= {first + row: reason for row, reason in found.dropped.items()}
        return end


@stage("collect", version=8, settings=CollectSettings, facts=CollectFacts)
def collect(out: Output, settings: CollectSettings, parts: Sequence[Artifact]) -> CollectFacts:
    """Write every problem of the parts that passes the filters and repeats no earlier one."""
    n = sum(part.count("problems") for part in parts)
    out.progress.begin("collect", 2 * n)
    marks = _mark(parts, settings, n, out)
    drops = Counter[str]()
    out.write("problems", _kept(out, settings, parts, marks, _earlier(marks, settings), drops))
    out.progress.end()
    return CollectFacts(problems_in=n, duplicates=dict(sorted(drops.items())))


def looks_english(text: str) -> bool:
    """Tell English by its letters and its commonest words; short texts get the benefit of the doubt."""
    letters = [c for c in text if c.isalpha()]
    if not letters or sum(c.isascii() for c in letters) < 0.95 * len(letters):
        return False
    words = [w.strip(".,?!;:()\"'").lower() for w in text.split()]
    return len(words) < 8 or sum(w in ENGLISH for w in words) >= 0.1 * len(words)


def _mark(parts: Sequence[Artifact], settings: CollectSettings, n: int, out: Output) -> _Marks:
    """First pass: mark all problems, block by block."""
    marks, rows, first = _Marks.of(n, settings), _read(parts), 0
    blocks = iter(lambda: list(islice(rows, BLOCK)), [])
    for found in out.machines.in_blocks(partial(_marked, settings), blocks):
        end = marks.put(first, found)
        out.progress.advance(end - first)
        first = end
    return marks


def _marked(settings: CollectSettings, block: Sequence[Problem]) -> _Marks:
    """Mark the problems of one block."""
    marks, fit = _Marks.of(len(block), settings), []
    for row, problem in enumerate(block):
        if reason := _unfit(problem, settings):
            marks.dropped[row] = reason
            continue
        fit.append(row)
        marks.text[row] = crc32(normal_with_signs(problem.asked).encode())
        if problem.target is not None:
            name = "\0".join((*problem.parents, problem.origin, hidden_value(problem.target)))
            marks.sibling[row] = crc32(name.encode()) | 1
    for batch in (fit[i : i + BATCH] for i in range(0, len(fit), BATCH) if settings.near):
        told = [trace(block[row].question) for row in batch]
        marks.near.bands[batch], marks.near.bits[batch] = signatures(
            [s.runs for s in told], [crc32(repr(s.numbers).encode()) for s in told]
        )
    return marks


def _unfit(problem: Problem, settings: CollectSettings) -> str | None:
    text = problem.question
    if len(text) < settings.min_chars:
        return "too_short"
    if settings.max_chars is not None and len(text) > settings.max_chars:
        return "too_long"
    if settings.language == "en" and not looks_english(text):
        return "other_language"
    if settings.solvable:
        return flaw(text) or ("no_number" if problem.answer_kind == "number" and not numbers(text) else None)
    return None


class _Earlier:
    """For every row the earlier rows that it may repeat."""

    def __init__(self, n: int, pairs: npt.NDArray[np.uint64]) -> None:
        """`pairs` are among `n` rows, in any order and perhaps more than once."""
        later, self._rows = later_and_earlier(np.unique(pairs))
        self._starts = np.searchsorted(later, np.arange(n + 1))
        self.last_use = np.full(n, -1, np.int32)
        """By which row each is compared last; −1 where by none. Shape (n,)."""
        np.maximum.at(self.last_use, self._rows, later)

    def of(self, row: int) -> list[int]:
        """Return the earlier rows to compare a row with, first ones first."""
        found: list[int] = self._rows[self._starts[row] : self._starts[row + 1]].tolist()
        return found


def _earlier(marks: _Marks, settings: CollectSettings) -> _Earlier:
    """Find whom to compare with whom."""
    usable = np.ones(len(marks.text), np.bool_)
    usable[list(marks.dropped)] = False
    pairs = [candidates(marks.text[:, None], usable)]
    if settings.near:
        pairs.append(agreeing(candidates(marks.near.bands, usable), marks.near.bits, settings.near_jaccard))
    if settings.siblings:
        pairs.append(candidates(marks.sibling[:, None], usable & (marks.sibling > 0)))
    return _Earlier(len(marks.text), np.concatenate(pairs))


@dataclass(frozen=True)
class _Seen:
    """A problem as it is compared; `stays` is the record that stands for it: itself, or what it repeats."""

    id: str
    text: str
    like: Likeness
    family: tuple[str, ...] | None
    hidden: str | None
    answer: str | None
    """Known without a teacher."""
    stays: str
    signs: str
    """Of arithmetic, in the question."""
    options: tuple[str, ...]


def _kept(
    out: Output,
    settings: CollectSettings,
    parts: Sequence[Artifact],
    marks: _Marks,
    earlier: _Earlier,
    drops: Counter[str],
) -> Iterator[Problem]:
    """Second pass: compare each row with the few earlier ones that it may repeat, and count those that do."""
    seen: dict[int, _Seen] = {}
    for row, problem in enumerate(_read(parts)):
        out.progress.advance()
        if row in marks.dropped:
            out.reject(Rejected(item=problem.id, reason=marks.dropped[row], text=problem.question))
            continue
        reason, stays = None, problem.id
        others, is_used = earlier.of(row), earlier.last_use[row] >= 0
        if others or is_used:
            me = _seen(problem)
            for other in (seen[r] for r in others):
                if reason := _repeats(me, other, settings):
                    stays = other.stays
                    break
            if is_used:
                seen[row] = replace(me, stays=stays)
            for used in others:
                if earlier.last_use[used] == row:
                    del seen[used]
        if reason:
            drops["siblings" if reason == "repeats_sibling" else "others"] += 1
            out.reject(Rejected(item=problem.id, reason=reason, text=problem.question, repeats=stays))
        else:
            out.keep()
            yield problem


def _seen(problem: Problem) -> _Seen:
    family = (*problem.parents, problem.origin) if problem.target is not None else None
    hidden = hidden_value(problem.target) if problem.target is not None else None
    answer = hidden_value(problem.answer) if problem.answer is not None else None
    text, like = normal_with_signs(problem.asked), likeness(problem.question)
    return _Seen(
        problem.id, text, like, family, hidden, answer, problem.id, all_signs(problem.question), problem.options
    )


def _repeats(me: _Seen, other: _Seen, settings: CollectSettings) -> str | None:
    """Return the reason why `me` repeats `other`, or None."""
    siblings = me.family is not None and me.family == other.family
    if me.id == other.id or (settings.exact and me.text == other.text):
        return "repeats_sibling" if siblings else "same_text"
    if siblings:
        same = settings.siblings and me.hidden == other.hidden and me.like.like_ask(other.like)
        return "repeats_sibling" if same else None
    if me.answer is not None and other.answer is not None and me.answer != other.answer:
        return None
    if me.signs != other.signs or me.options != other.options:
        return None
    if not settings.near or me.like.numbers != other.like.numbers or not me.like.same_ask(other.like):
        return None
    return "near_duplicate" if me.like.same_story(other.like, settings.near_jaccard) else None


def _read(parts: Sequence[Artifact]) -> Iterator[Problem]:
    for part in parts:
        yield from part.read(Problem)
