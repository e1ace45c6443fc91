"""Where in a solution its final answer stands. Searched from the end, so the length of what comes before costs little.

Looked for: a JSON field `answer`; the last of `#### …`, `\\boxed{…}`, `answer is …`, `Answer: …`, `A: …`; else the last
sentence with a number. What a model wrote on after its answer (a new `Q:` of its own) is cut off first.
"""

import json
import re
from typing import Literal, NamedTuple

from orcamath.answers.latex import braced

__all__ = ["Found", "locate"]

How = Literal["json", "marker", "box", "phrase", "sentence"]
MAX_SEGMENT = 600
LOOK_BACK = 8


class Found(NamedTuple):
    """The stretch of text that holds the final answer."""

    text: str
    how: How
    at: int
    """Where it begins in the solution."""
    last: bool = True
    """Nothing but blanks follows it."""


_ANOTHER = re.compile(
    r"\n[ \t]*(?:Q|Question|Problem|Human|User|USER|Student|### ?Instruction|### ?Input|Let's think step by step)\b[^\n:]{0,20}[:.]"
)
_JSON = re.compile(r"""["'](?:final[_ ]?)?answer["'][ \t\n]{0,8}:[ \t\n]{0,8}""", re.IGNORECASE)
_PHRASE = re.compile(
    r"answer\**\)?(?:[ ]?\([^()\n]{0,40}\))?(?:[ ](?:to|for|of|in|as|we|you|would|should|will|must|can|therefore|thus)\b[^.\n]{0,80}?)?"
    r"(?:[ ]?\**[ ]?[:=]|[ ](?:is|are|was|be|equals|comes? (?:out )?to)\b)\**:?",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^[ \t]*(?:A|Ans|Solution|Result|Output)\.?:", re.MULTILINE)
_NUMBERISH = re.compile(r"[0-9½¼¾⅓⅔]")


def locate(text: str) -> Found | None:
    """Return the stretch with the final answer; None where the text is blank."""
    end = text.rfind("</think>")
    if end >= 0:
        text = text[end + 8 :]
    if not text or text.isspace():
        return None
    if found := _json(text):
        return found
    best: Found | None = None
    for found in (_marker(text), _box(text), _phrase(text)):
        if found is not None and (best is None or found.at > best.at):
            best = found
    return best if best is not None else _last_sentence(text)


def _json(text: str) -> Found | None:
    at = len(text)
    for _ in range(LOOK_BACK):
        at = max(text.rfind('nswer"', 0, at), text.rfind("nswer'", 0, at))
        if at < 0:
            return None
        start = max(at - 8, 0)
        for match in _JSON.finditer(text, start, min(at + 40, len(text))):
            if match.end() > at:
                return Found(_json_value(text, match.end()), "json", match.end())
    return None


def _json_value(text: str, at: int) -> str:
    window = text[at : at + MAX_SEGMENT]
    if window[:1] == '"':
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(window)
            return str(value).strip()
        except ValueError:
            close = window.find('"', 1)
            return window[1 : close if close > 0 else len(window)].partition("\n")[0].strip()
    if window[:1] == "'":
        close = window.find("'", 1)
        return window[1 : close if close > 0 else len(window)].strip()
    if window[:1] == "[":
        return window[1 : window.find("]") if "]" in window else len(window)].replace('"', "").strip()
    value = re.match(r"[^\n}]*", window)
    return (value[0] if value else "").strip().rstrip(",").strip()


def _marker(text: str) -> Found | None:
    at = len(text)
    for _ in range(LOOK_BACK):
        at = text.rfind("####", 0, at)
        if at < 0:
            return None
        begin = at + 4
        line = text[begin : begin + MAX_SEGMENT].lstrip("# \t*").partition("\n")[0].strip()
        if line and not _HEADING.match(line):
            return Found(line, "marker", begin)
    return None


_HEADING = re.compile(
    r"(?:step|part|case|solution|calculation|explanation|given|find|method|answer|final|question|problem)\b[^0-9=]{0,40}(?:[0-9]{1,2}[:.)]|:?\**$)",
    re.IGNORECASE,
)


def _box(text: str) -> Found | None:
    at = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if at < 0:
        return None
    start = at + (6 if text.startswith("\\boxed", at) else 5)
    window = text[start : start + MAX_SEGMENT]
    inside, _ = braced(window, 0)
    return Found(inside.strip(), "box", at) if inside.strip() else None


def _phrase(text: str) -> Found | None:
    at = len(text)
    for _ in range(LOOK_BACK):
        at = max(text.rfind("nswer", 0, at), text.rfind("NSWER", 0, at))
        if at < 0:
            break
        match = _PHRASE.match(text, max(at - 1, 0), min(at + 200, len(text)))
        if match:
            segment = _behind(text, match.end())
            if segment:
                return Found(segment, "phrase", match.end())
    tail_at = max(len(text) - MAX_SEGMENT, 0)
    label = None
    for label in _LABEL.finditer(text[tail_at:]):
        pass
    if label is not None and (segment := _behind(text, tail_at + label.end())):
        return Found(segment, "phrase", tail_at + label.end())
    return None


def _behind(text: str, at: int) -> str:
    """Return what stands behind an answer phrase.

    On the same line: its first sentence with a number. On later lines only: a small solution of its own, whose last
    sentence counts. Where there is no number, the first line that says anything.
    """
    line, _, rest = text[at : at + MAX_SEGMENT].partition("\n")
    line = line.strip(" \t*_`")
    if _SAYS.search(line):
        for sentence in _SENTENCE.split(line):
            if _NUMBERISH.search(sentence):
                return sentence.strip()
        return line
    rest = text[at : at + 4 * MAX_SEGMENT].partition("\n")[2]
    found = _last_sentence("\n" + rest)
    return found.text if found else ""


_SAYS = re.compile(r"[^\W_]")
_SENTENCE = re.compile(r"(?<=[.!?])[ ]+(?=[A-Z(\"'*])|(?<=[0-9a-z])\.(?=[A-Z])")


def _last_sentence(text: str) -> Found | None:
    """Return the last sentence with a number, or the last line where no number is near the end."""
    tail_at = max(len(text) - 4 * MAX_SEGMENT, 0)
    tail = text[tail_at:].rstrip()
    another = _ANOTHER.search(tail)
    if another and _NUMBERISH.search(tail, 0, another.start()):
        tail = tail[: another.start()]
    lines = tail.split("\n")
    for line in reversed(lines):
        if _NUMBERISH.search(line):
            for sentence in reversed(_SENTENCE.split(line)):
                if _NUMBERISH.search(sentence):
                    return Found(sentence.strip()[-MAX_SEGMENT:], "sentence", tail_at)
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return Found(last[-MAX_SEGMENT:], "sentence", tail_at) if last else None
