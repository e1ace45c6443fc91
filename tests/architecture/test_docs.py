"""The walks of story.md: seven files at most, and every function they name takes the parameters they say."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "orcamath"
WALKS = ("A seed to a lesson", "An attempt to a gradient", "A request to the ledger")


def parameters(path: Path, name: str) -> list[str]:
    """Return the parameters of `function` or `Class.method` in a file, but `self`. Raises KeyError where it is not there."""
    found: dict[str, ast.FunctionDef] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{f.name}": f for f in node.body if isinstance(f, ast.FunctionDef)}
    a = found[name].args
    return [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs) if x.arg != "self"]


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_is_short_and_names_what_is_there(walk: str) -> None:
    text = (ROOT / "docs" / "story.md").read_text()
    listed = text.split(f"**{walk}**\n")[1].split("\n\n")[0]
    steps = re.split(r"^\d\. ", listed, flags=re.MULTILINE)[1:]
    assert 1 < len(steps) <= 7
    for step in steps:
        file, *signatures = re.findall(r"`([^`\n]+)`", step)
        assert (SRC / file).is_file(), f"`{file}` of {walk}"
        assert any(s.endswith(")") for s in signatures), f"`{file}` of {walk}: which function?"
        for name, said in (s.removesuffix(")").split("(", 1) for s in signatures if s.endswith(")")):
            assert said.split(", ") == parameters(SRC / file, name), f"`{name}` of `{file}`"
