"""One way of writing for what different hands, scripts and languages write: `٤٥`, `12 500`, `1’250`, `10⁶`, `3∶2` → ASCII.

In: a short text. Out: the same with digits of any script, spaces, signs and quotation marks in their ASCII form, grouped
thousands joined, raised digits as powers. What only a language can tell (is `2,5` two and a half?) is `decimal_comma`'s.
"""

import re
import unicodedata
from functools import lru_cache

__all__ = ["ascii_signs", "decimal_comma", "in_points", "meanings", "writes_comma"]

_SIGNS = {
    "−": "-",
    "–": "-",
    "‒": "-",
    "‐": "-",
    "‑": "-",
    "×": "*",
    "✕": "*",
    "⋅": "*",
    "·": "*",
    "∙": "*",
    "∗": "*",
    "÷": "/",
    "∕": "/",
    "⁄": "/",
    "∶": ":",
    "٪": "%",
    "٫": ".",
    "٬": ",",
    "،": ",",
    "、": ",",
    "。": ". ",
    "’": "'",
    "‘": "'",
    "′": "'",
    "“": '"',
    "”": '"',
    "„": '"',
    "«": '"',
    "»": '"',
    "「": '"',
    "」": '"',
    "⩽": "≤",
    "⩾": "≥",
    "≦": "≤",
    "≧": "≥",
}
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_POWER = re.compile(f"[{_RAISED}]+")
_GROUPS = re.compile(
    r"(?<![0-9.,^/'])[1-9][0-9]{0,2}"
    r"(?:(?:[ ~][0-9]{3})+|(?:_[0-9]{3})+|(?:'[0-9]{3})+|(?:\.[0-9]{3}){2,}|(?:\.[0-9]{3})+(?=,[0-9]))(?![0-9]| ?/)"
)
_COMMA = re.compile(r"(?<![0-9.,])([0-9]+),([0-9]+)(?![0-9]|,[0-9]|\.[0-9])")
_THOUSAND = re.compile(r"(?<![0-9.,])([1-9][0-9]{0,2})\.([0-9]{3})(?![0-9.,])")
_ASKING = frozenset(
    (
        "wie wieviel welche welcher welches combien quel quelle quels quelles cuánto cuánta cuántos cuántas cuál "
        "quanto quanta quanti quante quantos quantas qual quale hoeveel welk ile jaki сколько какова каков hur "
        "många mycket hvor mange kolik jaké hány mennyi kaç berapa câte câți cât πόσο πόσα πόσες montako kuinka "
        "koliko bao"
    ).split()
)
"""Words that languages with a decimal comma ask with."""


class _Signs(dict[int, str]):
    """A table for `str.translate` that works out a character the first time it is met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if char in _SIGNS:
            said = _SIGNS[char]
        elif char.isdecimal():
            said = str(unicodedata.decimal(char))
        elif 0xFF01 <= code <= 0xFF5E:
            said = chr(code - 0xFEE0)
        else:
            said = {"Zs": " ", "Cf": ""}.get(unicodedata.category(char), char)
        self[code] = said
        return said


_TABLE = _Signs((code, chr(code)) for code in range(128))


def ascii_signs(text: str) -> str:
    """Return the text with the digits, signs and spaces that mean the same as ASCII ones written so; words stay."""
    if not text.isascii():
        text = _POWER.sub(_power, text).translate(_TABLE)
    return _GROUPS.sub(_joined, text)


def _power(match: re.Match[str]) -> str:
    digits = "".join("-" if c == "⁻" else str(unicodedata.digit(c)) for c in match[0])
    return f"^{digits}" if len(digits) == 1 else f"^({digits})"


def _joined(match: re.Match[str]) -> str:
    return "".join(c for c in match[0] if c not in " ~_'.")


@lru_cache(maxsize=4096)
def writes_comma(question: str) -> bool:
    """Tell whether a question is asked in a language that writes 2.5 as `2,5`."""
    return not _ASKING.isdisjoint(question.casefold().replace("?", " ").replace("¿", " ").split())


def decimal_comma(text: str, *, everywhere: bool) -> str:
    """Read `2,5` as 2.5 (`1.250,50` was joined before). `everywhere` takes `1,250` so as well, and `1.250` as 1250."""
    if everywhere and "." in text:
        text = _THOUSAND.sub(r"\1\2", text)

    def point(match: re.Match[str]) -> str:
        grouped = len(match[2]) == 3 and match[1][0] != "0" and len(match[1]) < 4
        return match[0] if grouped and not everywhere else f"{match[1]}.{match[2]}"

    return _COMMA.sub(point, text) if "," in text else text


def in_points(text: str, question: str) -> str:
    """Return an answer with decimal points where the language of its question writes commas; else as it is.

    >>> in_points("1.250,50 €", "Wie viel kostet es?"), in_points("2,5", "What are the two roots?")
    ('1250.50 €', '2,5')
    """
    return decimal_comma(ascii_signs(text), everywhere=True) if writes_comma(question) else text


def meanings(text: str, question: str) -> tuple[str, ...]:
    """Return how an answer can be read, in points: `1.250` to `Wie viel …?` is 1250, or 1.25 where a program wrote it."""
    read = in_points(text, question)
    return (read,) if read == text or "," in text else (read, text)
