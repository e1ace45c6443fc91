"""Text that models, files and endpoints wrote, made fit to be looked at: nothing hidden, nothing reordered, nothing endless.

Escaping is the page's business (jinja2 does it); this is about characters that a browser would obey or swallow: controls,
bidirectional overrides, zero-width characters and lone surrogates become visible marks, and long text is cut with its count.
"""

import re

__all__ = ["clip", "escaped", "one_line", "sendable", "visible"]

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """Replace what cannot be seen by `⟨U+XXXX⟩`; tabs and newlines stay, a carriage return before a newline goes."""
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text.replace("\r\n", "\n"))


def escaped(text: str) -> str:
    """Do the same to JSON text, by JSON's own escapes: what is read from it stays what it was."""
    return _HIDDEN.sub(lambda found: "".join(f"\\u{unit:04x}" for unit in _units(found[0])), text)


def sendable(text: str) -> str:
    """Replace half characters (lone surrogates), which JSON may hold and no wire, table or index can carry."""
    return text.encode("utf-8", "replace").decode()


def _units(character: str) -> tuple[int, ...]:
    packed = character.encode("utf-16-be", "surrogatepass")
    return tuple(packed[i] << 8 | packed[i + 1] for i in range(0, len(packed), 2))


def clip(text: str, limit: int, whole: int | None = None) -> str:
    """Cut text to `limit` characters and say so; `whole` is its true length where `text` is already a part of it."""
    n = len(text) if whole is None else whole
    return text if n <= limit else f"{text[:limit]} … [cut here: {limit:,} of {n:,} characters shown]"


def one_line(text: str, limit: int) -> str:
    """Return text on one line, without what cannot be seen, cut to `limit` characters."""
    return clip(visible(" ".join(text.split())), limit)
