"""Hypotheses written down beforehand: decided by families and seeds, together, or left undecided with the reason."""

from collections.abc import Callable

import pytest

from orcamath.recipe_settings import HypothesesSettings, Hypothesis
from orcamath.records import Problem, Scored
from orcamath.report.hypotheses import Settled, settled_hypotheses
from orcamath.report.rows import Student

FAMILIES, OF_EACH = 40, 12
PROBLEMS = [
    Problem.make(f"question {f} {i}", "seed", "b", answer="1", level="one" if f % 2 else "two", family=f"family {f}")
    for f in range(FAMILIES)
    for i in range(OF_EACH)
]
Right = Callable[[int], bool]


def student(arm: str, seed: int, right: Right, name: str = "M2") -> Student:
    """Answers problem number k rightly where `right(k)`; samples the other way round."""
    answers = {
        p.id: Scored(
            problem_id=p.id,
            benchmark="b",
            draw=0,
            text="",
            final_answer="1",
            gold="1",
            by="rules",
            outcome="agrees" if right(k) else "disagrees",
            finish_reason="stop",
            n_tokens=1,
        )
        for k, p in enumerate(PROBLEMS)
    }
    sampled = {"b": {p.id: 1.0 - float(right(k)) for k, p in enumerate(PROBLEMS)}}
    return Student(arm, seed, name, int(name[1:]), 0, {}, {"b": answers}, {}, sampled)


def decide(*hypotheses: Hypothesis, seeds: int = 6, **rule: object) -> dict[str, Settled]:
    chance = {"low": 3, "same": 3, "high": 5}  # of ten problems answered rightly
    students = [
        student(arm, s, lambda k, n=n, s=s: (k * 7 + s) % 10 < n) for arm, n in chance.items() for s in range(seeds)
    ]
    students += [student("", s, lambda k: False, "M1") for s in range(seeds)]
    found = settled_hypotheses(HypothesesSettings(test=hypotheses, **rule), students, PROBLEMS)  # type: ignore[arg-type]
    return {t.id: t for t in found}


def claim(name: str, student: str, against: str, **more: object) -> Hypothesis:
    return Hypothesis(id=name, statement=f"{student} > {against}", student=student, against=against, **more)  # type: ignore[arg-type]


def test_what_is_better_holds_what_is_worse_is_reversed_what_is_equal_stays_open() -> None:
    found = decide(claim("a", "high/M2", "low/M2"), claim("b", "low/M2", "high/M2"), claim("c", "same/M2", "low/M2"))
    assert {k: t.verdict for k, t in found.items()} == {"a": "holds", "b": "reversed", "c": "undecided"}
    assert found["a"].difference == pytest.approx(20, abs=1)
    assert found["a"].low > 0
    assert found["a"].low <= found["a"].unadjusted[0]
    assert (found["a"].structures, found["a"].seeds, found["a"].n) == (FAMILIES, 6, FAMILIES * 10)
    assert found["c"].difference == 0


def test_an_arm_without_an_m1_of_its_own_has_the_bases() -> None:
    assert decide(claim("a", "high/M2", "high/M1"))["a"].difference == pytest.approx(50, abs=1)


def test_the_sampled_measure_is_the_samples_own() -> None:
    assert decide(claim("a", "high/M2", "low/M2", measure="sampled"))["a"].verdict == "reversed"


@pytest.mark.parametrize(
    ("kind", "margin", "student", "verdict"),
    [
        ("not_worse", 1.0, "high", "holds"),
        ("not_worse", 1.0, "same", "undecided"),  # alike in all of twenty families: a sixth of others might not be
        ("not_worse", 20.0, "same", "holds"),
        ("not_worse", 30.0, "low", "holds"),
        ("inside", 3.0, "same", "undecided"),
        ("inside", 20.0, "same", "holds"),
        ("inside", 3.0, "high", "fails"),
    ],
)
def test_margins(kind: str, margin: float, student: str, verdict: str) -> None:
    against = "high/M2" if student == "low" else "low/M2"
    assert decide(claim("a", f"{student}/M2", against, kind=kind, margin=margin))["a"].verdict == verdict


def test_too_few_seeds_or_families_leave_it_undecided_and_say_so() -> None:
    few = decide(claim("a", "high/M2", "low/M2", min_seeds=6), seeds=3)["a"]
    assert (few.verdict, few.why) == ("undecided", "3 seeds of 6")
    assert few.smallest_visible > 0
    narrow = decide(claim("a", "high/M2", "low/M2"), min_families={"one": 30, "three": 1})["a"]
    assert (narrow.verdict, narrow.why) == ("undecided", "one: 20 families of 30; three: 0 families of 1")


def test_families_count_where_both_students_answered_them() -> None:
    """A part of the problems may have been sampled: the families of the others say nothing of samples."""
    few = {p.id for p in PROBLEMS[: len(PROBLEMS) // 2]}
    students = [student(arm, s, lambda k, s=s: (k + s) % 2 == 0) for arm in ("one", "two") for s in range(6)]
    students = [s._replace(sampled={"b": {p: x for p, x in s.sampled["b"].items() if p in few}}) for s in students]
    rule = HypothesesSettings(test=(claim("a", "one/M2", "two/M2", measure="sampled"),), min_families={"one": FAMILIES})
    (found,) = settled_hypotheses(rule, students, PROBLEMS)
    assert found.why == f"one: {FAMILIES // 4} families of {FAMILIES}"  # half of the families are of that level


def test_a_hypothesis_whose_students_are_not_there_is_left_out() -> None:
    assert decide(claim("a", "nobody/M2", "low/M2"), claim("b", "high/M2", "low/M2")).keys() == {"b"}


def test_an_arm_that_was_not_run_has_no_m1() -> None:
    assert decide(claim("a", "low/M1", "nobody/M1"), claim("b", "high/M2", "low/M2")).keys() == {"b"}
