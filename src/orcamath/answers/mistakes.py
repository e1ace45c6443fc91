"""Why an answer is wrong, by rule: its calculations are held against those of a solution that is known to be right.

In → a wrong answer, the question, the right short answer and solutions that reach it (a teacher's, the set's own, other samples).
Out → one `Mistake`. An equation that does not hold is a slip, whatever else is wrong. Otherwise the first step that no known
solution takes decides. A rule that is not sure says `unsorted`; docs/log.md has how often each is right on planted
mistakes. No model is asked. Deviation: the paper does not look into wrong answers.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal, get_args

from orcamath.answers.equations import Equation, Operation, equations, operations
from orcamath.answers.find import find_answer
from orcamath.answers.numbers import quantities
from orcamath.answers.readings import reading_of
from orcamath.answers.units import named_units
from orcamath.answers.wording import gives_up
from orcamath.answers.working import worked

__all__ = ["MISTAKES", "Mistake", "mistake"]

Mistake = Literal[
    "arithmetic slip",
    "wrong operation",
    "missed step",
    "misread quantity",
    "unit",
    "gave up",
    "no working",
    "cut off",
    "unsorted",
]
MISTAKES: tuple[Mistake, ...] = get_args(Mistake)
END_CHARS = 200
"""Where giving up is looked for."""
_EVERYDAY = frozenset(Fraction(n) for n in (1, 2, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000))
"""Numbers that a solution may bring along: halves, dozens, minutes, days, percent."""


def mistake(text: str, question: str, reference: str, known: Iterable[str] = (), *, finished: bool = True) -> Mistake:
    """Sort a wrong answer. `known`: solutions that reach `reference`, as text or as formulas; `finished`: not cut off.

    >>> mistake("3 + 4 = 8\\n#### 8", "Ann has 3 pens and buys 4. How many has she?", "7")
    'arithmetic slip'
    >>> mistake("4 - 3 = 1\\n#### 1", "Ann has 3 pens and buys 4. How many has she?", "7", ["3 + 4 = 7\\n#### 7"])
    'wrong operation'
    """
    found = find_answer(text, "number", question)
    if found is None or not found.among:
        return (
            "cut off" if not finished else "gave up" if gives_up(text[-END_CHARS:]) or not text.strip() else "unsorted"
        )
    if gives_up(found.segment):
        return "gave up"
    said = equations(text)
    if any(not e.holds for e in said):
        return "arithmetic slip"
    if _another_unit(found.text, reference, f"{question} {text}"):
        return "unit"
    if not said:
        return "unsorted" if worked(text) else "no working"
    steps = _steps(said)
    solutions = [s for solution in known if (s := _known(solution))] or _one_step(question, reference)
    given = {q.value for q in quantities(question)}
    best = max(solutions, key=lambda s: len({o.value for o in steps} & {o.value for o in s}), default=())
    sorted_ = _departure(steps, best, given)
    if sorted_ is None and (answer := reading_of(found.text)) is not None and answer.value != steps[-1].value:
        return (
            "missed step" if answer.value in {o.value for o in steps} else "arithmetic slip"
        )  # another than worked out
    return sorted_ or "unsorted"


def _steps(said: Sequence[Equation]) -> list[Operation]:
    return [o for e in said for o in e.operations]


def _known(solution: str) -> tuple[Operation, ...]:
    """Return the steps of a right solution: of its equations, or of the formula that it is."""
    found = _steps([e for e in equations(solution) if e.holds])
    return tuple(found) or operations(solution.rpartition("=")[2].strip())


def _one_step(question: str, reference: str) -> list[tuple[Operation, ...]]:
    """Return the one operation on two numbers of the question that gives the answer; none where several do."""
    goal = reading_of(reference)
    if goal is None or not isinstance(goal.value, Fraction):
        return []
    numbers = [q.value for q in quantities(question)][:12]
    found = set()
    for i, a in enumerate(numbers):
        for j, b in enumerate(numbers):
            if i != j:
                values = {"-": a - b, "/": a / b if b else None} | ({"+": a + b, "*": a * b} if i < j else {})
                found |= {Operation(sign, a, b, goal.value) for sign, value in values.items() if value == goal.value}
    return [(found.pop(),)] if len(found) == 1 else []


def _departure(steps: Sequence[Operation], known: Sequence[Operation], given: set[Fraction]) -> Mistake | None:
    """Sort by the first step that the known solution does not take; None where there is none, or no known solution."""
    reached = {o.value for o in known}
    made: set[Fraction] = set()
    for step in steps:
        if step.value in reached:
            made.add(step.value)
            continue
        foreign = {step.left, step.right} - given - made - _EVERYDAY - {n for o in known for n in o.operands}
        if foreign:
            return "misread quantity"
        if not known:
            made.add(step.value)
            continue
        return _against(step, [o for o in known if o.value not in made], reached, shorter=len(steps) < len(known))
    if known and len(made) < len(reached) and known[-1].value not in made:
        return "missed step"
    return None


def _against(step: Operation, left: Sequence[Operation], reached: set[Fraction], *, shorter: bool) -> Mistake:
    """Sort a step that leads away, by the known steps that were not taken yet (in order)."""
    if any(step.operands == o.operands for o in left):
        return "wrong operation"  # of these very numbers, or the other way round
    for o in left:
        shared = set(step.operands) & set(o.operands)
        if step.sign == o.sign and shared:
            (missing, *_) = [n for n in o.operands if n not in step.operands] or [o.operands[0]]
            return "missed step" if missing in reached else "misread quantity"
    if shorter:
        return "missed step"
    return "wrong operation" if left and step.sign not in {o.sign for o in left} else "unsorted"


def _another_unit(answer: str, reference: str, told: str) -> bool:
    """Tell whether an answer is the right one in another unit, both of which the texts name: 180 for 3 hours."""
    said, right = reading_of(answer), reading_of(reference)
    if said is None or right is None or not said.value or not right.value or said.value == right.value:
        return False
    factor = Fraction(said.value) / Fraction(right.value)
    units = named_units(told)
    return any(a.dimension == b.dimension and a.size / b.size == factor for a in units for b in units if a != b)
