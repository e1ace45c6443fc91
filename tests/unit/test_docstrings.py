"""Every example in a docstring runs and says what comes out."""

import doctest
import importlib
from pathlib import Path

import pytest

import orcamath

SRC = Path(orcamath.__file__).parent
SHOWN = [p for p in sorted(SRC.rglob("*.py")) if ">>> " in p.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", SHOWN, ids=lambda p: p.stem)
def test_an_example_says_what_comes_out(path: Path) -> None:
    name = ".".join(["orcamath", *path.relative_to(SRC).with_suffix("").parts])
    found = doctest.testmod(importlib.import_module(name))
    assert (found.failed, found.attempted > 0) == (0, True)
