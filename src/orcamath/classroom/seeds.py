"""The classroom as a data set: seeds from the grammar, and problems of held-out structure to measure with.

Split `train` yields problems whose (theme, operation sequence) is not held out; `dev` and `test` yield a tenth of the
structures each, disjoint. Options: `n` problems, `seed`, `max_steps` (1 to 6), `inverse` (share of problems that tell the
result and ask for something given; 0 in `train`, where Ask-Me-Anything makes them, and 0.5 where is measured).
"""

import random
from collections import Counter
from collections.abc import Iterator

from pydantic import Field

from orcamath.classroom.grammar import MAX_STEPS, render
from orcamath.classroom.growing import family, n_operations, split_of, stories
from orcamath.classroom.solving import Story, solve
from orcamath.errors import RecipeError, nearest
from orcamath.records import Problem, Settings, Split
from orcamath.settings import read_options
from orcamath.sources.source import SourceSettings, generated

__all__ = ["LICENCE", "SeedOptions", "read"]

LICENCE = "CC0-1.0"
MAX_IDLE = 200_000
"""Stories drawn without a new problem before there are thought to be no more."""
_SPLITS: tuple[Split, ...] = ("train", "dev", "test", "confirm")


class SeedOptions(Settings):
    """What a recipe may say under `options`."""

    n: int = Field(default=1000, ge=1)
    seed: int = 0
    max_steps: int = Field(default=4, ge=1, le=MAX_STEPS)
    inverse: float | None = Field(default=None, ge=0, le=1)
    of_a_family: int = Field(default=1_000_000, ge=1)
    """At most so many problems of one make (theme, kinds of steps, number asked for)."""


@generated
def read(settings: SourceSettings) -> Iterator[Problem]:
    """Yield distinct problems with their answers; raises RecipeError for an unknown split or option."""
    split = next((s for s in _SPLITS if s == (settings.split or "train")), None)
    if split is None:
        raise RecipeError(f"the classroom has no split `{settings.split}`; {nearest(str(settings.split), _SPLITS)}")
    options = read_options(SeedOptions, settings.options, f"source `{settings.name}`")
    inverse = options.inverse if options.inverse is not None else (0.0 if split == "train" else 0.5)
    left = options.n if settings.limit is None else min(options.n, settings.limit)
    seen: set[str] = set()
    made: Counter[str] = Counter()
    idle = 0
    rng = random.Random(f"classroom {split} {options.seed}")  # a stream of its own for every split and seed
    for story in stories(rng, max_steps=options.max_steps, inverse=inverse):
        if left == 0:
            return
        idle += 1
        if idle > MAX_IDLE:
            raise RecipeError(
                f"source `{settings.name}`, split `{split}`: no more than {len(seen)} problems; lower `n`"
            )
        text = render(story)
        if split_of(story) == split and text not in seen and made[family(story)] < options.of_a_family:
            seen.add(text)
            idle = 0
            made[family(story)] += 1
            left -= 1
            yield Problem.make(
                text,
                "seed",
                settings.title,
                split=split,
                licence=LICENCE,
                answer=str(solve(story).answer),
                answer_from="gold",
                level=_level(story),
                family=family(story),
            )


def _level(story: Story) -> str:
    n = n_operations(story)
    return f"{'forward' if story.forward else 'inverse'}, {n} step{'s' if n > 1 else ''}"
