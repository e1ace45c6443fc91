"""What is put forward as the answer: by a marker or by the last sentence's own claim; anything else is no lesson's answer."""

import pytest

from orcamath.agents import solver
from orcamath.agents.driver import examine
from orcamath.agents.solver import Assignment, SolverSettings
from orcamath.answers import final_answer
from orcamath.judges.rules import rule
from orcamath.ports import Comparison, Reply
from orcamath.records import Problem, Rejected

PENS = "How many pens does Ann have?"


@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        ("How long is the rope?", "The rope we want is the shortest of the three.", None),
        ("Which numbers are they?", "The two numbers are 12 and 8.", None),
        (PENS, "I am sorry, but I can only work on one problem at a time.", None),
        (PENS, "The answer is not 30.", None),
        (PENS, "He has more than 30 pens.", None),
        (PENS, "I'm sorry, I can only help with 2 kinds of problems.", None),
        (PENS, "Multiply 3 by 5.", None),
        (PENS, "One of them is broken.", None),
        (PENS, "She gave all three away.", None),
        (PENS, "That would be 12 of the 30.", None),
        (PENS, "<think>So it is 12.", None),
        (PENS, "Ann has 15 pens.", "15"),
        (PENS, "After giving 3 to Bo, she has 15 pens left.", "15"),
        (PENS, "There are five pens.", "five"),
        (PENS, "So 3 * 5 = 15.", "15"),
        (PENS, "15", "15"),
        (PENS, "The answer is fifteen.", "fifteen"),
        ("How much does she pay?", "She pays $18.", "$18"),
        ("How much does she earn?", "She sells 9 eggs at $2 each, which makes $18.", "$18"),
        ("How many minutes?", "It takes 35 minutes in all.", "35 minutes"),
        ("How old is he?", "In conclusion he is 35.", "35"),
        ("What is x?", "x = 12", "12"),
        ("How many?", "\\boxed{12}", "12"),
        ("How many?", "Answer: 12", "12"),
        ("How many?", "#### 12", "12"),
    ],
)
def test_a_number_is_stated_or_there_is_none(question: str, text: str, answer: str | None) -> None:
    assert final_answer(text, "number", question, stated=True) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Mary has more.", "Mary has more"),
        ("#### Mary", "Mary"),
        ("I am sorry, I cannot help.", None),
        ("Let me think about the problem you asked me. Shall I go on?", None),
    ],
)
def test_words_are_stated_or_there_are_none(text: str, answer: str | None) -> None:
    assert final_answer(text, "text", "Who has more?", stated=True) == answer


@pytest.mark.parametrize(
    "text", ["I am sorry, but I can only work on one problem.", "It is the shortest of the three."]
)
def test_the_teacher_makes_no_lesson_of_what_it_does_not_state(text: str) -> None:
    made = examine(
        solver.make(SolverSettings()), Reply(b"", text, "stop"), Assignment(Problem.make(PENS, "seed", "ours"))
    )
    assert isinstance(made, Rejected)
    assert made.reason in ("refused", "no_final_answer")


def test_the_judge_doubts_a_number_that_is_only_mentioned() -> None:
    assert rule(Comparison(PENS, "3", "It is the shortest of the three.")).agrees is None
    assert rule(Comparison(PENS, "3", "There are three.")).agrees is True
