"""Prompts are `.md` files in this folder: a system part, a line `---`, a user part; `{{name}}` marks what is filled in.

Filling is one pass: what is inserted is never looked at again, so braces and markers in a problem survive as they are.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import RecipeError, nearest
from orcamath.ports import Message

__all__ = ["Prompt", "block", "load"]

_MARK = re.compile(r"\{\{(\w+)\}\}")
_SEPARATOR = re.compile(r"^---\s*$", re.MULTILINE)


class Prompt(NamedTuple):
    """A prompt's text and the name its content gives it."""

    name: str
    system: str
    user: str

    @property
    def fingerprint(self) -> str:
        """Hash of the text: part of the digest of every stage that uses it."""
        return blake2b(f"{self.system}\0{self.user}".encode(), digest_size=16).hexdigest()

    def messages(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """Fill every mark; raises RecipeError where the prompt wants a value that nobody gives."""

        def value(match: re.Match[str]) -> str:
            if match[1] not in values:
                raise RecipeError(f"prompt `{self.name}` has `{{{{{match[1]}}}}}`; {nearest(match[1], values)}")
            return values[match[1]]

        filled = [_MARK.sub(value, part) for part in (self.system, self.user)]
        return tuple(Message(role, text) for role, text in zip(("system", "user"), filled, strict=True) if text)  # type: ignore[arg-type]


def block(tag: str, text: str) -> str:
    """Set text apart as `<tag>…</tag>`, so that a model can tell it from the instructions around it."""
    return f"<{tag}>\n{text.strip()}\n</{tag}>"


def load(name: str, override: str | Path | None = None) -> Prompt:
    """Read a prompt that ships with the package, or the user's own file instead."""
    if override is not None:
        path = Path(override)
        if not path.is_file():
            raise RecipeError(f"prompt file `{path}` does not exist; leave the key out to use the one that ships")
        text = path.read_text(encoding="utf-8")
    else:
        folder = resources.files(__name__)
        known = [p.name.removesuffix(".md") for p in folder.iterdir() if p.name.endswith(".md")]
        if name not in known:
            raise RecipeError(f"there is no prompt `{name}`; {nearest(name, known)}")
        text = (folder / f"{name}.md").read_text(encoding="utf-8")
    parts = _SEPARATOR.split(text, maxsplit=1)
    system, user = parts if len(parts) == 2 else ("", parts[0])
    return Prompt(name, system.strip(), user.strip())
