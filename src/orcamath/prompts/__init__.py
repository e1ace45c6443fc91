"""Prompts are `.md` files in this folder: a system part, a line `---`, a user part; `{{name}}` marks what is filled in.

Worked examples stand in `NAME.examples.md` beside the prompt and are filled in at `{{examples}}`, so that either can be
replaced by a file of the user's. Filling is one pass: what is inserted is never looked at again, so braces and markers in
a problem survive as they are. Problems stand in blocks (`<problem>…</problem>`), apart from the instructions.
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
    examples: str = ""

    @property
    def fingerprint(self) -> str:
        """Hash of the text: part of the digest of every stage that uses it."""
        text = f"{self.system}\0{self.user}\0{self.examples}"
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def messages(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """Fill every mark; raises RecipeError where the prompt wants a value that nobody gives."""
        given = {"examples": self.examples, **values}

        def value(match: re.Match[str]) -> str:
            if match[1] not in given:
                raise RecipeError(f"prompt `{self.name}` has `{{{{{match[1]}}}}}`; {nearest(match[1], given)}")
            return given[match[1]]

        filled = [_MARK.sub(value, part).strip() for part in (self.system, self.user)]
        return tuple(Message(role, text) for role, text in zip(("system", "user"), filled, strict=True) if text)  # type: ignore[arg-type]


def block(tag: str, text: str) -> str:
    """Set text apart as `<tag>…</tag>`, so that a model can tell it from the instructions around it.

    A closing tag inside the text is opened up by a space: nothing in a problem ends its own block.
    """
    inside = re.sub(rf"</(?=\s*{re.escape(tag)}\s*>)", "< /", text.strip(), flags=re.IGNORECASE)
    return f"<{tag}>\n{inside}\n</{tag}>"


def load(name: str, override: str | Path | None = None, examples: str | Path | None = None) -> Prompt:
    """Read a prompt and its worked examples as they ship, or the user's own files instead.

    Raises RecipeError for a name or file that is not there.
    """
    text = _own(override) if override is not None else _shipped(name)
    parts = _SEPARATOR.split(text, maxsplit=1)
    system, user = parts if len(parts) == 2 else ("", parts[0])
    shown = _own(examples) if examples is not None else _shipped(f"{name}.examples", "")
    return Prompt(name, system.strip(), user.strip(), shown.strip())


def _own(path: str | Path) -> str:
    path = Path(path)
    if not path.is_file():
        raise RecipeError(f"prompt file `{path}` does not exist; leave the key out to use the one that ships")
    return path.read_text(encoding="utf-8")


def _shipped(name: str, default: str | None = None) -> str:
    folder = resources.files(__name__)
    known = [p.name.removesuffix(".md") for p in folder.iterdir() if p.name.endswith(".md")]
    if name in known:
        return (folder / f"{name}.md").read_text(encoding="utf-8")
    if default is not None:
        return default
    raise RecipeError(f"there is no prompt `{name}`; {nearest(name, [n for n in known if '.' not in n])}")
