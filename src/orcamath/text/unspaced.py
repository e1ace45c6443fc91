"""Scripts that are written without blanks between words (Han, kana, Thai, Lao, Khmer, Burmese): each character is a word.

A character is one with the marks on it, as a reader counts them (`กี่`). Digits of these scripts are left together, as others are.
"""

import re
import unicodedata

__all__ = ["CHARACTER", "LETTERS", "apart"]

_BLOCKS = ((0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800))
"""Thai and Lao, Burmese, Khmer."""
_HAN_AND_KANA = (
    "\u3005\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U000323af"
)


def _of_blocks(category: str) -> str:
    places = (i for first, end in _BLOCKS for i in range(first, end))
    return "".join(chr(i) for i in places if unicodedata.category(chr(i))[0] == category)


LETTERS = _HAN_AND_KANA + _of_blocks("L")
"""Their letters, for a class of a pattern."""
_MARKS = "\u3099\u309a" + _of_blocks("M")
CHARACTER = f"[{LETTERS}][{_MARKS}]*"
"""A pattern of one character."""
_CHARACTER = re.compile(CHARACTER)


def apart(text: str) -> str:
    """Put blanks around each character of these scripts; everything else stays as it is.

    >>> apart("小明有12个苹果").split()
    ['小', '明', '有', '12', '个', '苹', '果']
    """
    return text if text.isascii() else _CHARACTER.sub(r" \g<0> ", text)
