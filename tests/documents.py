"""The pages of the documentation and the fenced blocks in them.

A fence says what becomes of it: `python` is run, `sh` is run line by line, `sh by hand` is parsed only (it installs, serves or
pays), `yaml` is a part of a recipe, and a fence with a file's name is written to that file.
"""

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["FENCE", "HAND", "PAGES", "ROOT", "Block", "blocks"]

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
HAND = "by hand"
FENCE = re.compile(r"^```(\w*)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    language: str
    says: str
    body: str


def blocks(path: Path) -> list[Block]:
    return [
        Block(language, says or "", body) for language, says, body in FENCE.findall(path.read_text(encoding="utf-8"))
    ]
