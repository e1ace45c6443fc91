"""Metamorphic laws of judging: every way of writing the gold answer agrees with it, every other value never does.

Made rows run always; the real questions (ORCAMATH_TEST_DATA) are slow.
"""

import gzip
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from orcamath.answers import kind_of
from orcamath.judges.rules import rule
from orcamath.ports import Comparison

FRAMES = (
    "{}",
    "#### {}",
    "\\boxed{{{}}}",
    "$\\boxed{{{}}}$",
    "The answer is {}.",
    "The answer is: {}",
    "**Answer:** {}",
    "Answer: **{}**",
    '{{"answer": "{}"}}',
    "<answer>{}</answer>",
    "x = {}",
    "So the total is {}.",
    "Therefore, it is {} in all.",
    "First 2 + 3 = 5.\nThen we go on.\n#### {}",
    "1. We read the question.\n2. We find {}.",
    "Step 1: think.\nSo it comes to {}.",
    "The answer is 7. Wait, that is wrong. The answer is {}.",
    "<think>7 or 8?</think>The result is {}.",
)
"""Ways of stating a value."""
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def spellings(value: Fraction) -> Iterator[str]:
    """Yield ways of writing a number that every reader takes for the same."""
    if value.denominator == 1:
        n = int(value)
        yield from (f"{n}", f"{n}.0", f"{n}.00")
        yield from (f"{n}".translate(ARABIC), f"{n}".translate(WIDE))
        if abs(n) >= 1000:
            for mark in (",", " ", "\u00a0", "\u202f", "\u2009", "'", "’", "{,}", "\\,"):
                yield f"{n:,}".replace(",", mark)
        if n and n % 1000 == 0:
            yield f"{n // 1000}×10³"
        return
    yield f"{value.numerator}/{value.denominator}"
    yield (
        f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
        if value > 0
        else f"-\\frac{{{-value.numerator}}}{{{value.denominator}}}"
    )
    whole, rest = divmod(value.numerator, value.denominator)
    if value > 1 and value.denominator <= 10_000:
        yield from (f"{whole} {rest}/{value.denominator}", f"{whole}\\frac{{{rest}}}{{{value.denominator}}}")
    if 1000 % value.denominator == 0:
        text = f"{float(value):.3f}".rstrip("0")
        yield from (text, text.replace(".", ",") if len(text.partition(".")[2]) < 3 else text)


def others(value: Fraction) -> set[Fraction]:
    """Return values near a number that are not it."""
    return {value + 1, value - 1, value * 10, value * 2, -value, value / 2, value * 1000} - {value}


def plainly(value: Fraction) -> str:
    """Write a number in the plainest way."""
    return str(value) if value.denominator == 1 or 1000 % value.denominator else f"{float(value):.4f}".rstrip("0")


def values(draw: random.Random) -> Iterator[Fraction]:
    """Yield numbers of every size and form."""
    for digits in range(1, 8):
        for _ in range(2):
            yield Fraction(draw.randrange(10 ** (digits - 1) + 8, 10**digits + 12))
    for _ in range(6):
        yield Fraction(-draw.randrange(9, 3000))
        yield Fraction(draw.randrange(101, 9999), draw.choice((4, 5, 8, 10, 100)))
        yield Fraction(draw.randrange(1, 40), draw.choice((3, 7, 11)))


QUESTIONS = ("", "How many pens does Ann have?", "What is the value of x?", "How much does it cost?", "How far is it?")


def test_every_way_of_writing_an_answer_agrees() -> None:
    draw = random.Random(5)
    wrong = []
    for value in values(draw):
        gold = plainly(value)
        for text in spellings(value):
            for frame in draw.sample(FRAMES, 6):
                question = draw.choice(QUESTIONS)
                if rule(Comparison(question, gold, frame.format(text), "number")).agrees is not True:
                    wrong.append((question, gold, frame.format(text)))
    assert wrong == []


def test_no_other_value_ever_agrees() -> None:
    draw = random.Random(6)
    wrong = []
    for value in values(draw):
        for other in others(value):
            for text in spellings(other):
                frame, question = draw.choice(FRAMES), draw.choice(QUESTIONS)
                if rule(Comparison(question, plainly(value), frame.format(text), "number")).agrees:
                    wrong.append((question, plainly(value), frame.format(text)))
    assert wrong == []


LEFT, RIGHT = (
    ("x < {}", "x \\le {}", "2x + y = {}", "{}n", "{}+n", "n-{}", "{}\\pi", "(0, {})"),
    ("x > {}", "x \\ge {}", "2x - y = {}"),
)


def test_a_formula_is_not_the_number_in_it() -> None:
    for n in (2, 5, 12, 100):
        for form in LEFT + RIGHT:
            assert rule(Comparison("How many?", str(n), f"\\boxed{{{form.format(n)}}}")).agrees is not True, form
    for form in LEFT[:3] + RIGHT:
        for other in LEFT[:3] + RIGHT:
            said = rule(
                Comparison("Which x?", form.format(7), f"\\boxed{{{other.format(7)}}}", kind_of(form.format(7)))
            ).agrees
            assert said is (form == other), (form, other)


def real() -> Iterator[dict[str, str]]:
    folder = os.environ.get("ORCAMATH_TEST_DATA")
    if not folder:
        pytest.skip("needs real data: set ORCAMATH_TEST_DATA to its folder")
    for path in sorted(Path(folder).glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


@pytest.mark.slow
def test_the_laws_hold_on_real_questions() -> None:
    draw = random.Random(7)
    counts: Counter[str] = Counter()
    wrong = []
    for row in real():
        gold = str(row["answer"] or "")
        if kind_of(gold) != "number" or not gold.lstrip("-").replace(".", "", 1).isdigit():
            continue
        value = Fraction(gold)
        for text in draw.sample(list(spellings(value)), 2):
            answer = draw.choice(FRAMES).format(text)
            said = rule(Comparison(row["question"], gold, answer, "number")).agrees
            counts[f"same {said}"] += 1
            if said is not True:
                wrong.append((row["id"], gold, answer, said))
        for other in draw.sample(sorted(others(value)), 2):
            answer = draw.choice(FRAMES).format(draw.choice(list(spellings(other))))
            said = rule(Comparison(row["question"], gold, answer, "number")).agrees
            counts[f"other {said}"] += 1
            if said is True:
                wrong.append((row["id"], gold, answer, said))
    assert counts["same True"] > 10_000
    assert wrong == []
