"""New stories from a random generator, harder ones from old, and which of them are held out.

Quantities stay small (`MAX_VALUE`, operands up to `MAX_OPERAND`): the pupil is to learn how to reason, not long division.
"""

import random
from collections.abc import Iterator
from hashlib import blake2b

from orcamath.classroom.grammar import MAX_STEPS, story_units
from orcamath.classroom.solving import Step, Story, Unsolvable, solve, structure, values
from orcamath.classroom.words import KINDS, NAMES, RESULT_QUESTIONS, RESULT_TOLD, STARTS, THEMES
from orcamath.records import Split

__all__ = [
    "MAX_VALUE",
    "asking",
    "family",
    "grow",
    "harden",
    "held_out",
    "n_operations",
    "split_of",
    "stories",
]

MAX_VALUE = 50
MAX_OPERAND = 10
MAX_FACTOR = 9


def split_of(story: Story) -> Split:
    """Return the split a story belongs to, by hash.

    A tenth of the structures (theme, operation sequence) is `test`, a tenth `dev`. So coarse a rule leaves six one-step inverse
    structures to each, too few to resample; so `confirm` is a seventh of the finer `family` structures of what is left.
    """
    shape = structure(story)
    bucket = _bucket("|".join(shape), 10)
    if bucket < 2:
        return "test" if bucket == 0 else "dev"
    return "confirm" if _bucket(f"confirm {family(story)}", 7) == 0 else "train"


def family(story: Story) -> str:
    """Name what problems of one make share: theme, kinds of steps in order, and which number is asked for."""
    return " ".join([story.theme, *(step.kind for step in story.steps), f"asked {story.asked}"])


def _bucket(name: str, of: int) -> int:
    return blake2b(name.encode(), digest_size=8).digest()[0] * of // 256


def held_out(story: Story) -> bool:
    """Tell whether a story's structure is kept for measuring."""
    return split_of(story) != "train"


def n_operations(story: Story) -> int:
    """Return the grammar's own count of steps: the operations that a solution takes."""
    return len(solve(story).operations)


def stories(rng: random.Random, *, max_steps: int = 4, inverse: float = 0.5) -> Iterator[Story]:
    """Yield stories for ever; `inverse` is the share that hides a given number and tells the result."""
    while True:
        story = grow(rng, rng.randint(1, max_steps))
        if rng.random() < inverse:
            story = asking(story, rng.randint(0, len(story.steps)), rng)
        if n_operations(story) <= max_steps:
            yield story


def grow(rng: random.Random, steps: int) -> Story:
    """Draw one forward story whose solution takes that many operations."""
    while True:
        story = Story(
            theme=rng.choice(list(THEMES)),
            names=(rng.choice(NAMES),),
            unit=int(rng.random() < 0.2),
            start=rng.randint(2, 20),
            steps=(),
            asked=1,
            wording=rng.randrange(len(STARTS)),
            told=0,
            question=rng.randrange(len(RESULT_QUESTIONS)),
        )
        while (left := steps - sum(len(KINDS[s.kind].signs) for s in story.steps)) > 0:
            longer = _extended(story, rng, left)
            if longer is None:
                break
            story = longer
        else:
            return story


def asking(story: Story, slot: int, rng: random.Random) -> Story:
    """Return the same story with another slot asked for. It can be solved as before, since the numbers are the same."""
    forward = slot == len(story.steps) + 1
    return story._replace(
        asked=slot,
        told=0 if forward else rng.randrange(len(RESULT_TOLD)),
        question=rng.randrange(len(RESULT_QUESTIONS)),
    )


def harden(story: Story, rng: random.Random, sign: str | None = None) -> Story | None:
    """Append a step (of that sign, where one fits) so that the solution takes more operations; None where none fits."""
    if len(story.steps) >= MAX_STEPS:
        return None
    before = n_operations(story)
    for wanted in (sign, None):
        for _ in range(20):
            longer = _extended(story, rng, 2, wanted)
            if longer is not None and n_operations(longer) > before:
                return longer
    return None


def _extended(story: Story, rng: random.Random, room: int, sign: str | None = None) -> Story | None:
    """Append one step of at most `room` operations that keeps every quantity in bounds."""
    value, unit = values(story)[-1], story_units(story)[-1]
    names = [n for n in NAMES if n not in story.names]
    fits: dict[str, list[str]] = {}
    for name, kind in KINDS.items():
        if unit in kind.units and len(kind.signs) <= room and sign in (None, kind.signs[0]):
            fits.setdefault(kind.signs[0], []).append(name)
    signs = [s for s in fits if _operands(value, s)]
    if not signs:
        return None
    chosen = rng.choice(signs)
    step = Step(rng.choice(fits[chosen]), rng.choice(_operands(value, chosen)))
    kind = KINDS[step.kind]
    step = step._replace(wording=rng.randrange(len(kind.told)))
    new = () if kind.owner == "same" else (rng.choice(names),)
    asked = story.asked + 1 if story.forward else story.asked
    longer = story._replace(steps=(*story.steps, step), names=story.names + new, asked=asked)
    try:
        return longer if values(longer)[-1] <= MAX_VALUE else None
    except Unsolvable:
        return None


def _operands(value: int, sign: str) -> list[int]:
    """Return the numbers that `value sign number` may take within the bounds."""
    match sign:
        case "+":
            return list(range(2, min(MAX_OPERAND, MAX_VALUE - value) + 1))
        case "-":
            return list(range(2, min(MAX_OPERAND, value - 1) + 1))
        case "*":
            return [n for n in range(2, MAX_FACTOR + 1) if n * value <= MAX_VALUE]
        case _:
            return [n for n in range(2, MAX_FACTOR + 1) if value % n == 0 and value > n]
