"""Is a key written out in a recipe? A recipe is copied to disk, so keys stand in it as `${NAME}` only.

In: a model's settings. Out: nothing, or RecipeError that names the place and not the value.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from orcamath.errors import RecipeError
from orcamath.settings import ModelSettings

__all__ = ["VARIABLE", "refuse_literals"]

VARIABLE = re.compile(r"\$\{(\w+)\}")
"""Stands for the value of an environment variable."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TELL = {"key", "apikey", "token", "secret", "cookie", "authorization", "password", "credential", "credentials"}
_HARMLESS = re.compile(
    r"(?:bos|eos|pad|unk|sep|cls|mask|stop|start|end)[-_]?token|prompt[-_]?cache[-_]?key", re.IGNORECASE
)


def refuse_literals(settings: ModelSettings) -> None:
    """Raise RecipeError where a key is written out: in the URL, a header, or a field of the body."""
    place = f"of model `{settings.model}`"
    fix = "A recipe is copied to disk: put it into an environment variable and write `${NAME}` in its place"
    parts = urlsplit(settings.base_url or "")
    if parts.username is not None or parts.password is not None:
        raise RecipeError(
            f"`base_url` {place} holds a user or a password before `@`. {fix}, in `headers: {{Authorization: …}}`"
        )
    named = [("base_url", name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    named += [("headers", name, value) for name, value in settings.headers.items()]
    named += [("body", name, value) for name, value in _texts(settings.body)]
    for where, name, value in named:
        if _tells(name) and value and not VARIABLE.search(value):
            raise RecipeError(f"`{name}` in `{where}` {place} looks like a key written out. {fix}")


def _tells(name: str) -> bool:
    return not _HARMLESS.fullmatch(name) and any(word.lower() in _TELL for word in _WORDS.findall(name))


def _texts(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        if isinstance(value, Mapping):
            yield from _texts(value)
        elif isinstance(value, str):
            yield name, value
