"""Keys come from the environment and go to their host, nowhere else. `Secrets` takes them out of any text.

The recipe holds names only: `api_key_env`, and `${NAME}` inside `headers`, `base_url` and `body`. A key written out is refused,
and so is sending anything over plain http beyond one's own network.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import orjson
from yarl import URL

from orcamath.errors import RecipeError
from orcamath.settings import ModelSettings, fault_in
from orcamath.store.hosts import belongs, filled_in, host_of, is_loopback, reach
from orcamath.store.literals import VARIABLE, refuse_literals

__all__ = ["Door", "Secrets", "door_of", "variables_of"]

MIN_HIDDEN = 6  # a shorter value is no key, and hiding it would garble text
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
log = logging.getLogger("orcamath.wire")


class Secrets(NamedTuple):
    """Values that must never be written, longest first, in every spelling that text may have of them."""

    values: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterator[str] | list[str]) -> "Secrets":
        """Take the values that are long enough to be keys, with their spellings in JSON and in URLs."""
        long = {v for v in values if len(v) >= MIN_HIDDEN}
        spelt = {s for v in long for s in (v, orjson.dumps(v).decode()[1:-1], v.replace("/", "\\/"), quote(v, safe=""))}
        return cls(tuple(sorted(spelt, key=len, reverse=True)))

    def hide(self, text: str) -> str:
        """Return the text with every secret replaced by `***`; before it is cut, or half a key would stay."""
        for value in self.values:
            if value in text:
                text = text.replace(value, "***")
        return text

    def hide_in(self, content: bytes) -> bytes:
        """Do the same to bytes as they came."""
        for value in self.values:
            if (found := value.encode()) in content:
                content = content.replace(found, b"***")
        return content


class Door(NamedTuple):
    """How a model's endpoint is reached: everything with its variables put in, and what of it must not be shown."""

    url: str
    headers: dict[str, str]
    body: dict[str, Any]
    secrets: Secrets


def door_of(settings: ModelSettings, base_url: str) -> Door:
    """Put the environment's values into URL, headers and body. Raises RecipeError where one is missing or a key is written out.

    The variable `OPENAI_API_KEY` is everybody's default, so it is sent to OpenAI, Azure and this machine only; for
    another host name the variable that holds that host's key.
    """
    refuse_literals(settings)
    values: list[str] = []

    def put(match: re.Match[str]) -> str:
        values.append(_environment(match[1], f"of model `{settings.model}`"))
        return values[-1]

    def filled(value: object) -> Any:
        if isinstance(value, Mapping):
            return {k: filled(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [filled(v) for v in value]
        return VARIABLE.sub(put, value) if isinstance(value, str) else value

    url = VARIABLE.sub(put, base_url)
    _mind_the_way(url, settings)
    headers = {name: filled(text) for name, text in settings.headers.items()}
    if (name := _key_sent(settings, url)) is not None:
        values.append(key := _environment(name, f"`api_key_env` of model `{settings.model}`"))
        azure = belongs(host_of(url), "openai.azure.com")
        headers["api-key" if azure else "Authorization"] = key if azure else f"Bearer {key}"
    for name, text in headers.items():
        if _CONTROL.search(name + text):
            raise RecipeError(
                f"header {name!r} of model `{settings.model}` holds a line break or another control character, which no header "
                f"can: look for it there, or in the variable that is put in"
            )
    return Door(url, headers, filled(settings.body), Secrets.of(values))


def variables_of(settings: ModelSettings, base_url: str) -> list[str]:
    """Return the names of the environment variables whose values go to this model's host."""
    texts = [base_url, *settings.headers.values(), orjson.dumps(settings.body).decode()]
    names = [name for text in texts for name in VARIABLE.findall(text)]
    key = _key_sent(settings, filled_in(base_url))
    return list(dict.fromkeys([*names, *([key] if key is not None else [])]))


def _key_sent(settings: ModelSettings, url: str) -> str | None:
    """Return the variable whose value goes into the header that says who asks; None where none does."""
    name, host = settings.api_key_env, host_of(url)
    if not name or {h.lower() for h in settings.headers} & {"authorization", "api-key"}:
        return None
    if name != "OPENAI_API_KEY":
        return name
    openai = belongs(host, "openai.com")
    ours = openai or belongs(host, "openai.azure.com") or is_loopback(host)
    return name if ours and (openai or name in os.environ) else None


def _mind_the_way(url: str, settings: ModelSettings) -> None:
    """Refuse what cannot be connected to. Let plain http go to this machine, warn of it on a private network, refuse it beyond
    unless the recipe insists."""
    try:
        wrong = fault_in(url)
        URL(url).origin()
    except ValueError as e:  # who connects knows more ways in which a host can be none
        wrong = str(e)
    if wrong:
        raise RecipeError(
            f"`base_url` of model `{settings.model}`: {wrong}; an endpoint's address is like https://host.example/v1"
        )
    host = host_of(url)
    if urlsplit(url).scheme != "http" or (way := reach(host)) == "loopback" or settings.plain_http:
        return
    if way == "public":
        raise RecipeError(
            f"`base_url` of model `{settings.model}` is plain http to `{host}`: keys and prompts could be read on the way. Use "
            f"https, or say `plain_http: true` if you accept that"
        )
    _warn_plain(host)


@cache
def _warn_plain(host: str) -> None:
    log.warning("plain http to `%s`: whoever is on that network can read keys and prompts", host)


def _environment(name: str, where: str) -> str:
    found = os.environ.get(name, "").strip()
    if not found:
        raise RecipeError(f"the environment variable `{name}` ({where}) is not set: `export {name}=…` and run again")
    return found
