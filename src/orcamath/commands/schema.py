"""`orcamath schema`: what a recipe may say, as a JSON schema for editors, made of the settings themselves.

In: the settings' classes, their docstrings, and the members of every family that can be found here. Out: one JSON schema. It
takes the short forms, too: a source by its name, seeds as a list of them, an iteration left empty, an arm that says only
what it changes.
"""

from typing import Any

from orcamath.families import members
from orcamath.recipe_settings import Recipe

__all__ = ["recipe_schema"]

OPEN = frozenset({"base"})
"""Families that a recipe may also name something else for: a hub name, a folder."""
OURS = frozenset({"member_of", "family", "outside_digest"})
"""What the settings note of a field beside its type."""
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of a recipe's YAML."""
    made: dict[str, Any] = _told(Recipe.model_json_schema())
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
