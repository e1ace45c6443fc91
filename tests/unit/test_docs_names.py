"""What docs/story.md and docs/extend.md name exists: files, modules, what is in them, recipe keys, the families' signatures."""

import importlib
import re
from pathlib import Path

import pytest

from orcamath.extend import FAMILIES
from orcamath.recipe_settings import Recipe

ROOT = Path(__file__).parents[2]
PLACES = (ROOT, ROOT / "src/orcamath", ROOT / "docs")
STORY, EXTEND = ((ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("story", "extend"))


def quoted(text: str) -> list[str]:
    """Return what stands between backticks in the prose: code blocks left out."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return sorted(set(re.findall(r"`([^`\n]+)`", prose)))


FILES = [q for q in quoted(STORY + EXTEND) if re.fullmatch(r"[\w./-]+\.(?:py|md)", q) and "my_" not in q]
DOTTED = [q for q in quoted(STORY + EXTEND) if re.fullmatch(r"orcamath(?:\.\w+)+", q)]


@pytest.mark.parametrize("name", [f for f in FILES if "LABEL" not in f])
def test_a_file_that_is_named_is_there(name: str) -> None:
    assert any((place / name).is_file() for place in PLACES), name


@pytest.mark.parametrize("name", [d for d in DOTTED if d not in {"orcamath.judges", "orcamath.sources"}])
def test_a_module_or_what_is_in_it_is_there(name: str) -> None:
    module, _, last = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        assert hasattr(importlib.import_module(module), last), name


def test_the_signatures_shown_are_the_families_own() -> None:
    shown = dict(re.findall(r"^\| (\w+) \| `([^`]+)` \|", EXTEND, re.MULTILINE))
    assert set(shown) == {family for family, f in FAMILIES.items() if f.entry}
    for family, signature in shown.items():
        assert FAMILIES[family].contract.startswith(signature + ":"), family


def test_the_keys_shown_are_keys_of_a_recipe() -> None:
    from ruamel.yaml import YAML

    rows = re.findall(r"^\| \w+ \| `[^`]+` \| `([^`]+)` \|", EXTEND, re.MULTILINE)
    assert len(rows) == 8
    for row in rows:
        Recipe.model_validate({"name": "r", **YAML(typ="safe", pure=True).load(row.replace("{…}", "{}"))})


def test_every_stage_of_the_story_has_its_file() -> None:
    assert "`src/orcamath/stages/LABEL.py`" in STORY
    labels = [p.stem for p in (ROOT / "src/orcamath/stages").glob("*.py") if p.stem != "__init__"]
    assert {"seeds", "ask", "edit", "agent", "teach", "gate", "imitate", "practice", "judge", "learn"} <= set(labels)
