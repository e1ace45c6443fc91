"""What a model says in a reply: without what it thought aloud in front, and without code fences around."""

import re

from orcamath.text.patterns import pattern

__all__ = ["spoken"]

_FENCE = pattern(
    r"^[ \t]*(?:```|~~~)[\w-]*[ \t]*$",
    "a line that opens or closes a code block",
    ("```xml", "~~~"),
    ("a ``` b",),
    re.MULTILINE,
)


def spoken(text: str) -> str | None:
    """Strip `<think>…</think>` in front and code fences around; None where it was still thinking when it ended.

    >>> spoken("<think>3 + 4?</think>It is 7.")
    'It is 7.'
    """
    end = text.rfind("</think>")
    if end >= 0:
        text = text[end + len("</think>") :]
    elif text.lstrip().startswith("<think>"):
        return None
    return _FENCE.sub("", text).strip()
