"""Stories and their arithmetic: a start, a chain of steps, one slot asked for; solved from what the text tells.

A forward problem asks for the result. An inverse one tells the result and asks for the start or for one step's number:
then the known steps before it are worked forwards, those after it backwards, and the number is what joins both ends.
"""

from typing import NamedTuple

from orcamath.classroom.words import KINDS

__all__ = [
    "Step",
    "Story",
    "StoryOperation",
    "StorySolution",
    "Unsolvable",
    "solve",
    "solve_for",
    "structure",
    "values",
]


class Step(NamedTuple):
    """One link of the chain."""

    kind: str
    number: int
    wording: int = 0


class Story(NamedTuple):
    """A word problem, whole: everything that its text says and nothing else."""

    theme: str
    names: tuple[str, ...]
    """In order of appearance; every kind whose owner is not `same` takes one."""
    unit: int
    start: int
    steps: tuple[Step, ...]
    asked: int
    """0 the start, i the number of step i, len(steps) + 1 the result."""
    wording: int = 0
    told: int = 0
    """Wording of the result, where it is told; 0 otherwise."""
    question: int = 0

    @property
    def forward(self) -> bool:
        """Whether the result is asked for."""
        return self.asked == len(self.steps) + 1


class StoryOperation(NamedTuple):
    """`left sign right = result`."""

    left: int
    sign: str
    right: int
    result: int


class StorySolution(NamedTuple):
    """The answer and the operations that reach it."""

    answer: int
    operations: tuple[StoryOperation, ...]

    @property
    def signs(self) -> str:
        """The operation sequence, such as `+*-`."""
        return "".join(o.sign for o in self.operations)


class Unsolvable(ValueError):
    """The numbers told do not come out: a negative or broken quantity."""


def values(story: Story) -> list[int]:
    """Return the quantity after the start and after every step; raises Unsolvable."""
    work = _Work()
    found = [story.start]
    for step in story.steps:
        found.append(work.forwards(found[-1], step))
    return found


def solve(story: Story) -> StorySolution:
    """Solve from what the text tells (the hidden number is not looked at); raises Unsolvable."""
    return solve_for(story.start, story.steps, story.asked, None if story.forward else values(story)[-1])


def solve_for(start: int, steps: tuple[Step, ...], asked: int, result: int | None) -> StorySolution:
    """Find the slot `asked`, whose own entry in `start` or `steps` is ignored; `result` is None where it is asked for."""
    work = _Work()
    if result is None:
        for step in steps:
            start = work.forwards(start, step)
        return StorySolution(start, tuple(work.done))
    before = start
    for step in steps[: max(0, asked - 1)]:
        before = work.forwards(before, step)
    after = result
    for step in reversed(steps[asked:]):
        after = work.backwards(after, step)
    answer = after if asked == 0 else work.between(before, after, steps[asked - 1].kind)
    return StorySolution(answer, tuple(work.done))


def structure(story: Story) -> tuple[str, str]:
    """Return (theme, operation sequence of the solution): what the held-out rule looks at."""
    return story.theme, solve(story).signs


class _Work:
    """Does sums and keeps them."""

    def __init__(self) -> None:
        self.done: list[StoryOperation] = []

    def sum(self, left: int, sign: str, right: int) -> int:
        if sign == "/":
            if right < 1 or left % right:
                raise Unsolvable(f"{left} / {right}")
            result = left // right
        else:
            result = {"+": left + right, "-": left - right, "*": left * right}[sign]
        if result < 1:
            raise Unsolvable(f"{left} {sign} {right} = {result}")
        self.done.append(StoryOperation(left, sign, right, result))
        return result

    def forwards(self, value: int, step: Step) -> int:
        signs = KINDS[step.kind].signs
        new = self.sum(value, signs[0], step.number)
        return self.sum(new, "+", value) if len(signs) == 2 else new

    def backwards(self, value: int, step: Step) -> int:
        n = step.number
        match KINDS[step.kind].signs:
            case "+":
                return self.sum(value, "-", n)
            case "-":
                return self.sum(value, "+", n)
            case "*":
                return self.sum(value, "/", n)
            case "/":
                return self.sum(value, "*", n)
            case "++":  # v + (v + n)
                return self.sum(self.sum(value, "-", n), "/", 2)
            case "-+":  # v + (v - n)
                return self.sum(self.sum(value, "+", n), "/", 2)
            case _:  # v + v n
                return self.sum(value, "/", self.sum(n, "+", 1))

    def between(self, before: int, after: int, kind: str) -> int:
        match KINDS[kind].signs:
            case "+":
                return self.sum(after, "-", before)
            case "-":
                return self.sum(before, "-", after)
            case "*":
                return self.sum(after, "/", before)
            case "/":
                return self.sum(before, "/", after)
            case "++":
                return self.sum(self.sum(after, "-", before), "-", before)
            case "-+":
                return self.sum(before, "-", self.sum(after, "-", before))
            case _:
                return self.sum(self.sum(after, "-", before), "/", before)
