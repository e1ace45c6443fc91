"""The answer in a JSON field, `{"answer": "18"}`, as models write JSON: unfinished, escaped once too often or not at all.

In: a whole solution. Out: the value of its last field named `answer`, as text. Nothing is required of what stands around it.
"""

import json
import re

from orcamath.answers.latex import braced

__all__ = ["json_field"]

MAX_CHARS = 600
MAX_WORDS = 64
"""How often the word `answer` is looked at, from the end: most of them are no fields."""
_JSON = re.compile(r"""\\?["'](?:final[_ ]?)?answer\\?["'][ \t\r\n]{0,8}:[ \t\r\n]{0,8}""", re.IGNORECASE)
_UNESCAPED = re.compile(
    r"(?<!\\)\\(?=(?:[dt]?frac|boxed|fbox|text|times|sqrt|cdot|left|right|mathrm|approx|div|pi|%|\$|,|\(|\)|\[|\])(?![a-z]))"
)
_BARE_VALUE = re.compile(r"""[^\n}\]"']*?(?=[ ]*(?:,[ \t]*(?:["'}\n]|$)|[\n}\]]|$))""")


def json_field(text: str) -> tuple[str, int] | None:
    """Return the value of the last JSON field `answer` (or `final_answer`), and where it begins; None where there is none."""
    at = len(text)
    for _ in range(MAX_WORDS):  # most of them are words
        at = text.rfind("nswer", 0, at)
        if at < 0:
            return None
        if text[at + 5 : at + 6] not in ('"', "'", "\\"):
            continue
        for match in _JSON.finditer(text, max(at - 10, 0), min(at + 40, len(text))):
            if match.end() > at and (value := _value(text, match.end())):
                return value, match.end()
    return None


def _value(text: str, at: int) -> str:
    window = text[at : at + MAX_CHARS]
    if window[:1] == "\\":
        window = window[1:].replace('\\"', '"')
    if window[:1] == '"':
        try:
            # many models forget to escape the backslash of `\\frac`, which JSON then reads as a form feed
            value, _ = json.JSONDecoder(strict=False).raw_decode(_UNESCAPED.sub(r"\\\\", window))
            return str(value).strip()
        except (ValueError, RecursionError):
            pass
    if window[:1] in ('"', "'"):
        close = window.find(window[0], 1)
        return window[1 : close if close > 0 else len(window)].strip().partition("\n")[0].strip()
    if window[:1] == "[":
        return window[1 : window.find("]") if "]" in window else len(window)].replace('"', "").strip()
    if window[:1] == "{":
        inside, _ = braced(window, 0)
        return (
            inside.rpartition(":")[2].replace('"', "").strip()
            if inside.count(":") == 1
            else inside.replace('"', " ").strip()
        )
    value = _BARE_VALUE.match(window.split("\n", 1)[0])
    said = value[0].strip() if value else ""
    return "" if said == "null" else said
