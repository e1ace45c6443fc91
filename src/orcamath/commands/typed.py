"""Command lines as people type them: without an option, and with the folders that were named.

In: words. Out: words.
"""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["places", "without_option"]

USUAL = {"--runs": "runs", "--store": "store"}


def without_option(option: str, typed: Sequence[str], value: str = "") -> list[str]:
    """Return a typed command without an option and its value, if that begins with `value`, however the two are written."""
    words, kept = iter(typed), list[str]()
    for word in words:
        told = (word, next(words, "")) if word == option else (word,)
        if not "=".join(told).startswith(f"{option}={value}"):
            kept += told
    return kept


def places(runs: Path, store: Path) -> list[str]:
    """Return the options that name these folders, those that are not the usual ones."""
    named = {"--runs": str(runs), "--store": str(store)}
    return [word for option, path in named.items() if path != USUAL[option] for word in (option, path)]
