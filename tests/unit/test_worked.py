"""Worked solutions of the seeds' own: formulas as steps, texts that reach the gold, counts of steps, lessons made of them."""

import random
from fractions import Fraction
from itertools import permutations
from pathlib import Path

import pytest

import orcamath as om
from orcamath.answers.steps import spelled, steps
from orcamath.errors import TooManyRejects
from orcamath.records import Lesson, Problem
from orcamath.stages.teach import TeachSettings, teach_from_seeds
from orcamath.worked import NoLesson, _one_operation, n_equations, n_steps, solution_of, worked_out
from scripted import Bench, seed


@pytest.mark.parametrize(
    ("formula", "written"),
    [
        ("X=((32.0+42.0)-35.0)", ["32 + 42 = 74", "74 - 35 = 39"]),  # MultiArith
        ("( 76.0 - 25.0 )", ["76 - 25 = 51"]),  # SVAMP
        ("X = 70 - 27", ["70 - 27 = 43"]),  # AddSub
        ("105-23+45=127", ["105 - 23 = 82", "82 + 45 = 127"]),  # ASDiv, here and below
        ("3*4=12; 12-2=10", ["3 * 4 = 12", "12 - 2 = 10"]),
        ("(6+9)*2=30", ["6 + 9 = 15", "15 * 2 = 30"]),
        ("3.00-1.50=1.50", ["3 - 1.5 = 1.5"]),
        ("1/4=0.25", ["1 / 4 = 0.25"]),
        ("70-x=27", None),  # the unknown stands inside
        ("x:The number; (x-6)/13=2", None),
        ("42/12=3 r6", None),
        ("GCD(12,18)=6", None),
        ("104-48=56; 56:48=7:6", None),
        ("(9+9+22+23+22+22+7)/7=16.3", None),  # says what is not so
        ("10/3=x", None),  # no short spelling
        ("5/0=x", None),
        ("3+4=7=7", None),
        ("x = 5", None),  # nothing to work out
        ("4, 6, 8, 10, 12", None),
        ("", None),
    ],
)
def test_a_formula_is_written_out_in_the_order_it_is_worked(formula: str, written: list[str] | None) -> None:
    found = steps(formula)
    assert (None if found is None else [str(s) for s in found]) == written


def test_numbers_are_spelled_shortly_and_exactly_or_not_at_all() -> None:
    values = {"7": "7", "-7": "-7", "5/2": "2.5", "-1/4": "-0.25", "1/3": None, "1/100000": None, "120": "120"}
    assert {x: spelled(Fraction(x)) for x in values} == values


STORY = "Ann has 3 pens and buys 4. Then she loses 2. How many pens has she now?"
PROSE = "Ann has 3 + 4 = <<3+4=7>>7 pens first.\nThen she has 7 - 2 = <<7-2=5>>5 pens.\n#### 5"


@pytest.mark.parametrize(
    ("solution", "answer", "text"),
    [
        ("X=((3.0+4.0)-2.0)", "5", "3 + 4 = 7\n7 - 2 = 5\n#### 5"),
        (PROSE, "5", "Ann has 3 + 4 = 7 pens first.\nThen she has 7 - 2 = 5 pens.\n#### 5"),
        ("X=((3.0+4.0)-2.0)", "6", None),  # does not reach the gold
        (PROSE, "6", None),
        ("GCD(12,18)=5", "5", None),  # no text to learn from
        (None, "5", None),
    ],
)
def test_a_lesson_is_made_of_a_solution_that_reaches_the_gold(
    solution: str | None, answer: str, text: str | None
) -> None:
    assert solution_of(seed(STORY, answer, solution=solution)) == text


@pytest.mark.parametrize(
    ("answer", "solution", "taught"),
    [
        ("26 км", "Утром было пройдено 6 км, вечером ещё 20 км. 6 + 20 = 26 км. #### 26 км", True),
        ("5", "Zuerst hat sie 3 und 4, das sind 7; dann fehlen 2. #### 5", True),
        ("30", "まず100個のりんごから70個を引くと、残りは30個になります。 #### 30", True),
        ("30", "先用一百减去七十，得到剩下的苹果数量是三十。 #### 30", True),
        ("30", "पहले सौ सेब थे और सत्तर बेच दिए गए। #### 30", True),
        ("26", "6 км + 20 км = 26 #### 26", False),  # no explanation
        ("5", "n0 = 3.0; n1 = 4.0; answer = n0 + n1 - 2 #### 5", False),  # a program
    ],
)
def test_an_explanation_in_any_script_makes_a_lesson(answer: str, solution: str, taught: bool) -> None:
    problem = seed("Сколько?" if "км" in answer else STORY, answer, solution=solution)
    assert (solution_of(problem) is not None) is taught


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (seed(STORY), NoLesson.NO_ANSWER),
        (seed(STORY, "5"), NoLesson.NO_SOLUTION),
        (seed(STORY, "5", solution="GCD(12,18)=5"), NoLesson.FEW_WORDS),
        (seed(STORY, "5", solution="She has some pens, and then she has some more."), NoLesson.STATES_NONE),
        (seed(STORY, "6", solution=PROSE), NoLesson.ANOTHER),
        (seed(STORY, "6", solution="3+4-2=5"), NoLesson.ANOTHER),
    ],
)
def test_why_a_solution_makes_no_lesson_is_told(problem: Problem, why: NoLesson) -> None:
    assert worked_out(problem) is why


def test_a_hidden_number_is_no_gold_to_make_a_lesson_of() -> None:
    hidden = Problem.make(STORY, "ask_me_anything", "t", answer="5", answer_from="hidden_number", solution="3+4-2=5")
    assert solution_of(hidden) is None


@pytest.mark.parametrize(
    ("question", "answer", "solution", "n"),
    [
        (STORY, "5", "3+4-2=5", 2),
        (STORY, "5", PROSE, 2),
        ("Ann has 3 pens and buys 4. How many has she?", "7", None, 1),  # 3 + 4
        ("Ann has 12 pens in 4 boxes. How many in each?", "3", None, 1),  # 12 / 4
        (STORY, "11", None, 0),  # no two of 3, 4 and 2 make 11
        ("Who has more pens, Ann with 3 or Bob with 4?", "Bob", None, 0),
    ],
)
def test_steps_are_counted_where_something_tells(question: str, answer: str, solution: str | None, n: int) -> None:
    assert n_steps(seed(question, answer, solution=solution)) == n


def test_one_operation_is_found_as_trying_every_pair_finds_it() -> None:
    rng = random.Random(7)
    for _ in range(2000):
        numbers = [Fraction(rng.randint(0, 6)) for _ in range(rng.randint(0, 4))]
        wanted = rng.choice([Fraction(rng.randint(-6, 12)), Fraction(rng.randint(1, 6), rng.randint(1, 6))])
        pairs = list(permutations(numbers, 2))
        tried = any(wanted in (a + b, a - b, a * b) or (b != 0 and wanted == a / b) for a, b in pairs)
        assert _one_operation(numbers, wanted) is tried, (numbers, wanted)
    assert not _one_operation(
        [Fraction(i) for i in range(1, 100_000)], Fraction(1, 200_001)
    )  # seconds, were it every pair


def test_equations_are_counted_a_line_at_a_time() -> None:
    assert n_equations("So 3 + 4 = 7 and\n7 - 2 = 5.\nThe price is = 5") == 2
    assert n_equations("nothing here") == 0
    assert n_equations("3 - 2 = 1 = 1, 4 × 2\n= 8; 5 = 5 + 0 =") == 2
    assert n_equations("-" * 1_000_000) == 0  # in time that grows with the length only


def test_seeds_teach_without_a_model_and_what_has_no_solution_is_left_for_practice(tmp_path: Path) -> None:
    rows = [seed(f"Ann has {i} pens and buys 4. How many?", str(i + 4), solution=f"{i}+4={i + 4}") for i in range(6)]
    bare = seed("Bob has 3 caps. How many?", "3")
    bench = Bench(tmp_path)
    table = bench.table([bare, *rows])
    made = bench.run(lambda out: teach_from_seeds(out, TeachSettings(by="seeds", max_problems=4), table))
    lessons, left = list(made.read(Lesson)), list(made.read(Problem))
    assert len(lessons) == 4
    assert {(x.verified, x.teacher, x.final_answer == x.gold) for x in lessons} == {("gold", "own:seeds", True)}
    assert bare in left
    assert {x.problem_id for x in lessons} | {p.id for p in left} == {p.id for p in (bare, *rows)}
    assert made.facts["without"] == {"no solution": 1}
    assert made.facts["warnings"] == ["problems without a lesson of their own: 1 of 7 (no solution: 1)"]
    more = bench.run(lambda out: teach_from_seeds(out, TeachSettings(by="seeds", max_problems=5), table))
    assert {x.id for x in lessons} < {x.id for x in more.read(Lesson)}  # a larger number only adds


def test_seeds_without_solutions_of_their_own_end_the_run_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("question,answer,loesung\nWie viel ist 3 + 4?,7,3 + 4 = 7\n")
    recipe = {
        "name": "mine",
        "seeds": {"sources": [{"name": "file", "path": str(tmp_path / "mine.csv"), "split": "train"}]},
        "ask_me_anything": None,
        "suggester_editor": None,
        "teach": {"by": "seeds"},
        "student": "classroom",
    }
    with pytest.raises(
        TooManyRejects,
        match=r"1 of 1 \(no solution: 1\)\..*columns: \{solution",
    ):
        om.run(recipe, runs=tmp_path / "runs", store=tmp_path / "store")
