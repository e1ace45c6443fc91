"""Reading numbers and answers out of text: tables of written forms, and what final answers are found in."""

import gzip
import json
import os
import pathlib
from fractions import Fraction

import pytest

from orcamath.answers import final_answer, kind_of, quantities
from orcamath.answers.locate import last_sentences
from orcamath.judges.rules import rule
from orcamath.ports import Comparison
from orcamath.text.sentences import sentences

GOLDEN = [json.loads(line) for line in (pathlib.Path(__file__).parents[1] / "golden" / "answers.jsonl").open()]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,319 and $60", [1319, 60]),
        ("60% or 60 percent", [Fraction(3, 5), Fraction(3, 5)]),
        ("1/2, 2 1/2, 2½ and 2 and a half", [Fraction(1, 2), Fraction(5, 2), Fraction(5, 2), Fraction(5, 2)]),
        ("3.0, .5, 1e3, 3.2 × 10^4", [3, Fraction(1, 2), 1000, 32000]),
        ("five of twenty-one", [5, 21]),
        ("one hundred twenty-three thousand and five", [123005]),
        ("a dozen, two dozen, half a dozen, 2 dozen", [12, 24, 6, 24]),
        (
            "half of it, two thirds, one-half, a quarter of",
            [Fraction(1, 2), Fraction(2, 3), Fraction(1, 2), Fraction(1, 4)],
        ),
        ("a third friend", []),
        ("twice as many", [2]),
        ("1.5 million", [1500000]),
        ("fifty-two point six two", [Fraction("52.62")]),
        ("4:30 pm, 16:30, 4 p.m.", [Fraction(33, 2), Fraction(33, 2), 16]),
        ("3:4 and 16 : 9", [Fraction(3, 4), Fraction(16, 9)]),
        ("step 2: 5 apples", [2, 5]),
        ("-5, (-3), -$4, $-6, negative 7", [-5, -3, -4, -6, -7]),
        ("10 - 5, 10-5, 10 -5", [10, 5, 10, 5, 10, 5]),
        ("B12 C4", []),
        ("5x3", [5, 3]),
        ("Rs.500", [500]),
        ("on 3/4/2020", [3, 4, 2020]),
        ("9" * 41, []),
        ("1,1111", [1, 1111]),
        ("1e999", []),
    ],
)
def test_numbers_are_read_exactly(text: str, values: list[Fraction | int]) -> None:
    found = quantities(text)
    assert [q.value for q in found] == values
    assert [text[q.start : q.end] for q in found] == [q.text for q in found]


def test_percentages_know_what_is_on_the_page() -> None:
    (quantity,) = quantities("about 12.5% of them")
    assert (quantity.value, quantity.shown, quantity.unit, quantity.form) == (
        Fraction(1, 8),
        Fraction(25, 2),
        "%",
        "percent",
    )


@pytest.mark.parametrize("row", GOLDEN, ids=[f"{i}-{r['response'][-24:]!r}" for i, r in enumerate(GOLDEN)])
def test_written_answers_mean_what_a_reader_would_take_them_for(row: dict[str, str]) -> None:
    ruling = rule(Comparison(row["question"], row["gold"], row["response"], kind_of(row["gold"])))
    assert (ruling.agrees, ruling.answer) == (row["agrees"], row.get("read", ruling.answer))
    assert row["source"]


@pytest.mark.parametrize(
    ("text", "kind", "answer"),
    [
        ("He eats 3.\n#### 18 dollars (she started with 55)", "number", "18 dollars"),
        ("The total is 5 + 3 = 8 apples.", "number", "8"),
        ("I am not sure.", "number", None),
        ("", "number", None),
        ("The answer is Mrs. Hilt. She has 5.", "text", "Mrs. Hilt"),
        ("So the answer is (c) 625", "choice", "C"),
        ("\\boxed{2x + 3}", "expression", "2x + 3"),
        ("Therefore $x^2 + 1$ is the result.", "expression", "x^2 + 1"),
        ("#### 14, 24", "set", "14, 24"),
    ],
)
def test_final_answer_is_the_short_one(text: str, kind: str, answer: str | None) -> None:
    options = ("1", "2", "625") if kind == "choice" else ()
    assert final_answer(text, kind, options=options) == answer  # type: ignore[arg-type]


def test_what_a_model_writes_on_after_its_answer_is_not_its_answer() -> None:
    text = "The answer is 80. \n\n\nQ: There are 30 students. How many?\nA: The total is 99"
    assert final_answer(text) == "80"
    assert final_answer("#### 80\n\n### Question: And 3 more?\n#### 83") == "80"
    assert final_answer("Therefore she has \n\n80 left.\n\nQuestion: 30 students, 5 boys?") == "80"


@pytest.mark.parametrize(
    ("gold", "kind"),
    [
        ("18", "number"),
        ("$1,000", "number"),
        ("4:30 p.m.", "number"),
        ("14, 24", "set"),
        ("C", "choice"),
        ("4t", "expression"),
        ("(3, 5)", "expression"),
        ("\\frac{3}{4}", "number"),
        ("\\sqrt{2}", "expression"),
        ("Yes", "text"),
        ("6th", "text"),
        ("5 cm", "number"),
        ("12 kg", "number"),
        ("1,319", "number"),
        ("Mrs. Hilt", "text"),
        ("3 : 5", "number"),
    ],
)
def test_the_kind_of_a_gold_answer(gold: str, kind: str) -> None:
    assert kind_of(gold) == kind


def test_gold_solutions_end_in_their_answers() -> None:
    folder = os.environ.get("ORCAMATH_TEST_DATA")
    if not folder:
        pytest.skip("needs real data: set ORCAMATH_TEST_DATA to its folder")
    with gzip.open(pathlib.Path(folder) / "gsm8k-test.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    assert [r["id"] for r in rows if final_answer(r["solution"]).replace(",", "") != r["answer"]] == []  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "of_a_problem", "of_a_reply"),
    [
        ("The answer is no. So he stays.", 1, 2),
        ("It is A. So we are done.", 1, 2),
        ("4 + 5 = 9.So it is 9.", 1, 2),
        ("全部で9です。答えは9です。", 1, 2),
        ('It is 9." 4 are red.', 2, 1),
        ("Mr. Lee has 9. So it is 9.", 2, 2),
    ],
)
def test_sentences_of_a_reply_end_where_those_of_a_problem_do_not(
    text: str, of_a_problem: int, of_a_reply: int
) -> None:
    assert (len(sentences(text)), len(list(last_sentences(text)))) == (of_a_problem, of_a_reply)
