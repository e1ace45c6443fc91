"""Measures of science: units that convert, powers of ten, formulas; a doubt where two cannot be held against each other."""

from fractions import Fraction

import pytest

from orcamath.answers import final_answer, kind_of, same
from orcamath.answers.science import measure_of, unit_end
from orcamath.judges.rules import rule
from orcamath.ports import Comparison

ALIKE = [
    ("10.2 kJ", "10200 J"),
    ("0.376 mol", "376 mmol"),
    ("0.77 mol/L", "0.77 mol L^-1"),
    ("0.77 mol/L", "0.77 mol L⁻¹"),
    ("0.77 mol/L", "0.77 M"),
    ("2 kW", "2000 W"),
    ("72 km/h", "20 m/s"),
    ("72 km/h", "72 kilometers per hour"),
    ("72 kilometers per hour", "20 m/s"),
    ("1 atm", "101.325 kPa"),
    ("500 nm", "5.0e-7 m"),
    ("1.84 g/cm3", "1.84 g/mL"),
    ("1.84 g/cm3", "1840 kg/m^3"),
    ("8.314 J/(mol·K)", "8.314 J mol^-1 K^-1"),
    ("500 mL", "0.5 liters"),
    ("2 g", "2000 milligrams"),
    ("2.47 x 10^23", "2.47 × 10^23"),
    ("2.47 x 10^23", "2.47e23"),
    ("1.0e-14", "1.0 x 10^-14"),
    ("1.0e-14", "10^{-14}"),
    ("1.0e-14", "10⁻¹⁴"),
    ("3.2e-4", "0.00032"),
    ("6.02e23", "6.02e23 molecules"),
    ("CaCO3", "CaCO₃"),
    ("H2O", "$\\mathrm{H_2O}$"),
    ("H2SO4", "H₂SO₄"),
    ("CO", "CO"),
    ("Yes", "yes"),
    ("Mary", "MARY"),
    ("5 hours", "300 minutes"),
    ("25 °C", "25 °C"),
    ("1 kWh", "3.6 MJ"),
    ("1 tonne", "1000 kg"),
    ("1 ha", "10000 m^2"),
    ("1 rpm", "1 rpm"),
    ("60 rpm", "1 Hz"),
    ("3 feet", "36 inches"),
    ("60 mph", "1 mile per minute"),
]
OTHER = [
    ("10.2 kJ", "12 kJ"),
    ("10.2 kJ", "10.2 J"),
    ("2.47 x 10^23", "2.47 x 10^22"),
    ("5 m", "5 cm"),
    ("H2O", "H2O2"),
    ("2 lb", "2 kg"),
    ("3 miles", "3 km"),
    ("5 hours", "301 minutes"),
]
LIKE_BEFORE = [  # gold, a whole answer, the verdict that stood before there were measures
    ("3 hours", "#### 3 hours (30 min each)", True),
    ("2 km", "The answer is 2 km (20 km minus 18 km).", True),
    ("1 kg", "#### 1 kg of 12 kg", True),
    ("5 km", "So she walks 5 km in 5 h.", True),
    ("5 liters", "so 5 liters in 50 hours", True),
    ("1.200 m", "#### 1200 m", True),
    ("1200 m", "#### 1.200 m", True),
    ("2500 g", "Anna braucht 2.500 g Mehl.", True),
    ("150 minutes", "#### 149 minutes", False),
    ("100 km", "#### 99 km", False),
    ("10 m", "#### 5 h", False),
    ("5 min", "#### 5 m", True),
    ("20 °C", "#### 20 C", True),
    ("60 km/h", "#### 60", True),
    ("12", "#### $12 M", True),
    ("12", "#### 12 T-shirts", True),
    ("60 mph", "#### 60 miles an hour", True),
    ("10 m/s", "#### 10 m/sec", True),
    ("20 m^2", "#### 20 meters squared", True),
    ("5 kWh", "#### 5 kilowatt-hours", True),
    ("1.3 miles", "#### 1.3 miles", True),
]
DOUBT = [
    ("298 K", "25 °C"),
    ("30.03 g", "30 g"),
    ("77 °F", "25 °C"),
    ("CO", "Co"),
    ("NaCl", "NACL"),
    ("1 hp", "746 W"),
    ("2 lb", "0.907 kg"),
    ("1 mi", "1.609 km"),
    ("5 N", "5 J"),
    ("20 kg", "20 m"),
    ("£5", "$5"),
]


def judged(gold: str, said: str) -> bool | None:
    return rule(Comparison("What is it?", gold, f"We work it out.\n#### {said}", kind_of(gold))).agrees


@pytest.mark.parametrize(("gold", "said"), ALIKE)
def test_what_is_the_same_measure_agrees(gold: str, said: str) -> None:
    assert judged(gold, said) is True
    if kind_of(gold) == "number":
        assert judged(said, gold) in (True, None)


def test_a_formula_in_a_sentence_is_read_with_its_lowered_digits() -> None:
    assert rule(Comparison("Which acid is it?", "H2SO4", "The formula is H₂SO₄.", "text")).agrees is not False


@pytest.mark.parametrize(("gold", "said"), OTHER)
def test_another_measure_disagrees(gold: str, said: str) -> None:
    assert judged(gold, said) is False


@pytest.mark.parametrize(("gold", "said"), DOUBT)
def test_measures_that_cannot_be_held_against_each_other_are_a_doubt(gold: str, said: str) -> None:
    assert judged(gold, said) is None


@pytest.mark.parametrize(("gold", "said", "agrees"), LIKE_BEFORE)
def test_what_other_rules_decide_is_left_to_them(gold: str, said: str, agrees: bool) -> None:
    question = "Wie viel Mehl braucht Anna?" if "." in said + gold else "How much is it?"
    assert rule(Comparison(question, gold, said, kind_of(gold))).agrees is agrees


def test_in_one_unit_a_question_says_how_far_it_is_rounded() -> None:
    question = "How far is it, rounded to the nearest tenth of a mile?"
    assert rule(Comparison(question, "1.3 miles", "#### 1.33 miles", "number")).agrees is not False


def test_a_speed_is_a_number_and_a_shirt_no_unit() -> None:
    assert (kind_of("50 m/s"), kind_of("9.8 m/s^2")) == ("number", "number")
    assert judged("50 m/s", "50") is True
    assert final_answer("#### 50 m/s") == "50 m/s"
    assert final_answer("#### 12 T-shirts") == "12"


def test_a_solution_s_answer_keeps_its_unit_so_that_a_teacher_is_held_against_gold() -> None:
    assert final_answer("n = 22 g / 58.5 g/mol\n#### 376 mmol") == "376 mmol"
    assert same("number", "376 mmol", "0.376 mol") is True
    assert same("number", "376 mmol", "0.5 mol") is False
    assert [final_answer(f"#### {x}") for x in ("18", "18 apples", "$18", "5 A's")] == ["18", "18", "$18", "5"]


def test_of_several_measures_the_one_that_is_the_answer_is_taken() -> None:
    response = "#### 41 g / (58.44 g/mol) = 0.702 mol"
    assert rule(Comparison("How much is it in mol?", "702 mmol", response, "number")).agrees is True
    assert (
        rule(Comparison("How long does it take?", "200 min", "It takes 3 h 20 min.\n#### 3 h 20 min", "number")).agrees
        is not False
    )


def test_measures_are_read_exactly_and_words_are_none() -> None:
    found = measure_of("1.5 mmol/L")
    assert found is not None
    assert (found.number, found.value) == (Fraction(3, 2), Fraction(3, 2))  # mmol/L are mol/m³
    assert measure_of("12 apples") is None
    assert measure_of("3 h 20 min") is None
    assert measure_of("no number") is None
    assert unit_end("5 kJ of heat", 1) == 4
    assert unit_end("5 kJoules", 1) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "^",
        "5 /",
        "5 (",
        "5 m^",
        "5 m^(-",
        "10^",
        "5 ·",
        "5 °",
        "5 m/(s",
        "5 m①",
        "5 m❷ kg",
        "9" * 400 + " kJ",
        "5 " + "m " * 500,
    ],
)
def test_broken_measures_raise_nothing(text: str) -> None:
    measure_of(text)
    same("number", text, "5 kJ")
    same("number", "5 kJ", text or "x")
