"""What a model wrote, read without trusting it: tags, however untidy; what it thought aloud; whether it refused.

Every search is linear in the length of the reply.
"""

import re
from typing import NamedTuple

from orcamath.ports import Reply
from orcamath.records import Rejected
from orcamath.text.patterns import pattern
from orcamath.text.spoken import spoken

__all__ = ["Piece", "Said", "failed", "said", "tagged"]

_LISTED = pattern(
    r"^(?:[-*•]|\(?\d{1,2}[.)])\s+(?=\S)",
    "marks an item of a list",
    ("- Ann has", "(2) Ann has", "12. Ann has"),
    ("2.5 pens", "-3 degrees", "2. "),
    re.NOFLAG,
)
_REFUSAL = pattern(
    r"\b(?:i(?: a|['’])m (?:really |very |so )?(?:sorry|afraid|unable)|"
    r"i (?:can ?not|can['’]t|won['’]t|will not|am not able to|must decline)|"
    r"as an? (?:ai|language model|assistant)|(?:cannot|can['’]t|unable to) (?:help|assist|comply|fulfil?l))\b",
    "refuses",
    ("I'm sorry, but", "As an AI I", "We are unable to help"),
    ("Sorry is the name of a game.", "He can't swim."),
)


class Said(NamedTuple):
    """A reply's own words: without the thinking in front and without code fences."""

    text: str
    cut_off: bool
    """The token limit ended it, or it was still thinking when it ended."""


class Piece(NamedTuple):
    """The content of one tag."""

    tag: str
    text: str
    whole: bool
    """False where the reply ended before the tag was closed."""


def said(reply: Reply) -> Said:
    """Strip what is not the answer itself: `<think>…</think>` in front, code fences around."""
    text = spoken(reply.text)
    return Said(text or "", text is None or reply.finish_reason == "length")


def tagged(text: str, *tags: str) -> list[Piece]:
    """Return the contents of the named tags, in order.

    Taken as meant: any case, spaces and attributes inside a tag, bold or numbers in front of it, `[tag]` for `<tag>`, a
    tag that is closed by the next one; and headings (`**Statement:** …`) where there is no tag at all. Not whole is only
    the last one, where nothing closes it.
    """
    names = "|".join(tags)
    mark = re.compile(rf"[<\[]\s{{0,3}}(/?)\s{{0,3}}({names})(?:\s[^<>\[\]]{{0,40}})?\s{{0,3}}[>\]]", re.IGNORECASE)
    found: list[Piece] = []
    open_tag, start = "", 0
    for match in mark.finditer(text):
        closing, name = bool(match[1]), match[2].lower()
        if open_tag:
            found.append(Piece(open_tag, _clean(text[start : match.start()]), True))
            open_tag = ""
        if not closing:
            open_tag, start = name, match.end()
    if open_tag:
        found.append(Piece(open_tag, _clean(text[start:]), False))
    return [piece for piece in found or _headed(text, tags) if piece.text]


def _headed(text: str, tags: tuple[str, ...]) -> list[Piece]:
    """Read `Statement: …`, `**Question 2:** …`, `### Edited problem` as if they were tags; each must begin its line."""
    names = "|".join(tag.replace("_", "[_ ]") for tag in tags)
    mark = re.compile(
        rf"^[ \t]{{0,4}}[#*_>]{{0,4}}[ \t]?({names})(?:[ \t][0-9]{{1,2}})?[*_]{{0,2}}(?:[ \t]?:[*_]{{0,2}}|[ \t]*$)",
        re.IGNORECASE | re.MULTILINE,
    )
    marks = list(mark.finditer(text))
    ends = [m.start() for m in marks[1:]] + [len(text)]  # one more than marks where there is none
    return [
        Piece(m[1].lower().replace(" ", "_"), _clean(text[m.end() : end]), end < len(text))
        for m, end in zip(marks, ends, strict=False)
    ]


def failed(item: str, words: Said, reply: Reply) -> Rejected:
    """Say why a reply without any of the tags asked for is of no use."""
    if words.cut_off:
        reason = "cut_off"
    elif not words.text:
        reason = "empty_reply"
    else:
        # a refusal is said at once; "I can't" further down belongs to some story
        reason = "refused" if _REFUSAL.search(words.text[:200]) else "wrong_format"
    return Rejected(item=item, reason=reason, text=reply.text)


def _clean(text: str) -> str:
    """One line of plain text: quotes, bold and list marks around it are dropped, not those that part of it stands in."""
    text = _LISTED.sub("", " ".join(text.split()))
    for mark in ("**", "__", "`", '"', "“"):
        close = "”" if mark == "“" else mark
        inside = text[len(mark) : -len(mark)]
        pair = text.startswith(mark) and text.endswith(close) and mark not in inside and close not in inside
        if pair and inside:
            text = inside.strip()
    return text
