"""Prompts are `.md` files in this folder: a system part, a line `---`, a user part; `{{name}}` marks what is filled in.

Worked examples stand in `NAME.examples.md` beside the prompt, `===` between them and `---` between what is asked and the
reply; they become turns of the conversation, which small models follow far better than examples inside the instructions.
Either file can be replaced by one of the user's own. Filling is one pass: what is inserted is never looked at again, so
braces and markers in a problem survive as they are. Problems stand in blocks (`<problem>…</problem>`), apart from the
instructions.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from orcamath.errors import RecipeError, nearest
from orcamath.ports import Message
from orcamath.reading import read_text

__all__ = ["Prompt", "block", "load_prompt"]

_CONTROL = re.compile(
    r"(<)(?=[|\uff5c][^<>\n]{1,40}[|\uff5c]>|/?(?:s|bos|eos|pad|unk)>|(?:start|end)_of_turn>)|(\[)(?=/?INST\])|(<<)(?=/?SYS>>)",
    re.IGNORECASE,
)
"""How templates of models in use spell control tokens. Servers read them in a message as what they stand for."""
_MARK = re.compile(r"\{\{(\w+)\}\}")
_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)
_NEXT = re.compile(r"^===[ \t]*$", re.MULTILINE)


class Prompt(NamedTuple):
    """A prompt's text and the name its content gives it."""

    name: str
    system: str
    user: str
    examples: tuple[tuple[str, str], ...] = ()
    """(what is asked, the reply), in order."""

    @property
    def fingerprint(self) -> str:
        """Hash of the text: part of the digest of every stage that uses it."""
        parts = [self.system, self.user, *(turn for example in self.examples for turn in example)]
        return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()

    def messages(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """Fill every mark; raises RecipeError where the prompt wants a value that nobody gives."""

        def value(match: re.Match[str]) -> str:
            if match[1] not in values:
                raise RecipeError(f"prompt `{self.name}` has `{{{{{match[1]}}}}}`; {nearest(match[1], values)}")
            return values[match[1]]

        system, user = (_MARK.sub(value, part).strip() for part in (self.system, self.user))
        shown = [m for asked, reply in self.examples for m in (Message("user", asked), Message("assistant", reply))]
        return (*([Message("system", system)] if system else []), *shown, Message("user", user))


def block(tag: str, text: str) -> str:
    """Set text apart as `<tag>…</tag>`, so that a model can tell it from the instructions around it.

    A closing tag inside the text is opened up by a space, and so is what spells a control token: nothing in a problem ends its
    own block, nor the turn it stands in.
    """
    text = _CONTROL.sub(lambda found: found[0] + " ", text)
    inside = re.sub(rf"</(?=\s*{re.escape(tag)}\s*>)", "< /", text.strip(), flags=re.IGNORECASE)
    return f"<{tag}>\n{inside}\n</{tag}>"


def load_prompt(name: str, override: str | Path | None = None, examples: str | Path | None = None) -> Prompt:
    """Read a prompt and its worked examples as they ship, or the user's own files instead.

    Raises RecipeError for a name or file that is not there.
    """
    text = _filled_in(_own(override), override, name) if override is not None else _shipped(name)
    parts = _SEPARATOR.split(text, maxsplit=1)
    system, user = parts if len(parts) == 2 else ("", parts[0])
    shown = _own(examples) if examples is not None else _shipped(f"{name}.examples", "")
    return Prompt(name, system.strip(), user.strip(), tuple(_examples(shown, str(examples or name))))


def _examples(text: str, where: str) -> Iterator[tuple[str, str]]:
    for n, example in enumerate(_NEXT.split(text) if text.strip() else (), 1):
        asked, *replies = _SEPARATOR.split(example)
        if len(replies) != 1:
            raise RecipeError(f"example {n} of `{where}` needs one line `---` between what is asked and the reply")
        yield asked.strip(), replies[0].strip()


def _own(path: str | Path) -> str:
    path = Path(path)
    if not path.exists():
        raise RecipeError(f"prompt file `{path}` does not exist; leave the key out to use the one that ships")
    return read_text(path, "prompt file")


def _filled_in(text: str, path: str | Path, name: str) -> str:
    """Return a prompt of the user's. Raises RecipeError where nothing is filled in: each call would ask the same."""
    if not _MARK.search(text):
        ours = " ".join(dict.fromkeys(m[0] for m in _MARK.finditer(_shipped(name))))
        raise RecipeError(f"prompt file `{path}` has no mark that a problem is put into; ours for `{name}` has {ours}")
    return text


def _shipped(name: str, default: str | None = None) -> str:
    folder = resources.files(__name__)
    known = [p.name.removesuffix(".md") for p in folder.iterdir() if p.name.endswith(".md")]
    if name in known:
        return (folder / f"{name}.md").read_text(encoding="utf-8")
    if default is not None:
        return default
    raise RecipeError(f"there is no prompt `{name}`; {nearest(name, [n for n in known if '.' not in n])}")
