"""One pass over the sources of a stage, or two where near-duplicates count: the first sketches, the second yields.

Nothing is kept of a problem between the passes but its sketch, so the sources are read twice, in the same order.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from pydantic import Field

from orcamath.errors import DataError
from orcamath.ports import Progress
from orcamath.records import HELD_OUT, Problem, Rejected, Split
from orcamath.sources import clusters
from orcamath.sources.choosing import BenchmarksSettings, ReadingSettings
from orcamath.sources.mixture import Mixture
from orcamath.sources.source import Found, Reader, SourceSettings, Unsplit, is_generated, place_of
from orcamath.store.artifacts import Output
from orcamath.store.facts import Facts

__all__ = ["Passes", "ReadingFacts", "counted", "nothing_to_take"]


class ReadingFacts(Facts):
    """What the sources of a stage hold."""

    by_source: dict[str, int] = Field({})
    """Source → problems taken."""
    read: dict[str, dict[str, int]] = Field({})
    """Source → split → problems there are."""
    licences: dict[str, dict[str, int]] = Field({})
    """Source → licence → problems taken; empty where none is stated."""
    overlap: clusters.SharedClusters | None = None
    """None where near-duplicates do not count."""
    mixture: Mixture | None = None
    """Of seeds: the paper's mixture beside ours, where it was asked for."""


class Passes:
    """Reads the sources of one stage and keeps its books."""

    def __init__(
        self,
        out: Output,
        settings: ReadingSettings,
        readers: Mapping[str, Reader],
        *,
        needs_gold: bool = False,
    ) -> None:
        self.out, self.settings, self.readers, self.needs_gold = out, settings, readers, needs_gold
        self.numbers_only = isinstance(settings, BenchmarksSettings) and settings.answers == "number"
        self.of_each = settings.limit if isinstance(settings, BenchmarksSettings) else None
        self.taken: Counter[str] = Counter()
        """Of each benchmark: one source may hold several, and one may have several sources."""
        self.read: dict[str, Counter[str]] = {}
        self.kept: Counter[int] = Counter()
        """Of each source what is fit, by its `id`: two may have one title."""
        self.licences: dict[str, Counter[str]] = {}
        self.seen: set[int] = set()
        self.starts: dict[int, int] = {}
        self.clusters: clusters.Clusters | None = None
        if settings.clusters == "near":
            self._first_pass(out.progress)

    def _first_pass(self, progress: Progress) -> None:
        sketches = clusters.Sketches()
        progress.begin("comparing", None)
        done: dict[str, int] = {}
        for source in self.settings.named:
            if self._generated(source):
                continue
            key = repr(source.model_copy(update={"limit": None}))
            if key not in done:
                done[key] = len(sketches)
                for found in self._records(source.model_copy(update={"limit": None})):
                    problem, split = (found.problem, None) if isinstance(found, Unsplit) else (found, found.split)
                    sketches.add(problem, split)
                    progress.advance()
            self.starts[id(source)] = done[key]
        progress.end()
        self.clusters = sketches.cluster(**self.settings.shares.model_dump()) if len(sketches) else None

    def _generated(self, source: SourceSettings) -> bool:
        return source.name in self.readers and is_generated(self.readers[source.name])

    def _found(self, source: SourceSettings) -> Iterator[Found]:
        """Yield what the source's reader finds; with `whole` a set without official splits is all for testing."""
        whole = isinstance(self.settings, BenchmarksSettings) and self.settings.whole
        for found in self.readers[source.name](source):
            yield found.problem.model_copy(update={"split": "test"}) if whole and isinstance(found, Unsplit) else found

    def _records(self, source: SourceSettings, rejected: list[Rejected] | None = None) -> Iterator[Problem | Unsplit]:
        """Yield what can be read; a bad line stops the run or is put on the list."""
        if source.name not in self.readers:
            raise DataError(f"no reader was given for the source `{source.name}`")
        for found in self._found(source):
            if not isinstance(found, Rejected):
                yield found
            elif source.on_bad_line == "stop":
                place = place_of(source.path, found.item)
                raise DataError(
                    f"source `{source.name}`: `{place}` {found.detail}: {found.text[:200]!r}. Mend that line, or set "
                    f"`on_bad_line: skip` on the source to leave such lines out, counted"
                )
            elif rejected is not None:
                rejected.append(found)

    def problems(self, source: SourceSettings, splits: Sequence[Split], limit: int | None) -> Iterator[Problem]:
        """Yield the wanted problems of one source, with split and cluster, and book the ones left out."""
        if (
            self._generated(source) and self.of_each is not None
        ):  # all of it is one benchmark, so no more need be written
            limit = self.of_each if limit is None else min(limit, self.of_each)
        return islice(self._wanted(source, splits), limit)

    def _wanted(self, source: SourceSettings, splits: Sequence[Split]) -> Iterator[Problem]:
        skipped: list[Rejected] = []
        # a grammar writes what is asked of it; a file holds what it holds
        update = {"split": source.split or splits[0]} if self._generated(source) else {"limit": None}
        asked = source.model_copy(update=update)
        for place, found in enumerate(self._records(asked, skipped), start=self.starts.get(id(source), 0)):
            problem = self._placed(found, place, sketched=not self._generated(source))
            self._reject(skipped)
            self.read.setdefault(problem.source, Counter())[problem.split] += 1
            if problem.split not in splits:
                continue
            if self.of_each is not None and self.taken[self._benchmark(source, problem)] >= self.of_each:
                self.kept[id(source)] += 1
                continue
            if reason := self._unfit(problem):
                self.out.reject(reason)
                continue
            self.kept[id(source)] += 1
            self.taken[self._benchmark(source, problem)] += 1
            self.licences.setdefault(problem.source, Counter())[problem.licence] += 1
            yield problem
        self._reject(skipped)

    def _benchmark(self, source: SourceSettings, problem: Problem) -> str:
        """Return what a limit counts: sources may hold several benchmarks; of rows that each name a page the file is one."""
        known = problem.source in self.taken or len(self.taken) < clusters.MAX_PARTS
        return problem.source if known else source.title

    def _placed(self, found: Problem | Unsplit, place: int, *, sketched: bool) -> Problem:
        problem = found.problem if isinstance(found, Unsplit) else found
        if self.clusters is not None and sketched:
            if not self.clusters.holds(place, problem):
                raise DataError(f"source `{problem.source}` changed while it was being read; run again")
            return problem.model_copy(
                update={"cluster": self.clusters.name(place), "split": self.clusters.splits[place]}
            )
        cluster = clusters.exact_cluster(problem.question)
        split = (
            clusters.hashed_split(cluster, **self.settings.shares.model_dump())
            if isinstance(found, Unsplit)
            else problem.split
        )
        return problem.model_copy(update={"cluster": cluster, "split": split})

    def _unfit(self, problem: Problem) -> Rejected | None:
        if self.needs_gold and problem.answer is None:
            return Rejected(
                item=problem.id, reason="no_gold", detail="a benchmark needs its answers", text=problem.question
            )
        if self.numbers_only and problem.answer_kind != "number":
            detail = f"its answer is a {problem.answer_kind}: {problem.answer}"
            return Rejected(item=problem.id, reason="no_single_number", detail=detail, text=problem.question)
        key = int(problem.id[:16], 16)
        if key in self.seen:
            return Rejected(item=problem.id, reason="same_row", text=problem.question, repeats=problem.id)
        self.seen.add(key)
        return None

    def _reject(self, skipped: list[Rejected]) -> None:
        """Book the lines that were skipped, and empty the list."""
        for rejected in skipped:
            self.out.reject(rejected)
        skipped.clear()

    def empty(self) -> list[SourceSettings]:
        """Return the sources of the list of which no problem was taken."""
        return [s for s in self.settings.sources if not self.kept[id(s)]]

    def facts(self) -> ReadingFacts:
        """Return counts by source and split, licences, and what the parts have in common."""
        return ReadingFacts(
            by_source={name: sum(c.values()) for name, c in sorted(self.licences.items())},
            read={name: dict(sorted(c.items())) for name, c in sorted(self.read.items())},
            licences={name: dict(sorted(c.items())) for name, c in sorted(self.licences.items())},
            overlap=self.clusters.overlap if self.clusters is not None else None,
        )


def counted(problems: Iterable[Problem], out: Output) -> Iterator[Problem]:
    """Let problems through to their table, each booked as kept."""
    out.progress.begin("reading", None)
    for problem in problems:
        out.keep()
        out.progress.advance()
        yield problem
    out.progress.end()


def nothing_to_take(what: str, sources: Sequence[SourceSettings], facts: ReadingFacts) -> str:
    """Return what to say where sources gave no problem: what is there, and the way out."""
    names = ", ".join(f"`{s.title}`" for s in sources)
    if not names:
        return f"{what}: no source is named; add one under `{what}: sources:`"
    # rows may bear another name than their source's
    read = {s.title: facts.read[s.title] for s in sources if s.title in facts.read} or facts.read
    way_out = "Name the split wanted with `split:` (a row's own column of that name counts first), or mend the `path`"
    if what == "benchmarks":
        way_out += "; what is measured on needs known answers (`columns: {answer: …}`)"
    if what == "seeds" and read and all(set(splits) <= {*HELD_OUT} for splits in read.values()):
        allowed = ", ".join(s.title for s in sources)
        way_out = f"Test problems become seeds only where `allow_test: [{allowed}]` says so; name another file instead"
    there = "; ".join(
        f"{n:,} of split `{split}` in `{name}`" for name, splits in read.items() for split, n in splits.items()
    )
    return f"{what}: nothing to take from {names}. What is there: {there or 'no problem'}. {way_out}"
