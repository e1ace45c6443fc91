"""What is left of a text when only its words are compared: the forms of a word are one, and other words are others."""

from itertools import combinations

import pytest

from orcamath.text.words import content_words


@pytest.mark.parametrize(
    "forms",
    [
        "make makes making",
        "bake bakes baked baking",
        "glass glasses",
        "class classes",
        "dress dresses dressed",
        "pass passes passed passing",
        "business businesses",
        "cookie cookies",
        "movie movies",
        "brownie brownies",
        "calorie calories",
        "berry berries",
        "family families",
        "carry carries carried carrying",
        "try tries tried trying",
        "fly flies flying",
        "pie pies",
        "day days",
        "toy toys",
        "money",
        "shelf shelves",
        "knife knives",
        "leaf leaves",
        "glove gloves",
        "bonus bonuses",
        "menu menus",
        "house houses",
        "box boxes",
        "bus buses",
        "key keys",
    ],
)
def test_the_forms_of_a_word_are_one(forms: str) -> None:
    assert len(content_words(forms)) == 1


@pytest.mark.parametrize(
    "words", ["class clay", "loss los", "bass bases", "July Julie", "rose Ross", "house hose", "pie pi pin"]
)
def test_other_words_are_others(words: str) -> None:
    for one, two in combinations(words.split(), 2):
        assert content_words(one) != content_words(two)


def test_function_words_numbers_and_single_letters_say_nothing() -> None:
    assert content_words("How many of the 12 x are 3.5?") == set()
