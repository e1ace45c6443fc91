"""Stage `benchmarks`: what students are measured on, read from the sources a recipe names.

In → settings that name sources; out → table `problems`: of their test splits, gold on each. Where a set has no official
split, see `stages.seeds`. The order is the recipe's order of sources, and file order within each.
"""

from collections.abc import Mapping

from orcamath.errors import DataError
from orcamath.sources.choosing import BenchmarksSettings
from orcamath.sources.passes import Passes, ReadingFacts, counted, nothing_to_take
from orcamath.sources.source import Reader
from orcamath.store.artifacts import Output
from orcamath.store.stage import stage

__all__ = ["BenchmarksSettings", "benchmarks"]


@stage("benchmarks", version=5, settings=BenchmarksSettings, facts=ReadingFacts)
def benchmarks(out: Output, settings: BenchmarksSettings, readers: Mapping[str, Reader]) -> ReadingFacts:
    """Write the benchmark problems, gold on each. Raises DataError for a bad line (unless skipped) or an empty benchmark."""
    reading = Passes(out, settings, readers, needs_gold=True)
    streams = [reading.problems(s, (s.split or settings.split,), s.limit) for s in settings.sources]
    out.write("problems", counted((p for stream in streams for p in stream), out))
    facts = reading.facts()
    empty = reading.empty()
    if empty:
        raise DataError(nothing_to_take("benchmarks", empty, facts))
    return facts
