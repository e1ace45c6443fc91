"""What a digest is made of: one spelling of values, and the settings of a stage without what changes nothing that comes out."""

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import PurePath
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from orcamath.extend import code_of

__all__ = ["Settings", "canonical", "digest", "later", "member", "outside_digest"]


def canonical(value: object) -> bytes:
    """One spelling of a JSON value: sorted keys, UTF-8, no spaces. Tuples are lists; sets are refused."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def digest(*parts: object) -> str:
    """Name content by blake2b-128 over its canonical JSON, in hex (32 characters)."""
    return blake2b(canonical(parts), digest_size=16).hexdigest()


class Settings(BaseModel):
    """Base of a stage's settings: frozen, unknown keys refused. Defaults live beside the stage they belong to."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def identity(self) -> dict[str, object]:
        """Return what enters a stage's digest: all but fields made with `outside_digest`, and `later` ones at their default."""
        kept: dict[str, object] = {}
        for name, field in type(self).model_fields.items():
            value, extra = getattr(self, name), field.json_schema_extra
            marks = extra if isinstance(extra, dict) else {}
            if not (marks.get("outside_digest") or (marks.get("later") and value == field.default)):
                kept[name] = _identity(value, marks.get("member_of"))
        return kept

    def contents(self) -> list[str]:
        """Return the names of what the fields only point to: hashes of prompts' texts and files. They enter a stage's digest."""
        return []


def outside_digest(default: object, **constraints: Any) -> Any:
    """Return a pydantic field that changes how fast or where from, never what comes out: paths, concurrency, logging."""
    return Field(default, json_schema_extra={"outside_digest": True}, **constraints)


def later(default: object, **constraints: Any) -> Any:
    """Return a pydantic field that came after results were sealed without it: at its default it is no part of a digest."""
    return Field(default, json_schema_extra={"later": True}, **constraints)


def member(family: str, default: object = ...) -> Any:
    """Return a pydantic field that names a member of a family: others' code enters the digest by what it says."""
    return Field(default, json_schema_extra={"member_of": family})


def _identity(value: object, family: object = None) -> object:
    if isinstance(family, str):
        return code_of(family, str(value)) or value
    if isinstance(value, Settings):
        return value.identity()
    if isinstance(value, Mapping):
        return {k: _identity(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_identity(v) for v in value]
    return str(value) if isinstance(value, PurePath) else value
