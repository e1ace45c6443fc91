"""Stage `seeds`: the problems everything grows from, read from the sources a recipe names.

In → settings that name sources; out → table `problems`. A problem of a test split never becomes a seed unless its source is
named in `allow_test`. Sets without official splits get one here: by a hash of the near-duplicate cluster, over all sources
of seeds and benchmarks together, so that a text and its twin in another set fall on the same side (`sources.clusters`).

The order is the recipe's order of sources, and file order within each.
"""

from collections.abc import Iterator, Mapping, Sequence

from orcamath.errors import DataError
from orcamath.records import HELD_OUT, Problem, Split
from orcamath.sources import mixture
from orcamath.sources.choosing import SeedsSettings
from orcamath.sources.passes import Passes, ReadingFacts, counted, nothing_to_take
from orcamath.sources.source import Reader, SourceSettings
from orcamath.store.artifacts import Output
from orcamath.store.stage import stage

__all__ = ["SeedsSettings", "gather", "refuse_test_split"]


@stage("seeds", version=5, settings=SeedsSettings, facts=ReadingFacts)
def gather(out: Output, settings: SeedsSettings, readers: Mapping[str, Reader]) -> ReadingFacts:
    """Write the seeds. Raises DataError for a bad line (unless skipped), an unnamed test split, or no seed at all."""
    for source in settings.sources:
        refuse_test_split(source, settings)
    reading = Passes(out, settings, readers)
    wanted = [(s, (s.split,) if s.split else _seed_splits(s, settings)) for s in settings.sources]
    streams = [reading.problems(source, splits, source.limit) for source, splits in wanted]
    problems = _in_turn(streams, settings.limit) if settings.limit else (p for stream in streams for p in stream)
    n = out.write("problems", counted(problems, out))
    facts = reading.facts()
    if any(s.name == "lila" for s in settings.sources):
        facts = facts.model_copy(update={"mixture": mixture.note(facts.by_source)})
    empty = reading.empty()
    if not n or (empty and (settings.limit or len(settings.sources)) >= len(settings.sources)):
        raise DataError(nothing_to_take("seeds", empty, facts))
    return facts


def refuse_test_split(source: SourceSettings, settings: SeedsSettings) -> None:
    """Raise DataError where a source of seeds asks for a split that is held out and is not named in `allow_test`."""
    if source.split in HELD_OUT and not _allowed(source, settings):
        raise DataError(
            f"seeds: `{source.name}` asks for its {source.split} split. Data that is grown from it spoils that benchmark; "
            f"if that is meant, add `allow_test: [{source.title}]`"
        )


def _allowed(source: SourceSettings, settings: SeedsSettings) -> bool:
    return source.title in settings.allow_test or source.name in settings.allow_test


def _seed_splits(source: SourceSettings, settings: SeedsSettings) -> tuple[Split, ...]:
    return (
        ("train", "dev", "test")
        if _allowed(source, settings)
        else tuple(s for s in settings.splits if s not in HELD_OUT)
    )


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
