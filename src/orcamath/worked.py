"""A problem's own worked solution: as the text of a lesson (`solution_of`), and how many steps it has (`n_steps`).

In → a problem with the formula or the text that came with it; out → a formula written out step by step, or that text, where
it reaches the gold answer. Pure functions.
"""

import re

from orcamath.answers import final_answer, quantities, same
from orcamath.answers.steps import steps
from orcamath.records import Problem

__all__ = ["FEW_WORDS", "n_equations", "n_steps", "solution_of"]

FEW_WORDS = 6
"""A text of fewer words is a formula or a program, and no explanation to learn from."""
_CALCULATOR = re.compile(r"<<[^<>]*>>")
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]{2}|[^\W\d_][^\s\d!-/:-@[-`{-~]+")
"""A word of any script: two characters of one that sets no blanks (Thai, kana, Han), else a letter and what is attached."""
_EQUATION = re.compile(r"[-+*/×÷][^=\n]*=")


def solution_of(problem: Problem) -> str | None:
    """Return a problem's own solution as a lesson's text, ending in `#### answer`.

    None where there is none, where it does not reach the gold answer, or where it has fewer than `FEW_WORDS` words.
    """
    if problem.solution is None or problem.answer is None or problem.answer_from != "gold":
        return None
    worked = steps(problem.solution)
    if worked is not None:
        text, reached = "\n".join(map(str, worked)), worked[-1].value
    else:
        text = _CALCULATOR.sub("", problem.solution).strip()
        found = final_answer(text, problem.answer_kind, problem.question, problem.options)
        if found is None or len(_WORD.findall(text)) < FEW_WORDS:
            return None
        text, reached = text.partition("####")[0].rstrip(), found
    if not same(problem.answer_kind, reached, problem.answer, problem.question, problem.options):
        return None
    return f"{text}\n#### {problem.answer}"


def n_equations(text: str) -> int:
    """Count the calculations that a worked solution writes out: an operation and an equals sign after it, on one line."""
    return len(_EQUATION.findall(_CALCULATOR.sub("", text)))


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
    wanted = gold[0].value
    numbers = [q.value for q in quantities(problem.question)]
    pairs = ((a, b) for i, a in enumerate(numbers) for j, b in enumerate(numbers) if i != j)
    return int(any(wanted in (a + b, a - b, a * b) or (b != 0 and wanted == a / b) for a, b in pairs))
