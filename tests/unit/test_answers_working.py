"""Whether an answer shows its working."""

import pytest

from orcamath.answers import working


@pytest.mark.parametrize(
    ("text", "shows"),
    [
        ("#### 8", False),
        ("The answer is 8.", False),
        ("\\boxed{8}", False),
        ('{"answer": 8}', False),
        ("", False),
        ("I do not know.", False),
        ("Now 5 + 3 = 8\n#### 8", True),
        ("She has 5 apples and gets 3. The answer is 8.", True),
        ("She has 8 apples.", False),
        ("5 + 3 = 8", True),
        ("<think>5 + 3 is 8</think>8", True),
        ("Let me think.\n#### 8", False),
        ('{"steps": "5 + 3 = 8", "answer": 8}', True),
    ],
)
def test_working_is_numbers_before_the_final_answer(text: str, shows: bool) -> None:
    assert working.worked(text) is shows
