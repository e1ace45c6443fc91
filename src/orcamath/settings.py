"""Settings that more than one room reads. Each stage's own settings live beside the stage; the whole is `recipe_settings`."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator

from orcamath.errors import RecipeError, nearest
from orcamath.extend import default_of
from orcamath.records import Settings

__all__ = ["ModelSettings", "StudentSettings", "fault_in", "read_options"]

_HOST = re.compile(r"[^\s\\\x00-\x20\x7f]+")
S = TypeVar("S", bound=Settings)


def read_options(kind: type[S], options: Mapping[str, object], whose: str) -> S:
    """Return the `options` of a recipe's section as the settings of the member that reads them.

    `whose`: what has these options, for the message. Raises RecipeError naming the option, its value and what is known.
    """
    try:
        return kind.model_validate(options)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = _fields(kind, first["loc"][:-1])
            raise RecipeError(f"unknown option `{where}` of {whose}; {nearest(str(first['loc'][-1]), known)}") from e
        raise RecipeError(f"option `{where}` of {whose} is {first['input']!r:.80}: {first['msg']}") from e


def _fields(kind: type[Settings], path: tuple[int | str, ...]) -> list[str]:
    """Return the names of the settings below `path`; none where a list or a choice of types is in between."""
    for part in path:
        below = kind.model_fields[str(part)].annotation if str(part) in kind.model_fields else None
        if not (isinstance(below, type) and issubclass(below, Settings)):
            return []
        kind = below
    return list(kind.model_fields)


class ModelSettings(Settings):
    """A model and how to reach it. Only what changes its answers enters its fingerprint; transport never does."""

    backend: str = Field("openai_compatible", json_schema_extra={"family": "backend"})
    """`openai_compatible`, `openai_batch`, `transformers_local`, `recorded`, another member, or the path of your own file."""
    model: str = ""
    """Name at the endpoint, hub name, local folder or GGUF file."""
    revision: str | None = None
    base_url: str | None = None
    """Where the endpoint is, up to and including `/v1`."""
    api_key_env: str | None = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; the key itself is never written anywhere."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Extra headers; here, in `base_url` and in `body`, `${NAME}` stands for an environment variable."""
    body: dict[str, Any] = Field(default_factory=dict)
    """Extra fields of the request body; part of the fingerprint. What the call itself is (`n`, `messages`, …) is refused."""
    plain_http: bool = False
    """Allow http without encryption to a public host."""
    concurrency: int = Field(default=64, ge=1)
    timeout_s: float = Field(default=120.0, gt=0)
    max_tries: int = Field(default=6, ge=1)
    options: dict[str, Any] = Field(default_factory=dict)
    """What only this backend knows (the rate of an endpoint, a local model's batch size)."""

    @field_validator("api_key_env")
    @classmethod
    def _names_a_variable(cls, name: str | None) -> str | None:
        """Refuse what is no variable's name: it may be the key itself, which is written nowhere."""
        if name and not name.isidentifier():
            raise ValueError("this is the name of an environment variable that holds the key, such as OPENAI_API_KEY")
        return name

    @field_validator("base_url")
    @classmethod
    def _leads_somewhere(cls, url: str | None) -> str | None:
        """Refuse what is no address of a server; `${NAME}` at its beginning is filled in later."""
        if url is not None and not url.startswith(("http://", "https://", "${")):
            scheme, sign, rest = url.partition("://")
            raise ValueError(
                f"an endpoint's address begins with https:// or http://; try `https://{rest if sign else scheme}`"
            )
        if url is not None and (wrong := fault_in(url)):
            raise ValueError(f"{wrong}; an endpoint's address is like https://host.example:8000/v1")
        return url


def fault_in(url: str) -> str | None:
    """Say what keeps an address from being connected to; None where nothing does, or where `${NAME}` stands for its host."""
    try:
        parts = urlsplit(url)
        if "${" in parts.netloc or url.startswith("${"):
            return None
        if parts.port == 0 or not _HOST.fullmatch(parts.hostname or ""):
            return "it names no host, or no port, that can be connected to"
    except ValueError as e:
        return str(e)
    return None


class StudentSettings(Settings):
    """The base model that becomes M1; `student: NAME` is short for its `base` alone."""

    base: str = Field(default_factory=lambda: default_of("base"), json_schema_extra={"family": "base"})
    """A member of the family (one ships with the package), a hub name, a local folder or a GGUF file."""
    revision: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    """How it samples on this machine: `chunk`, `dtype`, …, as for a `transformers_local` model."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return {"base": value} if isinstance(value, str) else value
