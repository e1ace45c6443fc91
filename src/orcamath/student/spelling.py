"""Token ids back to text, for readers: the tokenizer of a student's folder alone, without its weights.

In: the folder of a sealed student. Out: text in which special tokens are spelled out, as the student saw them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Spelled"]


class Spelled:
    """Spells ids by the first folder that has a `tokenizer.json`; students of one run share their base's tokenizer."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._files = [f / "tokenizer.json" for f in folders]
        self._tokenizer: Tokenizer | None = None

    def text(self, ids: Sequence[int]) -> str:
        """Return the text, or the ids themselves where no tokenizer is at hand."""
        if self._tokenizer is None:
            try:
                from tokenizers import Tokenizer
            except ImportError:
                return " ".join(map(str, ids))
            file = next((f for f in self._files if f.exists()), None)
            if file is None:
                return " ".join(map(str, ids))
            self._tokenizer = Tokenizer.from_file(str(file))
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))
