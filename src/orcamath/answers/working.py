"""Whether an answer shows its working, or tells the answer alone."""

from orcamath.answers.locate import locate
from orcamath.answers.numbers import quantities

__all__ = ["worked"]


def worked(text: str) -> bool:
    """Tell whether numbers stand before the final answer: in the text before its marker, or in the sentence that holds it.

    >>> worked("5 + 3 = 8\\n#### 8"), worked("#### 8"), worked("She has 5 + 3 = 8."), worked("She has 8.")
    (True, False, True, False)
    """
    head, _, answer = text.rpartition("</think>")
    found = locate(answer)
    if found is None:
        return False
    before = head + answer[: found.at]
    # without a marker the sentence itself may be the working: what it ends in is one number, more are working
    return _tells(before) > 0 or (found.how == "sentence" and _tells(found.text) > 1)


def _tells(text: str) -> int:
    return len(quantities(text)) if any(c.isdigit() for c in text) else 0
