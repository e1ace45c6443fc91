"""What an edit has to add: a number more, a step, or a condition with words of its own; other words for the old add nothing."""

import pytest

from orcamath.agents.rewording import reworded

HATS = "Ann sells 3 hats an hour for $2 each. How much does she earn in 5 hours?"
STORY, QUESTION = HATS.split(". ")[0] + ".", HATS.split(". ")[1]
EGGS = "Maya's hens lay 16 eggs a day. She eats 3 of them. How many eggs does she sell a day?"


@pytest.mark.parametrize(
    "end",
    [
        "after the entire day",
        "for the entire day",
        "before the end of the day",
        "then",
        "per day",
        "each day",
        "every single day",
        "in total",
        "only",
        "if so",
        "after that same week",
        "per hour",
    ],
)
def test_what_is_hung_behind_a_question_is_no_step(end: str) -> None:
    assert reworded(f"{HATS.removesuffix('?')} {end}?", HATS)


@pytest.mark.parametrize(
    "text",
    [
        HATS.replace("3 hats", "4 hats"),
        HATS.replace("3 hats", "four hats").replace("5 hours", "6 hours"),
        HATS.replace("Ann", "Bo"),
        HATS.replace("Ann", "Bo").replace("3 hats", "7 hats"),
        HATS.replace("$2 each", "2 dollars each").replace("How much", "How many dollars"),
        f"If {STORY.removesuffix('.')}, how much does she earn in 5 hours?",
        f"Suppose that {STORY} {QUESTION}",
    ],
)
def test_another_number_another_name_or_order_adds_nothing(text: str) -> None:
    assert reworded(text, HATS)


@pytest.mark.parametrize(
    "text",
    [
        f"{STORY} Thread costs her $1. {QUESTION}",
        HATS.replace("3 hats", "3 caps and 4 hats"),
        f"{STORY} How much does she earn in 5 hours after paying for the thread?",
        f"{STORY} How much does she earn in 5 hours if nobody buys the last hat?",
        f"{STORY} She then buys back what she sold in the market. {QUESTION}",
        HATS.replace("5 hours", "6 hours, after which it rains"),
        f"{STORY} How much does she earn in 5 hours if she shares it with Bo?",
        f"{STORY} How much does she earn in half of 5 hours?",
        f"{STORY} How much more does she earn in 5 hours than in an hour?",
        f"{STORY} How much does she earn per customer in 5 hours?",
        f"{STORY} How many hats does she sell in 5 hours?",
    ],
)
def test_a_number_more_a_step_or_a_condition_with_its_own_words_is_an_edit(text: str) -> None:
    assert not reworded(text, HATS)


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (
            "Ann and Bo pick 12 apples. How many apples do they have?",
            "Ann and Bo pick 12 apples. They share them equally. How many apples does each have?",
        ),
        (
            "Ann sells 3 hats for $2 each. How much does she earn?",
            "Ann sells some hats for $2 each. How many hats must she sell to earn $30?",
        ),
    ],
)
def test_sharing_out_and_asking_the_other_way_round_are_edits(before: str, text: str) -> None:
    assert not reworded(text, before)


@pytest.mark.parametrize(
    ("question", "edited"),
    [
        ("How many eggs does she sell in a week?", True),
        ("How many eggs does she sell each week?", True),
        ("How many eggs does she sell in one day?", False),
        ("How many eggs does she sell every day?", False),
        ("How many eggs are left to her a day?", True),
    ],
)
def test_another_unit_of_time_in_the_question_is_a_step(question: str, edited: bool) -> None:
    assert reworded(EGGS.replace("How many eggs does she sell a day?", question), EGGS) is not edited
