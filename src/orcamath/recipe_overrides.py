"""What is laid over a recipe that was read: settings from the command line or from Python, and sections over sections.

A model's declared price is of that model at that address: where either becomes another, the price is not carried along.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence

from orcamath.errors import RecipeError
from orcamath.store.hosts import host_named, is_loopback
from orcamath.store.literals import shown
from orcamath.yaml_reader import read_yaml

__all__ = ["merged", "override"]


def override(raw: dict[str, object], overrides: Sequence[str] | Mapping[str, object]) -> None:
    """Set keys of a recipe, in order: `key.sub=value` as texts of YAML, or a mapping of keys to values. Raises RecipeError."""
    told = overrides.items() if isinstance(overrides, Mapping) else map(_parsed, overrides)
    settings = [(_path(key), value) for key, value in told]
    for path, value in settings:
        _forget_price(_model_at(raw, path[:-1]), {path[-1]: value})
    for path, value in settings:
        _set(raw, path, value, path)


def merged(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Lay one section over another, sections within them likewise; neither is changed."""
    out = copy.deepcopy(dict(base))
    _forget_price(out, over)
    for key, value in over.items():
        mine = out.get(key)
        out[key] = merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else copy.deepcopy(value)
    return out


def _forget_price(model: Mapping[str, object], said: Mapping[str, object]) -> None:
    """Take the price from what becomes another model, or one at another host; one that is said with it comes after."""
    options = model.get("options")
    another = "model" in said and said["model"] != model.get("model")
    moved = "base_url" in said and _host(said["base_url"]) != _host(model.get("base_url"))
    if isinstance(options, dict) and (another or moved):
        options.pop("price", None)


def _host(base_url: object) -> object:
    """Return the host of an address, whichever name or port of this machine it is; what is no text is what it is."""
    host = host_named(base_url) if isinstance(base_url, str) else base_url
    return "this machine" if isinstance(host, str) and is_loopback(host) else host


def _model_at(raw: object, parents: Iterable[str]) -> Mapping[str, object]:
    """Return the section at a path, empty where there is none."""
    node = raw
    for part in parents:
        if isinstance(node, list):
            node = node[int(part)] if part.isdecimal() and int(part) < len(node) else None
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _parsed(text: str) -> tuple[str, object]:
    key, sign, value = text.partition("=")
    if not sign:
        known, colon, _ = text.partition(":")  # what stands behind one may be a key
        raise RecipeError(
            f"--set `{known}{colon and ':…'}` has no `=`; write --set key.sub=value, for example --set teach.k=2"
        )
    _path(key)
    try:
        return key, read_yaml(value, f"--set {key}").value
    except RecipeError as e:
        raise RecipeError(f"{e}; quote it if it is meant as text") from None


def _path(key: str) -> list[str]:
    parts = key.strip().split(".")
    if not all(parts):
        raise RecipeError(f"--set `{key}=…` names no key before its `=`; write --set key.sub=value")
    return parts


def _set(section: object, path: Sequence[str], value: object, of: Sequence[str]) -> object:
    """Return a section of the recipe with a value below it, at the last part of `path`; `of`: that of the whole setting."""
    if not path:
        return value
    key, part = ".".join(of), path[0]
    if isinstance(section, list):
        at = _position(section, part, key)
        section[at] = _set(section[at], path[1:], value, of)
        return section
    if not isinstance(section, dict | None):
        what = f"`{of[-len(path) - 1]}` is a value, not a section: {shown(section, of)}"
        raise RecipeError(f"--set {key}: {what}; write a section in its place")
    filled = {} if section is None else section
    filled[part] = _set(filled.get(part), path[1:], value, of)
    return filled


def _position(items: list[object], part: str, key: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise RecipeError(f"--set {key}: `{part}` is no position in a list of {len(items)} (they count from 0)")
    return int(part)
