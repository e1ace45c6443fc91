"""What the teacher is shown of a problem with choices."""

import pytest

from orcamath.agents.solver import Assignment, SolverSettings, make
from orcamath.records import Problem

BELOW = "\nAnswer choices:\nA) "


@pytest.mark.parametrize(
    ("question", "options", "shown"),
    [
        ("How many? A) 20 B) 22 C) 24", ("20", "22", "24"), True),
        ("Is it 20, 22 or 24?", ("20", "22", "24"), True),
        ("How many? (A)20,(B)22", ("20", "22"), True),
        ("How much? a) $5 b) $5.50", ("$5", "$5.50"), True),
        ("How many of the 1234 pens are Ann's?", ("1", "2", "3", "4"), False),
        ("How much is 15 less 1.5, or 2,500?", ("5", "500"), False),
        ("Noah closed his eyes. Was it dark?", ("yes", "no"), False),
        ("Ann has 24 pens and gives 22 away, 20 are left. How many?", ("20", "22", "24"), False),
        ("How many? A) 20 B) 22", ("20", "22", "24"), False),
    ],
)
def test_choices_stand_below_a_question_that_does_not_list_them(
    question: str, options: tuple[str, ...], shown: bool
) -> None:
    problem = Problem.make(question, "seed", "s", answer="A", answer_kind="choice", options=options, answer_from="gold")
    (*_, last) = make(SolverSettings()).request(Assignment(problem), 0).messages
    assert (BELOW in last.content) != shown
