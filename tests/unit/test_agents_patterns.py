"""Every rule of form in the agents and the room of texts finds what it was made for and leaves alone what stands beside it."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import orcamath.agents
import orcamath.text
from orcamath.text.patterns import Pattern

ROWS = {
    f"{module.name.removeprefix('orcamath.')}{name.lower()}": value
    for room in (orcamath.agents, orcamath.text)
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
    for name, value in vars(importlib.import_module(module.name)).items()
    if isinstance(value, Pattern)
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_rule_finds_its_hits_and_none_of_its_misses(row: Pattern) -> None:
    assert row.reason
    assert row.hits
    assert row.misses
    assert [text for text in row.hits if not row.search(text)] == []
    assert [text for text in row.misses if row.search(text)] == []


def test_no_expression_decides_about_a_problem_without_a_row() -> None:
    plain = [
        (path.name, m[1])
        for path in sorted(Path(orcamath.agents.__file__).parent.rglob("*.py"))
        for m in re.finditer(r"^(_[A-Z_]+) = re\.compile", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    # how a text is cut into words, not what becomes of it
    assert sorted(name for _, name in plain) == ["_NAME", "_WORD"]
    inside = [
        path.name
        for path in sorted(Path(orcamath.agents.__file__).parent.rglob("*.py"))
        for _ in re.finditer(r"re\.(?:match|search|fullmatch)\(r", path.read_text(encoding="utf-8"))
    ]
    # the words on both sides of a number are cut out
    assert inside == ["hiding.py", "hiding.py"]
