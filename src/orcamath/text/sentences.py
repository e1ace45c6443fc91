"""A problem cut into its sentences."""

import re
from functools import lru_cache

from orcamath.text.patterns import pattern

__all__ = ["IMPERATIVE", "sentences"]

_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)]{0,2}\s+(?=[\"'“‘(]?[A-Z0-9$])|(?<=\s[.!?])\s+|\n+")
_ABBREVIATION = pattern(
    r"(?:\b(?:mr|mrs|ms|dr|st|no|vs|approx|e\.g|i\.e|[A-Z])\.)$",
    "a full stop that ends no sentence",
    ("She met Mr.", "about 3, e.g.", "J."),
    ("She met him.", "It was 3."),
)
IMPERATIVE = pattern(
    r"^(?:please |then |now |so,? |and )?(?:find|calculate|compute|determine|work out|figure out|express|evaluate|solve|"
    r"state|write|give|name|tell|how|what|which|who|when|where|by how|at what|in how|for how|to what)\b",
    "an order or a question word that opens a sentence",
    ("Find the area.", "So, how many are left", "In how many days is it done"),
    ("She found it.", "If it rains, how many?"),
)


@lru_cache(maxsize=1024)  # the rules of one problem all begin here
def sentences(text: str) -> tuple[str, ...]:
    """Split at ends of sentences; abbreviations and decimal points do not end one."""
    parts: list[list[str]] = []
    for piece in _SENTENCE.split(text.strip()):
        if parts and _ABBREVIATION.search(parts[-1][-1]) and not IMPERATIVE.match(piece):
            parts[-1].append(piece)
        elif piece.strip():
            parts.append([piece.strip()])
    return tuple(map(" ".join, parts))
