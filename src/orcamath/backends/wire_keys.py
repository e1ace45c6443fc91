"""Keys come from the environment and go into HTTP headers, nowhere else. `Secrets.hide` takes them out of any text.

The recipe holds names only: `api_key_env`, and `${NAME}` inside `headers`.
"""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from orcamath.errors import RecipeError
from orcamath.settings import ModelSettings

__all__ = ["Secrets", "headers_of"]

_NAME = re.compile(r"\$\{(\w+)\}")
_IS_KEY = re.compile(r"authorization|api-?key|token|secret", re.IGNORECASE)
_OPENAI_HOSTS = (".openai.com", ".openai.azure.com", "localhost", "127.0.0.1", "::1")
MIN_HIDDEN = 6  # a shorter value is no key, and hiding it would garble text


class Secrets(NamedTuple):
    """Values that must never be written."""

    values: tuple[str, ...]

    def hide(self, text: str) -> str:
        """Return the text with every secret replaced by `***`."""
        for value in self.values:
            if value in text:
                text = text.replace(value, "***")
        return text


def headers_of(settings: ModelSettings, base_url: str) -> tuple[dict[str, str], Secrets]:
    """Return the request headers and the secrets in them. Raises RecipeError where a named variable is not set.

    The variable `OPENAI_API_KEY` is everybody's default, so it is sent to OpenAI, Azure and this machine only; for
    another host name the variable that holds that host's key.
    """
    secrets: list[str] = []

    def value(match: re.Match[str]) -> str:
        found = _environment(match[1], f"header of model `{settings.model}`", os.environ)
        secrets.append(found)
        return found

    for name, text in settings.headers.items():
        if _IS_KEY.search(name) and not _NAME.search(text):
            raise RecipeError(
                f"header `{name}` of model `{settings.model}` looks like a key written out: a recipe is copied to disk. Put the "
                "key into an environment variable and write `${NAME}`"
            )
    headers = {name: _NAME.sub(value, text) for name, text in settings.headers.items()}
    named = settings.api_key_env
    if named and not {h.lower() for h in headers} & {"authorization", "api-key"}:
        host = urlsplit(base_url).hostname or ""
        ours = any(host == known.lstrip(".") or host.endswith(known) for known in _OPENAI_HOSTS)
        if named != "OPENAI_API_KEY" or (ours and (named in os.environ or host.endswith("openai.com"))):
            key = _environment(named, f"`api_key_env` of model `{settings.model}`", os.environ)
            secrets.append(key)
            azure = host.endswith(".openai.azure.com")
            headers["api-key" if azure else "Authorization"] = key if azure else f"Bearer {key}"
    return headers, Secrets(tuple(sorted({s for s in secrets if len(s) >= MIN_HIDDEN}, key=len, reverse=True)))


def _environment(name: str, where: str, environment: Mapping[str, str]) -> str:
    found = environment.get(name, "").strip()
    if not found:
        raise RecipeError(f"the environment variable `{name}` ({where}) is not set: `export {name}=…` and run again")
    return found
