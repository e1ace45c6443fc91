"""A rule of form as a row: the expression, why it is there, texts that it must find and texts that it must leave alone.

Every expression that decides about a problem or a reply is such a row, so that a change of one is tested against what the
others of its kind were made for (tests/unit/test_agents_patterns.py goes through all of them).
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["Pattern", "pattern"]


class Pattern(NamedTuple):
    """One rule."""

    compiled: re.Pattern[str]
    reason: str
    hits: tuple[str, ...]
    misses: tuple[str, ...]

    def search(self, text: str, start: int = 0, end: int | None = None) -> re.Match[str] | None:
        """Return the first place where the rule holds, within `text[start:end]`."""
        return self.compiled.search(text, start, len(text) if end is None else end)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        """Return what stands at `start`, where the rule holds there."""
        return self.compiled.match(text, start)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Yield every place where the rule holds."""
        return self.compiled.finditer(text)

    def words(self, text: str) -> set[str]:
        """Return what the rule finds, in lower case."""
        return {m[0].lower() for m in self.compiled.finditer(text)}

    def sub(self, replacement: str | Callable[[re.Match[str]], str], text: str) -> str:
        """Replace what the rule finds."""
        return self.compiled.sub(replacement, text)


def pattern(
    expression: str, reason: str, hits: tuple[str, ...], misses: tuple[str, ...], flags: re.RegexFlag = re.IGNORECASE
) -> Pattern:
    """Make a row; case does not matter unless `flags` says so."""
    return Pattern(re.compile(expression, flags), reason, hits, misses)
