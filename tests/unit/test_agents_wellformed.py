"""Numbers that contradict each other are found where that is certain, and sound problems pass."""

import pytest

from orcamath.agents.wellformed import contradiction

SOUND = [
    "Ann spent 60% of her money on a coat and 50% of the rest on shoes.",
    "Ann gave away 60% of the beads, 50% of the remaining beads the next day, and kept the rest.",
    "60% of the boys and 70% of the girls walk and the rest take the bus.",
    "60% of the red hats and 70% of the red caps are new and the rest are old.",
    "In one class 60% are girls, in the other 70% are girls, and the rest are boys.",
    "60% of the eggs are brown, 30% of the eggs are white and the rest are blue.",
    "Al used 12 of the 3-inch nails.",
    "Al used 12 of the 3 inch nails.",
    "Al sold 25 of the 10 dollar tickets.",
    "Al drank 12 of the 0.5 liter bottles.",
    "Al ate 5/12 of 10 pies.",
    "The tree grew to 5/4 of its height.",
    "The second rope is 3/2 of the first rope's length.",
    "Al needs 5/4 of the flour in the recipe.",
    "A recipe takes 4 eggs. Al needs 5/4 of the eggs in the recipe.",
    "Al ran 8 miles and Bo 5/4 of the miles.",
    "Ann has 8 eggs. Bo has 5/4 of the eggs Ann has.",
]
CONTRADICTING = [
    "15 of the 12 hens are brown.",
    "Al took 3 out of 2 eggs.",
    "Al has 16 eggs and sells 5/4 of the eggs.",
    "Al has 16 brown eggs. He sells 5/4 of them.",
    "He sells 5/4 of the 16 eggs.",
    "60% of the eggs go to Al, 50% of the eggs to Bo, and the rest to Cy.",
    "60% of her money is for Al, 50% of her money for Bo, and the rest for Cy.",
    "60% are red, 50% are blue and the rest are green.",
    "Al gave Bo 60% of them and Cy 50% of them, and the others he kept.",
]


@pytest.mark.parametrize("text", SOUND)
def test_what_may_be_sound_passes(text: str) -> None:
    assert contradiction(text) is None


@pytest.mark.parametrize("text", CONTRADICTING)
def test_what_is_certain_is_found(text: str) -> None:
    assert contradiction(text)
