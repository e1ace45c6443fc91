"""Labels of stages are read back by one reader, whatever the outline can name."""

import pytest

from orcamath.store.stage import StageLabel


@pytest.mark.parametrize(
    ("label", "name", "number", "whole"),
    [
        ("teach", "teach", None, False),
        ("practice 3", "practice", 3, True),
        ("practice 3.1", "practice", 3, False),
        ("judge 12.10", "judge", 12, False),
        ("evaluate M2", "evaluate", None, False),
        ("evaluate base 4", "evaluate", None, False),
        ("imitate once more", "imitate", None, False),
        ("pick 2 easy", "pick", None, False),
        ("seeds as they are", "seeds", None, False),
        ("agent ²", "agent", None, False),
    ],
)
def test_a_label_says_which_stage_of_which_round(label: str, name: str, number: int | None, whole: bool) -> None:
    read = StageLabel.read(label)
    assert (read.name, read.round, read.whole) == (name, number, whole)
