"""The schema for editors says of a recipe what `load` says of it; versions: older ones are read, newer ones refused by name."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from orcamath.commands.schema import recipe_schema
from orcamath.errors import RecipeError
from orcamath.families import members
from orcamath.recipe_file import dump, load, shipped
from orcamath.recipe_settings import RECIPE_VERSION
from orcamath.recipe_versions import brought_up

SCHEMA = recipe_schema()
KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def wrong(value: Any, schema: dict[str, Any], where: str = "") -> str | None:
    """Say where a value is not what a schema wants (the words of it that ours uses); None where it is."""
    if "$ref" in schema and (said := wrong(value, SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], where)):
        return said
    if "anyOf" in schema:
        each = [wrong(value, one, where) for one in schema["anyOf"]]
        if all(each):
            return max((s for s in each if s), key=len)
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind in {"integer", "number"})):
        return f"{where}: {value!r} is no {kind}"
    if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
        return f"{where}: {value!r} is not among those known"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{where}: {value!r} does not match"
    for word, holds in (
        ("minimum", "__ge__"),
        ("maximum", "__le__"),
        ("exclusiveMinimum", "__gt__"),
        ("exclusiveMaximum", "__lt__"),
    ):
        if word in schema and not getattr(float(value), holds)(schema[word]):
            return f"{where}: {value!r} is beyond {schema[word]}"
    if isinstance(value, list):
        found = (wrong(v, schema.get("items", {}), f"{where}.{i}") for i, v in enumerate(value))
        return next((s for s in found if s), None)
    return _wrong_object(value, schema, where) if isinstance(value, dict) else None


def _wrong_object(value: dict[str, Any], schema: dict[str, Any], where: str) -> str | None:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    if missing := [key for key in schema.get("required", ()) if key not in value]:
        return f"{where}: `{missing[0]}` is missing"
    for key, inner in value.items():
        if key not in known and others is False:
            return f"{where}.{key}: unknown"
        said = wrong(inner, known.get(key, others if isinstance(others, dict) else {}), f"{where}.{key}")
        if said:
            return said
    return None


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("name", shipped())
def test_recipes_that_ship_fit_it_as_written_and_as_resolved(name: str) -> None:
    text = shipped()[name].read_text(encoding="utf-8")
    assert wrong(read(text), SCHEMA) is None
    assert wrong(read(dump(load(name))), SCHEMA) is None
    assert read(text)["version"] == RECIPE_VERSION


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name: x\nseeds: lila\nbenchmarks: [gsm8k, {name: ./own.py}]\niterations: [{}, null]\n", None),
        ("name: x\nlearn: {loss: ./own.py}\nstudent: {base: owner/model}\nscreens: [classroom, ./own.py]\n", None),
        ("name: x\nvariants: {a: {learn: {beta: 0.5}}, b: {iterations: []}}\n", None),
        ("name: x\nlern: {}\n", ".lern"),
        ("about: x\n", "`name` is missing"),
        ("name: x\nlearn: {loss: ppo}\n", ".learn.loss: 'ppo'"),
        ("name: x\nlearn: {beta: 0}\n", ".learn.beta"),
        ("name: x\njudge: {name: rule}\n", ".judge.name"),
        ("name: x\nteacher: {backend: openai}\n", ".teacher.backend"),
        ("name: x\nscreens: [clasroom]\n", ".screens.0"),
        ("name: x\nseeds: {sources: [{name: gsm9k}]}\n", ".seeds"),
        ("name: x\nvariants: {a: {learn: {betta: 0.5}}}\n", ".variants.a.learn.betta"),
        ("name: x\nversion: 99\n", ".version"),
    ],
)
def test_it_takes_the_short_forms_and_finds_the_mistakes(text: str, place: str | None) -> None:
    said = wrong(read(text), SCHEMA)
    assert (said is None) == (place is None), said
    assert place is None or (said is not None and place in said)


def test_it_says_what_every_setting_does_and_which_names_there_are() -> None:
    learn = SCHEMA["$defs"]["LearnSettings"]["properties"]
    assert learn["loss"]["anyOf"][0]["enum"] == members("loss")
    assert "right answers only" in learn["loss"]["description"]
    tries = SCHEMA["$defs"]["ConfirmSettings"]["properties"]["tries"]  # told where it is inherited from
    assert "at most" in tries["description"]
    assert SCHEMA["$defs"]["ModelSettings"]["properties"]["backend"]["anyOf"][0]["enum"] == members("backend")
    assert "outside_digest" not in str(SCHEMA)
    assert "member_of" not in str(SCHEMA)


def test_older_recipes_are_read_and_newer_ones_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    known = ["", "version: 0\n", f"version: {RECIPE_VERSION}\n"]
    refused = {"version: 99\n": "99", "version: new\n": "'new'", "version: true\n": "True", "version: -1\n": "-1"}
    for said, fails in {**dict.fromkeys(known), **refused}.items():
        path.write_text(f"name: x\n{said}")
        if fails is None:
            assert load(str(path)).version == RECIPE_VERSION
            continue
        with pytest.raises(RecipeError, match=rf"r\.yaml: .*{fails}.*(upgrade|install -U|write `version)"):
            load(str(path))


def test_each_version_is_brought_up_by_those_after_it() -> None:
    steps = {
        1: lambda raw: {**{k: v for k, v in raw.items() if k != "prefer"}, "preferences": raw.get("prefer", {})},
        3: lambda raw: {**raw, "teach": {**raw.get("teach", {}), "solutions": 2}},
    }
    made = brought_up({"name": "x", "version": 1, "prefer": {"max_pairs": 3}}, "r.yaml", steps, 4)
    assert made == {"name": "x", "version": 4, "preferences": {"max_pairs": 3}, "teach": {"solutions": 2}}
    assert brought_up({"name": "x", "version": 4}, "r.yaml", steps, 4) == {"name": "x", "version": 4}


def test_a_version_is_no_part_of_what_is_made(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: x\n")
    assert "version" not in load(str(tmp_path / "r.yaml")).identity()
