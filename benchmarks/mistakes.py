"""How well the rules sort wrong answers: a mistake of each type is planted in right solutions, the rules are asked which it was.

    python benchmarks/mistakes.py [--n 2000] [--seed 0]

Solutions: GSM8K's train split where the folder named by ORCAMATH_TEST_DATA holds it, else the classroom's. A planted answer is
written in lines of `a + b = c` out of the solution's own equations; what follows the mistake is worked on with it. Only answers
that are then wrong count. For every type: n, recall (share sorted as it), precision (share of what is sorted so that is so).
"""

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from figures import report
from orcamath.answers.equations import Operation, equations
from orcamath.answers.mistakes import mistake
from orcamath.answers.numbers import exact, quantities
from orcamath.answers.steps import spelled
from orcamath.answers.units import named_units
from orcamath.classroom.grammar import render
from orcamath.classroom.growing import stories
from orcamath.classroom.solutions import written
from orcamath.classroom.solving import solve
from real_sets import Worked, gsm8k

WORK = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else None,
}


def problems(n: int, rng: random.Random) -> Iterator[Worked]:
    """Yield up to n problems with worked solutions."""
    if rows := gsm8k("train"):
        rng.shuffle(rows)
        yield from rows[:n]
        return
    grammar = stories(rng)
    for _ in range(n):
        story = next(grammar)
        yield Worked(render(story), written(solve(story), rng.randrange(4)), str(solve(story).answer))


def follow(steps: list[Operation], at: int, planted: Operation) -> list[Operation] | None:
    """Return the steps with one replaced, later ones worked on with what it brought; None where that cannot be worked."""
    became, out = {steps[at].value: planted.value}, [*steps[:at], planted]
    for step in steps[at + 1 :]:
        a, b = became.get(step.left, step.left), became.get(step.right, step.right)
        value = WORK[step.sign](a, b)
        if value is None:
            return None
        became[step.value] = value
        out.append(Operation(step.sign, a, b, value))
    return out


def text_of(steps: list[Operation]) -> str | None:
    """Write steps out; None where a number has no short spelling."""
    lines = [[spelled(x) for x in (s.left, s.right, s.value)] for s in steps]
    if any(None in line for line in lines):
        return None
    told = [f"{a} {s.sign} {b} = {c}" for s, (a, b, c) in zip(steps, lines, strict=True)]
    return "\n".join([*told, f"#### {lines[-1][2]}"])


def slip(steps: list[Operation], _: Worked, rng: random.Random) -> str | None:
    """A result that is a little off, and worked on with."""
    at = rng.randrange(len(steps))
    off = steps[at].value + rng.choice([-10, -2, -1, 1, 2, 10])
    made = follow(steps, at, steps[at]._replace(value=off))
    return text_of(made) if made else None


def operation(steps: list[Operation], _: Worked, rng: random.Random) -> str | None:
    """Another operation on the same numbers."""
    at = rng.randrange(len(steps))
    sign = rng.choice([s for s in WORK if s != steps[at].sign])
    value = WORK[sign](steps[at].left, steps[at].right)
    made = follow(steps, at, steps[at]._replace(sign=sign, value=value)) if value is not None else None
    return text_of(made) if made else None


def missed(steps: list[Operation], _: Worked, rng: random.Random) -> str | None:
    """A step left out: what used its result uses one of its numbers."""
    if len(steps) < 2:
        return None
    at = rng.randrange(len(steps))
    if at == len(steps) - 1:
        return text_of(steps[:-1])
    made = follow(steps, at, steps[at]._replace(value=rng.choice([steps[at].left, steps[at].right])))
    return text_of(made[:at] + made[at + 1 :]) if made else None


def misread(steps: list[Operation], problem: Worked, rng: random.Random) -> str | None:
    """A number of the question read as another one."""
    given = {q.value for q in quantities(problem.question)}
    places = [(i, side) for i, s in enumerate(steps) for side in ("left", "right") if getattr(s, side) in given]
    if not places:
        return None
    at, side = rng.choice(places)
    was = getattr(steps[at], side)
    other = rng.choice(sorted({was + 1, was * 10, was + 10} | (given - {was})))
    step = steps[at]._replace(**{side: other})
    value = WORK[step.sign](step.left, step.right)
    made = follow(steps, at, step._replace(value=value)) if value is not None else None
    return text_of(made) if made else None


def unit(steps: list[Operation], problem: Worked, rng: random.Random) -> str | None:
    """The right answer in another unit that the texts name."""
    units = named_units(f"{problem.question} {problem.solution}")
    pairs = [(a, b) for a in units for b in units if a.dimension == b.dimension and a.size != b.size]
    body = text_of(steps)
    if not pairs or body is None:
        return None
    a, b = rng.choice(sorted(pairs))
    answer = spelled(steps[-1].value * a.size / b.size)
    return f"{body.partition('####')[0]}#### {answer}" if answer else None


def gave_up(_: list[Operation], __: Worked, rng: random.Random) -> str:
    """Words that say so."""
    said = ["I cannot determine the answer.", "There is not enough information.", "#### unknown", "I don't know."]
    return rng.choice(said)


def bare(steps: list[Operation], _: Worked, rng: random.Random) -> str | None:
    """A number, and nothing else."""
    answer = spelled(steps[-1].value + rng.choice([-3, -1, 1, 2, 5]))
    return f"#### {answer}" if answer else None


PLANTED: dict[str, Callable[[list[Operation], Worked, random.Random], str | None]] = {
    "arithmetic slip": slip,
    "wrong operation": operation,
    "missed step": missed,
    "misread quantity": misread,
    "unit": unit,
    "gave up": gave_up,
    "no working": bare,
}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return recall and precision of every type, and what each was taken for."""
    rng = random.Random(args.seed)
    taken: dict[str, Counter[str]] = {kind: Counter() for kind in PLANTED}
    for problem in problems(args.n, rng):
        steps = [o for e in equations(problem.solution) if e.holds for o in e.operations]
        if not steps or steps[-1].value != exact(problem.answer):
            continue
        for kind, plant in PLANTED.items():
            text = plant(steps, problem, rng)
            last = quantities(text.rpartition("####")[2]) if text else []
            if text is None or (last and last[-1].value == Fraction(steps[-1].value)):
                continue  # it came out right all the same
            taken[kind][mistake(text, problem.question, problem.answer, [problem.solution])] += 1
    return {kind: _row(kind, taken) for kind in PLANTED}


def _row(kind: str, taken: dict[str, Counter[str]]) -> dict[str, Any]:
    n, hits = taken[kind].total(), taken[kind][kind]
    said = sum(found[kind] for found in taken.values())
    return {
        "n": n,
        "recall": round(hits / max(n, 1), 3),
        "precision": round(hits / max(said, 1), 3),
        "taken_for": dict(taken[kind].most_common()),
    }


def options(parser: argparse.ArgumentParser) -> None:
    """How many problems, and which mistakes are drawn."""
    parser.add_argument("--n", type=int, default=2000, help="problems")
    parser.add_argument("--seed", type=int, default=0)


if __name__ == "__main__":
    report(__doc__, options, measure)
