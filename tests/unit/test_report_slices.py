"""Scores by what problems take: steps, operations, length; parts too small to say anything are left out."""

from typing import Any

import pytest

from orcamath.records import Problem, Scored
from orcamath.report.rows import Student
from orcamath.report.slices import CUTS, last_students, slices


def student(arm: str, name: str, iteration: int, right: dict[str, bool], seed: int | None = None) -> Student:
    answers = {
        i: Scored(
            problem_id=i,
            benchmark="b",
            draw=0,
            text="",
            final_answer=None,
            gold="1",
            by="rules",
            n_tokens=None,
            outcome="agrees" if r else "disagrees",
            finish_reason="stop",
        )
        for i, r in right.items()
    }
    return Student(arm, seed, name, iteration, 0, {}, {"b": answers}, {})


@pytest.mark.parametrize(
    ("cut", "question", "solution", "parts"),
    [
        ("steps", "q", "X=((32.0+42.0)-35.0)", ["2 steps"]),
        ("steps", "q", "3 + 4 = 7\n7 * 2 = 14\n14 - 1 = 13", ["3 steps"]),
        ("steps", "q", None, []),
        ("operation", "q", "X=((32.0+42.0)-35.0)", ["addition", "subtraction"]),
        ("operation", "q", "6 × 7 = 42", ["multiplication"]),
        ("operation", "q", "12 / 4 = 3 #### 3", ["division"]),
        ("operation", "q", None, []),
        ("length", "one two", None, ["1 to 20 words"]),
        ("length", "w " * 36, None, ["36 to 50 words"]),
        ("length", "w " * 51, None, ["over 50 words"]),
    ],
)
def test_what_a_problem_takes(cut: str, question: str, solution: str | None, parts: list[str]) -> None:
    assert list(CUTS[cut](Problem.make(question, "seed", "b", solution=solution))) == parts


def test_shares_are_of_the_part_and_small_parts_are_left_out() -> None:
    short = [Problem.make(f"short {i}", "seed", "b") for i in range(10)]
    long = [Problem.make("long " * 30 + str(i), "seed", "b") for i in range(20)]
    few = [Problem.make("very " * 60 + str(i), "seed", "b") for i in range(3)]
    right = {p.id: True for p in short} | {p.id: i < 5 for i, p in enumerate(long)} | {p.id: True for p in few}
    (found,) = slices([student("", "M1", 1, right)], [*short, *long, *few])
    assert (found.by, found.parts) == ("length", (("1 to 20 words", 10), ("21 to 35 words", 20)))
    (label, (one, two)) = found.rows[0]
    assert (label, one.point, two.point) == ("M1", 1.0, 0.25)


def test_the_last_student_of_each_arm_is_shown_with_one_seed() -> None:
    made: list[Any] = [
        ("", "M0", 0, None),
        ("", "M1", 1, 0),
        ("KTO", "M2", 2, 0),
        ("KTO", "M3", 3, 0),
        ("KTO", "M3", 3, 1),
    ]
    shown = last_students([student(arm, name, n, {"p": True}, seed) for arm, name, n, seed in made])
    assert [label for label, _ in shown] == ["M0", "M1", "KTO · M3"]
    assert shown[-1][1].seed == 0
