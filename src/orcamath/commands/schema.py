"""`orcamath schema`: what a recipe may say, as a JSON schema for editors, made of the settings themselves.

In: the settings' classes, their docstrings, and the members of every family that can be found here. Out: one JSON schema. It
takes the short forms, too: a source by its name, seeds as a list of them, an iteration left empty, an arm that says only
what it changes.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args

from orcamath.families import members
from orcamath.recipe_settings import Recipe
from orcamath.records import Settings

__all__ = ["recipe_schema"]

OPEN = frozenset({"base"})
"""Families that a recipe may also name something else for: a hub name, a folder."""
OURS = frozenset({"member_of", "family", "outside_digest"})
"""What the settings note of a field beside its type."""
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of a recipe's YAML."""
    plain = Recipe.model_json_schema()
    kinds: set[type[Settings]] = {Recipe, *_within(Recipe)}
    for kind in kinds:
        keys = (plain if kind is Recipe else plain["$defs"][kind.__name__])["properties"]
        for field, text in _docstrings(kind).items():
            if field in keys:
                keys[field].setdefault("description", text)
    made: dict[str, Any] = _told(plain)
    parts = made["$defs"]
    source = {"$ref": "#/$defs/SourceSettings"}
    name = {"anyOf": [parts["SourceSettings"]["properties"]["name"], source]}
    for reading in ("SeedsSettings", "BenchmarksSettings"):
        parts[reading]["properties"]["sources"]["items"] = name
        parts[reading] = {"anyOf": [{"type": "string"}, {"type": "array", "items": name}, parts[reading]]}
    parts["Iteration"] = {"anyOf": [{"type": "null"}, parts["Iteration"]]}
    keys = {key: said for key, said in made["properties"].items() if key != "variants"}
    parts["Arm"] = {"type": "object", "additionalProperties": False, "properties": keys}
    made["properties"]["variants"]["additionalProperties"] = {"$ref": "#/$defs/Arm"}
    return {"$schema": DRAFT, **made, "title": "A recipe of orcamath"}


def _within(kind: type[Settings]) -> Iterator[type[Settings]]:
    """Yield all settings that stand below some."""
    for field in kind.model_fields.values():
        annotations: list[object] = [field.annotation]
        for annotation in annotations:
            annotations += get_args(annotation)
            if isinstance(annotation, type) and issubclass(annotation, Settings):
                yield annotation
                yield from _within(annotation)


def _docstrings(kind: type[Settings]) -> dict[str, str]:
    """Return what is written under each field; pydantic could, but for every command that starts, not for this one alone."""
    found: dict[str, str] = {}
    for base in reversed([c for c in kind.__mro__ if issubclass(c, Settings)]):
        (made,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(made, ast.ClassDef)
        for field, text in pairwise(made.body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(value=str(said))):
                    found[name] = inspect.cleandoc(said)
    return found


def _told(node: Any) -> Any:
    """Return a part of pydantic's schema with families' names filled in, and without what is ours alone."""
    if isinstance(node, list):
        return [_told(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _told(value) for key, value in node.items() if isinstance(value, dict) or key not in OURS}
    if isinstance(plain.get("description"), str):
        plain["description"] = " ".join(plain["description"].split())
    if isinstance(plain.get("title"), str):  # the key once more, in capitals
        del plain["title"]
    family = node.get("member_of") or node.get("family")
    if not isinstance(family, str):
        return plain
    if plain.get("type") == "array":
        return {**plain, "items": _one_of(family)}
    return {**{key: value for key, value in plain.items() if key != "type"}, **_one_of(family)}


def _one_of(family: str) -> dict[str, object]:
    """Return what a family's member may be called: a known name, or the path of a file of one's own."""
    own = {"type": "string"} if family in OPEN else {"type": "string", "pattern": r"\.py$"}
    return {"anyOf": [{"enum": members(family)}, own]}
