"""Where in a solution its final answer stands. Searched from the end, so the length of what comes before costs little.

Looked for, first: a JSON field `answer`; then whichever comes last of `#### …`, `<answer>…`, `\\boxed{…}`, `answer is …`,
`Answer: …` and `A: …`; else the last sentence (with a number, where one is wanted). What a model wrote on after its answer
(a `Question:` of its own) is cut off first.

Sentences are those of replies, and not as `text.sentences` has a problem's: `… is no.` and `It is A.` end one, and none needs a
blank behind it (`= 9.So`, `。`).
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from orcamath.answers.json_field import json_field
from orcamath.answers.latex import braced
from orcamath.answers.number_words import HAN

__all__ = ["ITEM", "How", "Stretch", "answer_lines", "last_sentences", "locate"]

How = Literal["json", "marker", "box", "phrase", "sentence"]
MAX_SEGMENT = 600
LOOK_BACK = 8
"""How many candidates of one kind are looked at, from the end, before it is given up."""


class Stretch(NamedTuple):
    """The stretch of text that holds the final answer."""

    text: str
    how: How
    at: int
    """Where it begins in the solution."""
    rival: str = ""
    """What else is stated as the answer, where that is said apart from it and later."""


_ANOTHER = re.compile(
    r"\n[ \t#*]*(?:(?:Q|Question|Problem|Human|User|USER|Instruction|Input)\b(?: ?[0-9]{1,3})?\**[:.]|Let's think step by step)"
)
_STRUCK = re.compile(r"~~[^~]{1,400}~~|<(s|del)>[^<]{0,400}</\1>")
_PHRASE = re.compile(
    r"answer\**\)?(?:[ ]?\([^()\n]{0,40}\))?"
    r"(?:[ ](?:to|for|of|in|as|we|you|would|should|will|must|can|therefore|thus)\b[^.\n]{0,80}?)?"
    r"(?:[ ]?\**[ ]?[:=]|[ ](?:is|are|was|be|equals|comes? (?:out )?to)\b(?! not\b))\**:?",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^[ \t*]*(?:A|Ans|Solution|Result|Output)\.?\**:", re.MULTILINE)
_NUMBERISH = re.compile(rf"[0-9]|(?![\x00-\x7f])[\d½¼¾⅓⅔{HAN}]")
_SENTENCE = re.compile(
    r"(?<=[.!?])(?<!Mr\.)(?<!Mrs\.)(?<!Ms\.)(?<!Dr\.)(?<!St\.)(?<!vs\.)(?<!Rs\.)(?<!No\.)[*)\"']{0,3}[ ]+(?=[A-Z(\"'*$\\])"
    r"|(?<=[0-9a-z])\.(?=[A-Z])|(?<=[。！？])"
)
_ASIDE = re.compile(
    r"[\s*_#(]*(?:notes?\b|check|verif|i hope|hope|let me know|feel free|please|thank|if you (?:have|need)|"
    r"time taken|time elapsed|generated in|elapsed|remember|tip|p\.?s\b|explanation|###|---)",
    re.IGNORECASE,
)
_TAKES_BACK = re.compile(
    r"\b(?:wait\b|hmm+|oops|actually|hold on|correct(?:ion|ed:)|make that|scratch that|sorry|"
    r"mistake|mistaken|forgot|forgotten|overlooked|"
    r"mis(?:read|counted|calculated|understood)|is wrong|was wrong|"
    r"incorrect|no, |real (?:total|answer))",
    re.IGNORECASE,
)
"""Words with which a solution takes back the answer it has just stated."""
ITEM = re.compile(r"[ \t]*(?:[Ss]tep )?\(?[0-9]{1,2}[.):][ \t]+(?=\S)")
"""The number of a step, which is no answer."""
_NOT_FINAL = re.compile(
    r"(?:find|get|reach|obtain|determine|calculate|compute|check) (?:the|our|my|this|an)? ?(?:final |correct )?a$|"
    r"guess(?:es|ed)?\b[^.]{0,20} a$",
    re.IGNORECASE,
)
"""`To find the answer: …` states none."""
_ROW = re.compile(
    r"[|*\- ]{0,4}[A-Z][A-Za-z' ]{0,24}(?:'s \w+)? ?[:=|] ?\$?-?[0-9][0-9.,]*(?: [a-z]+){0,2}[.;| ]{0,3}$"
)
_HEADING = re.compile(
    r"(?:step|part|case|solution|calculation|explanation|given|find|method|answer|final|question|problem)\b"
    r"[^0-9=]{0,40}(?:[0-9]{1,2}[:.)]|:?\**$)",
    re.IGNORECASE,
)


def answer_lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield what `####` stands before, with the marker, and where that line ends; first line first, headings left out."""
    at = text.find("####")
    while at >= 0:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        said = text[at:end].lstrip("#* \t")
        if said and not _HEADING.match(said):
            yield text[at:end], end
        at = text.find("####", end)


def locate(text: str, *, wants_number: bool = True) -> Stretch | None:
    """Return the stretch with the final answer; None where the text is blank, or a thought that never ended."""
    # one character is found many times quicker than a word
    if "<" in text and "think>" in text:
        text = text.rpartition("</think>")[2]
        if "<think>" in text:
            return None  # it was still thinking when it ended
    if not text or text.isspace():
        return None
    if "~" in text or "<" in text:
        text = _STRUCK.sub(lambda struck: " " * len(struck[0]), text)
    text = _own(text)
    if field := json_field(text):
        value = Stretch(field[0], "json", field[1])
        return value._replace(rival=_later(text, value, wants_number))
    best: Stretch | None = None
    for found in (_marker(text), _tag(text), _box(text), _phrase(text, wants_number)):
        if found is not None and (best is None or found.at > best.at):
            best = found
    if best is None:
        return _last_sentence(text, 0, wants_number)
    return _corrected(text, best, wants_number) or best


def _later(text: str, found: Stretch, wants_number: bool) -> str:
    """Return what is stated behind a JSON answer: by a marker, or as its correction."""
    rest = text[found.at + len(found.text) :]
    if len(rest) < 8 or not _NUMBERISH.search(rest):
        return ""
    for stated in (_marker(rest), _box(rest), _phrase(rest, wants_number), _corrected(text, found, wants_number)):
        if stated is not None:
            return stated.text
    return ""


def _corrected(text: str, found: Stretch, wants_number: bool) -> Stretch | None:
    """Return the last sentence of a solution that takes its stated answer back (`#### 36 … wait, it is 40`)."""
    if not wants_number or len(text) - found.at - len(found.text) < len(" no, 4"):
        return None
    end = text.find(found.text, found.at) + len(found.text)
    taken = _TAKES_BACK.search(text, end, end + 4 * MAX_SEGMENT)
    if taken is None or not _NUMBERISH.search(text, taken.end()):
        return None
    said = _last_sentence(text[taken.start() :], taken.start(), wants_number)
    if said is None or not _NUMBERISH.search(said.text) or said.text.endswith("?"):
        return None
    return said._replace(how="phrase")


def _own(text: str) -> str:
    """Cut off a further problem that the model wrote for itself after it had answered this one."""
    stated = len(text)
    for mark in ("####", "\\boxed", "nswer"):
        at = text.find(mark, 0, stated) if mark[0] in text else -1
        stated = at if at >= 0 else stated
    another = _ANOTHER.search(text, stated)
    return text[: another.start()] if another and _NUMBERISH.search(text, stated, another.start()) else text


def _marker(text: str) -> Stretch | None:
    if "#" not in text:
        return None
    at = len(text)
    for _ in range(LOOK_BACK):
        at = text.rfind("####", 0, at)
        if at < 0:
            return None
        begin = at + 4
        line = text[begin : begin + MAX_SEGMENT].lstrip("# \t*").partition("\n")[0].strip()
        if line and not _HEADING.match(line):
            return Stretch(line, "marker", begin)
    return None


def _tag(text: str) -> Stretch | None:
    """Return what stands in the last `<answer>…</answer>`."""
    at = text.rfind("<answer>") if "<" in text else -1
    if at < 0:
        return None
    inside = text[at + 8 : at + 8 + MAX_SEGMENT].partition("</")[0].strip()
    boxed = _box(inside)
    return Stretch(boxed.text if boxed else inside, "marker", at + 8) if inside else None


def _box(text: str) -> Stretch | None:
    """Return what stands in the last box; in the last of them where several stand in a row."""
    if "\\" not in text:
        return None
    at = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if at < 0:
        return None
    start = at + (6 if text.startswith("\\boxed", at) else 5)
    window = text[start : start + MAX_SEGMENT]
    bare = window.lstrip(" ")
    # TeX takes one character of `\boxed 12`; who writes so means both
    inside = braced(window, 0)[0] if bare[:1] == "{" else bare.partition("\n")[0].partition("$")[0].rstrip(" .")
    if not inside.strip():
        return None
    before = text[max(at - 24, 0) : at].rstrip("$ ")
    if before.endswith(("and", "or", ",")) and before.rstrip("andor, $").endswith("}") and (first := _box(text[:at])):
        return Stretch(f"{first.text}, {inside.strip()}", "box", first.at)
    return Stretch(inside.strip(), "box", at)


def _phrase(text: str, wants_number: bool) -> Stretch | None:
    at, loud = len(text), "NSWER" in text
    for _ in range(LOOK_BACK):
        at = max(text.rfind("nswer", 0, at), text.rfind("NSWER", 0, at)) if loud else text.rfind("nswer", 0, at)
        if at < 0:
            break
        match = _PHRASE.match(text, max(at - 1, 0), min(at + 200, len(text)))
        if match and (" part" in match[0] or " step" in match[0] or _promises(text, at)):
            continue
        if match and (found := _behind(text, match.end(), wants_number)):
            return _after_label(text, found, wants_number) if match[0].rstrip("*").endswith((":", "=")) else found
    return _labelled(text, wants_number)


def _labelled(text: str, wants_number: bool) -> Stretch | None:
    """Return what stands behind the last line that begins with `A:`, `Solution:` or the like."""
    begin, end = max(len(text) - MAX_SEGMENT, 0), len(text)
    while (colon := text.rfind(":", begin, end)) >= 0:
        end = max(text.rfind("\n", begin, colon) + 1, begin)
        if label := _LABEL.match(text, end):
            found = _behind(text, label.end(), wants_number)
            return _after_label(text, found, wants_number) if found else None
    return None


def _promises(text: str, at: int) -> bool:
    """Whether an answer is only spoken of: `to find the answer`, `first guess: the answer`."""
    before = text[max(at - 40, 0) : at].lower()
    return ("to " in before or "guess" in before) and _NOT_FINAL.search(before) is not None


def _after_label(text: str, found: Stretch, wants_number: bool) -> Stretch:
    """`Answer:` may stand before a whole solution: where more is said behind it, the last sentence counts."""
    rest = text[found.at :]
    if len(rest) - len(found.text) < 20 or _SHORT.match(found.text):
        return found
    return _last_sentence(text, found.at, wants_number) or found


_SHORT = re.compile(r"[^A-Za-z]*[0-9][^A-Za-z]{0,20}(?:\s?[A-Za-z]+){0,3}[.!]?$")


def _behind(text: str, at: int, wants_number: bool) -> Stretch | None:
    """Return what stands behind an answer phrase.

    On the same line: its first sentence (with a number, where one is wanted). On later lines only: a small solution of its
    own, whose last sentence counts.
    """
    line = text[at : at + MAX_SEGMENT].partition("\n")[0].strip(" \t\r*_`")
    if _says(line):
        for sentence in _SENTENCE.split(line):
            if sentence.rstrip().endswith("?"):
                return None
            if _NUMBERISH.search(sentence) or not wants_number:
                return Stretch(sentence.strip(), "phrase", at)
    rest = text[at : at + 4 * MAX_SEGMENT].partition("\n")[2]
    found = _last_sentence("\n" + rest, at, wants_number)
    if found and (_NUMBERISH.search(found.text) or not _says(line)):
        return found._replace(how="phrase")
    return Stretch(line, "phrase", at) if _says(line) else None


def last_sentences(text: str) -> Iterator[str]:
    """Yield the last sentences of a text, last first; what the model wrote on after its answer is left out."""
    tail = text[-4 * MAX_SEGMENT :].rstrip()
    another = _ANOTHER.search(tail)
    if another and _says(tail[: another.start()]):
        tail = tail[: another.start()]
    for line in reversed(tail.split("\n")):
        item = ITEM.match(line)
        for sentence in reversed(_SENTENCE.split(line[item.end() :] if item else line)):
            if _says(sentence):
                yield sentence.strip()[-MAX_SEGMENT:]


def _says(text: str) -> bool:
    return text[:1].isalnum() or any(c.isalnum() for c in text)


def _with_its_row(line: str, text: str) -> str:
    """Return a line such as `Ann: 12` with the lines of the same form above it: one of them is about whom is asked."""
    rows: list[str] = []
    if _ROW.match(line):
        for sentence in last_sentences(text):
            if not _ROW.match(sentence):
                break
            rows.append(sentence)
    return "; ".join(reversed(rows)) if len(rows) > 1 else line


def _last_sentence(text: str, offset: int, wants_number: bool) -> Stretch | None:
    """Return the last sentence that can be the answer; asides (`Note: …`) only where there is nothing else."""
    last = None
    for sentence in last_sentences(text):
        last = last or sentence
        if (_NUMBERISH.search(sentence) or not wants_number) and not _ASIDE.match(sentence):
            return Stretch(_with_its_row(sentence, text) if wants_number else sentence, "sentence", offset)
    return Stretch(last, "sentence", offset) if last else None
