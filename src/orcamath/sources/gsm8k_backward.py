"""GSM8K-Backward (Yu et al. 2023, MetaMath, arXiv 2309.12284): 1,270 test problems of GSM8K asked backwards. A test set.

A number of the problem is hidden as x, the problem's answer is given, and x is asked for. Those made of one problem are one
family.
"""

from collections.abc import Iterator

from orcamath.answers import final_answer
from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, family_of, problem_from

__all__ = ["LICENCE", "read"]

LICENCE = "MIT (meta-math/GSM8K_Backward)"
SHORT = 40
"""Characters of an answer that stands alone; what is longer is a solution."""


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield all problems, in file order."""

    def make(row: Row) -> Found:
        said = row.values.get("answer")
        solution = said if isinstance(said, str) and (len(said) > SHORT or "####" in said) else None
        answer = final_answer(solution) if solution else said
        answer = answer.replace(",", "") if isinstance(answer, str) else answer
        return problem_from(
            row,
            settings,
            row.values.get("question"),
            answer,
            licence=LICENCE,
            split="test",
            solution=solution,
            family=family_of(row, "original_question"),
        )

    return each(copies(settings, ("gsm8k_backward", "gsm8k_backward_*", "test")), make)
