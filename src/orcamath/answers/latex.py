"""LaTeX and Markdown in a short answer to plain text: `\\frac{1}{2}` → `1/2`, `\\text{ p.m.}` → ` p.m.`, `**18**` → `18`.

Meant for answers, not documents: what is longer than `MAX_CHARS` keeps its tail only. One pass over the commands, braces
matched by counting, so nested or unbalanced braces cost linear time and never raise.
"""

import re

from orcamath.answers.writing import ascii_signs

__all__ = ["braced", "plain"]

MAX_CHARS = 2_000

_WORDS = {
    "times": "*",
    "cdot": "*",
    "div": "/",
    "pi": "π",
    "circ": "°",
    "degree": "°",
    "approx": "≈",
    "pm": "±",
    "le": "≤",
    "leq": "≤",
    "leqslant": "≤",
    "lt": "<",
    "ge": "≥",
    "geq": "≥",
    "geqslant": "≥",
    "gt": ">",
    "neq": "≠",
    "ne": "≠",
    "infty": "∞",
    "cup": "∪",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "lceil": "⌈",
    "rceil": "⌉",
    "ldots": "…",
    "dots": "…",
    "to": "→",
    "in": "∈",
    "rightarrow": "→",
    "Rightarrow": "→",
    "implies": "→",
    "quad": " ",
    "qquad": " ",
    "newline": "\n",
    "sqrt": "sqrt",
    "theta": "θ",
    "percent": "%",
    "euro": "€",
    "pounds": "£",
    "colon": ":",
    "ast": "*",
    "ln": " ln ",
    "log": " log ",
    "exp": " exp ",
    "sin": " sin ",
    "cos": " cos ",
    "tan": " tan ",
    "mid": "|",
    "backslash": "",
}
_WRAPPERS = frozenset(
    (
        "text mathrm mbox textbf mathbf textit mathit boxed fbox boldsymbol bm hbox texttt operatorname emph "
        "underline mathsf overline textrm mathnormal displaystyle bf rm"
    ).split()
)
_FRACTIONS = {"frac", "dfrac", "tfrac", "cfrac"}
_BINOMIALS = {"binom", "dbinom", "tbinom"}
_COMMAND = re.compile(r"\\([A-Za-z]+|.|\n)|\{(\\?[-+,])\}")
_SET_BRACES = {"{": "\x0e", "}": "\x0f"}
"""Braces that are shown, `\\{1, 2\\}`, while those of the markup become brackets."""
_SIGNS = {
    **_SET_BRACES,
    **{sign: sign for sign in "$%&#_^"},
    **dict.fromkeys(("!", "left", "right", "(", ")", "[", "]", "big", "Big"), ""),
}
"""What the commands of one sign, and those about size, are written as; any other command is a blank."""
_MARKDOWN = re.compile(r"(?<=[0-9)])(\*\*)(?=[0-9(])|\*\*+|`+|__+")


def braced(text: str, at: int) -> tuple[str, int]:
    """Return the argument that begins at `at` (after blanks): the inside of `{…}`, or one character; and where it ends.

    An unclosed brace runs to the end of the line, for answers that were cut off.
    """
    while at < len(text) and text[at] == " ":
        at += 1
    if at >= len(text):
        return "", at
    if text[at] != "{":
        return text[at], at + 1
    depth = 0
    for i in range(at, len(text)):
        if text[i] == "{":
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if depth == 0:
                return text[at + 1 : i], i + 1
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    return text[at + 1 : end], end


def plain(text: str) -> str:
    """Return the text without LaTeX and Markdown markup; numbers and words stay as written."""
    if len(text) > MAX_CHARS:
        text = text[-MAX_CHARS:]
    if "\\" in text or "{" in text:
        text = _commands(text, 0)
    if "{" in text:
        text = text.replace("{", "(").replace("}", ")")
    if "\x0e" in text or "\x0f" in text:
        text = text.replace("\x0e", "{").replace("\x0f", "}")
    if "*" in text or "`" in text or "__" in text:
        text = _MARKDOWN.sub(lambda m: "^" if m[1] else "", text)
    return ascii_signs(text).strip()


def _commands(text: str, depth: int) -> str:
    out: list[str] = []
    at = 0
    while match := _COMMAND.search(text, at):
        out.append(text[at : match.start()])
        name, at = match[1], match.end()
        if name is None:
            out.append(match[2].lstrip("\\"))
        elif name in _BINOMIALS and depth < 8:
            top, at = braced(text, at)
            below, at = braced(text, at)
            out.append(f" (({_commands(top, depth + 1)})choose({_commands(below, depth + 1)}))")
        elif name in _FRACTIONS and depth < 8:
            top, at = braced(text, at)
            below, at = braced(text, at)
            before = out[-1][-1:] if out else ""
            out.append(
                (" " if before.isdigit() else "") + _fraction(_commands(top, depth + 1), _commands(below, depth + 1))
            )
        elif name in _WRAPPERS:
            inside, end = braced(text, at)
            if text[at : at + 1] == "{" and depth < 8:
                out.append(_commands(inside, depth + 1))
                at = end
        elif name == "sqrt":
            root, at = _root(text, at, depth)
            out.append(root)
        elif name in _WORDS:
            if name == "circ" and out and out[-1].endswith("^"):
                out[-1] = out[-1][:-1]
            elif name == "circ" and out and out[-1].endswith("^{"):
                out[-1] = out[-1][:-2]
                at += text[at : at + 1] == "}"
            out.append(_WORDS[name])
        else:
            out.append(_SIGNS.get(name, " "))
    out.append(text[at:])
    return "".join(out)


def _root(text: str, at: int, depth: int) -> tuple[str, int]:
    """Return the root whose braces, or `[3]` before them, begin at `at`, and where it ends."""
    root = text[at + 1 : at + 2] if text[at : at + 1] == "[" and text[at + 2 : at + 3] == "]" else ""
    inside, end = braced(text, at + 3 if root else at)
    inside = _commands(inside, depth + 1) if depth < 8 else inside
    return f"({inside})^(1/{root})" if root else f"sqrt({inside})", end


def _fraction(top: str, below: str) -> str:
    top, below = top.strip(), below.strip()
    sign = "-" if top.startswith("-") and _atom(top[1:]) else ""
    top = top[len(sign) :]
    if _atom(top) and _atom(below):
        return f"{sign}{top}/{below}"
    return f"{sign}({top})/({below})"


def _atom(text: str) -> bool:
    """Whether a text is a number, a letter or a word."""
    return text.isascii() and text.replace(".", "0").isalnum()
