"""A problem's own worked solution: as the text of a lesson (`solution_of`), and how many steps it has (`n_steps`).

In → a problem with the formula or the text that came with it; out → a formula written out step by step, or that text, where
it reaches the gold answer. Pure functions.
"""

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction

from orcamath.answers import final_answer, quantities, same
from orcamath.answers.steps import steps
from orcamath.records import Problem

__all__ = ["NoLesson", "n_equations", "n_steps", "solution_of", "worked_out"]

FEW_WORDS = 6
"""A text of fewer words is a formula or a program, and no explanation to learn from."""


class NoLesson(StrEnum):
    """Why a problem's own solution makes no lesson, as people read it."""

    NO_ANSWER = "no known answer"
    NO_SOLUTION = "no solution"
    FEW_WORDS = f"a solution of fewer than {FEW_WORDS} words"
    STATES_NONE = "a solution that states no answer"
    ANOTHER = "a solution that does not reach the known answer"


_CALCULATOR = re.compile(r"<<[^<>]*>>")
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]{2}|[^\W\d_][^\s\d!-/:-@[-`{-~]+")
"""A word of any script: two characters of one that sets no blanks (Thai, kana, Han), else a letter and what is attached."""
_SIGNS = frozenset("-+*/×÷")


def solution_of(problem: Problem) -> str | None:
    """Return a problem's own solution as a lesson's text, ending in `#### answer`; None where `worked_out` has a reason."""
    found = worked_out(problem)
    return found if not isinstance(found, NoLesson) else None


def worked_out(problem: Problem) -> "str | NoLesson":
    """Return a problem's own solution as a lesson's text, ending in `#### answer`, or why it makes none."""
    if problem.answer is None or problem.answer_from != "gold":
        return NoLesson.NO_ANSWER
    if problem.solution is None:
        return NoLesson.NO_SOLUTION
    worked = steps(problem.solution)
    if worked is not None:
        text, reached = "\n".join(map(str, worked)), worked[-1].value
    else:
        text = _CALCULATOR.sub("", problem.solution).strip()
        found = final_answer(text, problem.answer_kind, problem.question, problem.options)
        if len(_WORD.findall(text)) < FEW_WORDS:
            return NoLesson.FEW_WORDS
        if found is None:
            return NoLesson.STATES_NONE
        text, reached = text.partition("####")[0].rstrip(), found
    if not same(problem.answer_kind, reached, problem.answer, problem.question, problem.options):
        return NoLesson.ANOTHER
    return f"{text}\n#### {problem.answer}"


def n_equations(text: str) -> int:
    """Count the calculations that a worked solution writes out: an operation and an equals sign after it, on one line."""
    sides = (side for line in _CALCULATOR.sub("", text).split("\n") for side in line.split("=")[:-1])
    return sum(not _SIGNS.isdisjoint(side) for side in sides)


def n_steps(problem: Problem) -> int:
    """Count the steps of a problem's own solution; without one: 1 where one operation on two of its numbers gives the gold.

    0 where neither tells.
    """
    if problem.solution is not None:
        worked = steps(problem.solution)
        return len(worked) if worked is not None else n_equations(problem.solution)
    gold = quantities(problem.answer) if problem.answer is not None else []
    if len(gold) != 1:
        return 0
    return int(_one_operation([q.value for q in quantities(problem.question)], gold[0].value))


def _one_operation(numbers: Sequence[Fraction], wanted: Fraction) -> bool:
    """Tell whether one operation on two of the numbers gives the one wanted; in linear time, for texts may hold thousands."""
    have = Counter(numbers)

    def beside(a: Fraction, b: Fraction) -> bool:
        return have[b] > (a == b)

    return any(
        beside(a, wanted - a)
        or beside(a, a - wanted)
        or (beside(a, wanted / a) if a else wanted == 0 and len(numbers) > 1)
        or (wanted != 0 and a != 0 and beside(a, a / wanted))
        for a in have
    )
