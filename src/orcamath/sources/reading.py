"""Reading the sources a recipe names: seeds to grow from (`gather`) and benchmarks to measure on (`benchmarks`).

In → settings that name sources; out → table `problems`. A problem of a test split never becomes a seed unless its source is
named in `allow_test`. Sets without official splits get one here: by a hash of the near-duplicate cluster, over all sources
of seeds and benchmarks together, so that a text and its twin in another set fall on the same side (`clusters`).

The order is the recipe's order of sources, and file order within each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orcamath.errors import DataError
from orcamath.ports import Progress
from orcamath.records import Problem, Split
from orcamath.sources import mixture
from orcamath.sources.choosing import BenchmarksSettings, SeedsSettings, contents, together
from orcamath.sources.passes import Passes
from orcamath.sources.source import Reader, SourceSettings
from orcamath.store.artifacts import Output

__all__ = [
    "VERSION",
    "BenchmarksSettings",
    "Reader",
    "SeedsSettings",
    "SourceSettings",
    "benchmarks",
    "contents",
    "gather",
    "together",
]

VERSION = 1


def gather(out: Output, settings: SeedsSettings, readers: Mapping[str, Reader], progress: Progress) -> None:
    """Write the seeds. Raises DataError for a bad line (unless skipped), an unnamed test split, or no seed at all."""
    for source in settings.sources:
        if source.split == "test" and not _allowed(source, settings):
            raise DataError(
                f"seeds: `{source.name}` asks for its test split. Growing data from test problems spoils that benchmark; "
                f"if that is meant, add `allow_test: [{source.title}]`"
            )
    reading = Passes(out, settings, readers, progress)
    wanted = [(s, (s.split,) if s.split else _seed_splits(s, settings)) for s in settings.sources]
    streams = [reading.problems(source, splits, source.limit) for source, splits in wanted]
    problems = _in_turn(streams, settings.limit) if settings.limit else (p for stream in streams for p in stream)
    n = out.write("problems", _counted(problems, out, progress))
    out.facts |= reading.facts()
    if any(s.name == "lila" for s in settings.sources):
        out.facts["mixture"] = mixture.note(out.facts["by_source"])
    empty = [s for s in settings.sources if not reading.kept[s.title]]
    if not n or (empty and (settings.limit or len(settings.sources)) >= len(settings.sources)):
        raise DataError(_nothing("seeds", empty, out.facts))


def benchmarks(out: Output, settings: BenchmarksSettings, readers: Mapping[str, Reader], progress: Progress) -> None:
    """Write the benchmark problems, gold on each. Raises DataError for a bad line (unless skipped) or an empty benchmark."""
    reading = Passes(out, settings, readers, progress, needs_gold=True)
    limits = [min(x for x in (s.limit, settings.limit, 1 << 62) if x is not None) for s in settings.sources]
    streams = [
        reading.problems(s, (s.split or settings.split,), limit)
        for s, limit in zip(settings.sources, limits, strict=True)
    ]
    n = out.write("problems", _counted((p for stream in streams for p in stream), out, progress))
    out.facts |= reading.facts()
    empty = [s for s in settings.sources if not reading.kept[s.title]]
    if empty and n + len(empty):
        raise DataError(_nothing("benchmarks", empty, out.facts))


def _allowed(source: SourceSettings, settings: SeedsSettings) -> bool:
    return source.title in settings.allow_test or source.name in settings.allow_test


def _seed_splits(source: SourceSettings, settings: SeedsSettings) -> tuple[Split, ...]:
    return ("train", "dev", "test") if _allowed(source, settings) else tuple(s for s in settings.splits if s != "test")


def _in_turn(streams: Sequence[Iterator[Problem]], limit: int) -> Iterator[Problem]:
    """Take one problem of each stream at a time, so that a small limit still has something of every source."""
    alive = list(streams)
    left = limit
    while alive and left:
        for stream in list(alive):
            problem = next(stream, None)
            if problem is None:
                alive.remove(stream)
                continue
            yield problem
            left -= 1
            if not left:
                return


def _counted(problems: Iterable[Problem], out: Output, progress: Progress) -> Iterator[Problem]:
    progress.begin("reading", None)
    for problem in problems:
        out.balance.results += 1
        out.balance.kept += 1
        progress.advance()
        yield problem
    progress.end()


def _nothing(what: str, sources: Iterable[SourceSettings], facts: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{s.title}`" for s in sources)
    if not names:
        return f"{what}: no source is named; add one under `{what}: sources:`"
    read = {s.title: facts["read"].get(s.title, {}) for s in sources}
    way_out = "Name the split wanted with `split:`, or mend the `path`"
    if what == "seeds" and all(set(splits) == {"test"} for splits in read.values()):
        way_out = f"Test problems become seeds only where `allow_test: [{', '.join(read)}]` says so; name another file instead"
    return f"{what}: nothing to take from {names}. What is there, by source and split: {read}. {way_out}"
