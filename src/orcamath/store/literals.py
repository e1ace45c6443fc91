"""Is a key written out in a recipe? A recipe is copied to disk, so keys stand in it as `${NAME}` only.

In: a model's settings, whose fields tell by their names; or whatever a recipe says, where a key tells by how it looks. Out:
nothing, or RecipeError that names the place and not the value. `masked` and `shown` take keys out of what a message repeats.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from orcamath.errors import RecipeError

if TYPE_CHECKING:
    from orcamath.settings import ModelSettings

__all__ = ["VARIABLE", "masked", "refuse_keys", "refuse_literals", "shown", "tells"]

VARIABLE = re.compile(r"\$\{(\w+)\}")
"""Stands for the value of an environment variable."""
_FROM_OUTSIDE = re.compile(
    r"(?:(?:bearer|basic|token|digest|key|api-?key|oauth|ssws|dpop|negotiate):? +)?"
    r"(?:(?:[a-z][\w.-]{0,31}=)?[\"']?\$\{\w+\}[\"']?[\s,;:]*)+",
    re.IGNORECASE,
)
"""A key's value of which nothing is written out: references, with `session=` before each, behind the word for what they are."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TELL = "key apikey auth bearer signature sig passwd pwd passphrase".split()
_TELL_AT_THE_END = tuple(
    "accesskey privatekey secretkey token secret cookie authorization password credential credentials".split()
)
"""Also where words are run together, as in `accesstoken`."""
_HARMLESS = re.compile(
    r"(?:bos|eos|pad|unk|sep|cls|mask|stop|start|end)[-_]?token|prompt[-_]?cache[-_]?key", re.IGNORECASE
)

_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[\w-]{16,}|(?:hf|gsk|r8|gh[opsu])_\w{16,}|ghr_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|nvapi-[\w-]{16,}|"
    r"xox[abeprs]-[\w-]{10,}|A[KS]IA[A-Z0-9]{16}|AIza[\w-]{30,}|ya29\.[\w-]{16,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.|"
    r"Bearer [\w.~+/-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY|"
    r"[A-Za-z][\w+.-]*://[^\s/@:]*:(?!(?:\$\{\w+\})+@)[^\s/@]+@)"
)
"""How keys of providers, tokens and passwords in addresses begin; long enough that no word is taken for one."""
_IN_ADDRESS = re.compile(r"(?<=:/)(/?)[^\s/@`'\"]+(?=@)|(?<=[?&#;])([\w.~-]+=)[^\s&#`'\"]+")
"""Who one is to a host, before its `@` (a path has lost one slash of the address), and what is asked of it by name."""
_FIX = "A recipe is copied to disk: put it into an environment variable and write `${NAME}` in its place"


def refuse_keys(value: object, where: str, path: Sequence[str] = ()) -> None:
    """Raise RecipeError where a text anywhere in `value` looks like a key: the fields that take one are a model's `headers`,
    `body` and `base_url`, as `${NAME}`, and `api_key_env`, which names the variable."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            refuse_keys(name, where, (*path, "a key of the mapping"))
            refuse_keys(inner, where, (*path, "…" if _KEY.search(str(name)) else str(name)))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            refuse_keys(inner, where, (*path, str(i)))
    elif isinstance(value, str) and _KEY.search(value):
        raise RecipeError(
            f"{where}: `{'.'.join(path)}` looks like a key written out. {_FIX}, in a model's `headers`, `body` or `base_url`; "
            f"`api_key_env: NAME` is for the usual one"
        )


def refuse_literals(settings: "ModelSettings") -> None:
    """Raise RecipeError where a key is written out: in the URL, a header, or a field of the body."""
    place = f"of model `{settings.model}`"
    parts = urlsplit(settings.base_url or "")
    if parts.username is not None or parts.password is not None:
        raise RecipeError(
            f"`base_url` {place} holds a user or a password before `@`. {_FIX}, in `headers: {{Authorization: …}}`"
        )
    asked = "&".join((parts.query, parts.fragment, *parts.path.split(";")[1:])).replace(";", "&")
    named = [("base_url", name, value) for name, value in parse_qsl(asked, keep_blank_values=True)]
    named += [("headers", name, value) for name, value in settings.headers.items()]
    named += [("body", name, value) for name, value in _texts(settings.body, "")]
    for where, name, value in named:
        if tells(name) and value and not _FROM_OUTSIDE.fullmatch(value):
            beside = " beside what `${…}` stands for" if VARIABLE.search(value) else ""
            raise RecipeError(f"`{name}` in `{where}` {place} looks like a key written out{beside}. {_FIX}")


def masked(text: str) -> str:
    """Return a message without what looks like a key in it, or is one by its place in an address."""

    def hidden(match: re.Match[str]) -> str:
        slash, name = match.groups()
        if name is None:
            return f"{slash}***"
        return f"{name}***" if tells(name) else match[0]

    return _KEY.sub("***", _IN_ADDRESS.sub(hidden, text))


def shown(value: object, path: Sequence[str] = (), limit: int = 80) -> str:
    """Return how a message repeats a setting's value: without what its name, or the name of a part of it, says is a key."""
    return masked(repr(_without(value, path)))[:limit]


def _without(value: object, path: Sequence[str] = ()) -> object:
    if any(map(tells, path)):
        return "***"
    if isinstance(value, Mapping):
        return {name: _without(inner, (str(name),)) for name, inner in value.items()}
    return [_without(inner) for inner in value] if isinstance(value, list | tuple) else value


def tells(name: str) -> bool:
    """Tell whether a name says that its value is a key: `api_key`, `accessToken`, `Authorization`."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return not _HARMLESS.fullmatch(name) and any(w in _TELL or w.endswith(_TELL_AT_THE_END) for w in words)


def _texts(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Yield every text in a body with the name of the field that it stands in."""
    if isinstance(value, Mapping):
        for inner, more in value.items():
            yield from _texts(more, inner)
    elif isinstance(value, list | tuple):
        for more in value:
            yield from _texts(more, name)
    elif isinstance(value, str):
        yield name, value
