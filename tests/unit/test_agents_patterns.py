"""Every rule of form in the agents finds what it was made for and leaves alone what stands beside it."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import orcamath.agents
from orcamath.agents.patterns import Pattern

ROWS = {
    f"{module.name.removeprefix('orcamath.agents.')}{name.lower()}": value
    for module in pkgutil.walk_packages(orcamath.agents.__path__, "orcamath.agents.")
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
    # how a text is cut into words and sentences, not what becomes of it
    assert sorted(name for _, name in plain) == ["_NAME", "_SENTENCE", "_WORD"]
