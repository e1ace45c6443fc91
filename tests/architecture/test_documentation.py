"""The documentation as it stands: command lines parse, links and anchors lead somewhere, every error and page has its place.

What its code does when it is run is `tests/unit/test_docs_run.py`; the walks of story.md are in `test_docs.py`.
"""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from commanding import call
from documents import FENCE, HAND, PAGES, ROOT, blocks
from orcamath import errors
from orcamath.cli import app

TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(path: Path) -> Iterator[list[str]]:
    """Yield the words of every line, in a fence or indented, that calls us."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"(?:    )?(?:\$ )?(?:export \S+; )?orcamath [a-z]", line) and "…" not in line:
            for part in line.split("#")[0].split("; "):
                words = shlex.split(part.split(" > ")[0])
                if words and words[0] == "orcamath":
                    yield words[1:]


@pytest.mark.parametrize("path", [p for p in TEXTS if any(commands(p))], ids=lambda p: p.name)
def test_every_command_line_parses(path: Path) -> None:
    group: Any = get_command(app)
    for words in commands(path):
        assert words[0] in group.commands, words
        group.commands[words[0]].make_context(words[0], words[1:])


FENCED = [p for p in (ROOT / "README.md", *PAGES) if "```" in p.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", FENCED, ids=lambda p: p.name)
def test_every_fence_says_what_becomes_of_it(path: Path) -> None:
    found = blocks(path)
    lines = re.findall(r"^\s*(?:```|~~~)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) == 2 * len(found), "a fence that is indented, left open or written otherwise is seen by no test"
    for block in found:
        assert block.language in {"python", "sh", "yaml", "text", "toml"}, block
        assert not (block.language == "text" and not block.says), f"{block}: name the file it is, or indent it"
        by_hand, check = block[:2] == ("sh", HAND), block[:2] == ("python", "check") and path.name == "extend.md"
        assert not block.says or by_hand or check or re.fullmatch(r"\w+\.\w+", block.says), f"{block}: no file's name"


def anchor(heading: str) -> str:
    """Return the anchor that GitHub and the site make of a heading."""
    bare = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", heading.strip().replace("`", "").lower())
    return re.sub(r"[^\w\- ]", "", bare).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return {anchor(h) for h in re.findall(r"^#{1,5} (.+)$", text, re.MULTILINE)}


def links(path: Path) -> list[str]:
    """Return where the links of a page lead, but for other sites."""
    found = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", path.read_text(encoding="utf-8")))
    return [target for target in found if not target.startswith(("http://", "https://"))]


@pytest.mark.parametrize("path", [p for p in TEXTS if links(p)], ids=lambda p: p.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in links(path):
        file, _, name = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{path.name}: {target}"
        assert not name or name in anchors(there), f"{path.name}: {target} has no such heading"


def kinds() -> list[type[errors.OrcamathError]]:
    found = [getattr(errors, name) for name in errors.__all__]
    return [k for k in found if isinstance(k, type) and issubclass(k, errors.OrcamathError)]


def test_every_error_has_its_place_on_the_troubleshooting_page_and_prints_it() -> None:
    headings = anchors(ROOT / "docs" / "troubleshooting.md")
    defined = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.OrcamathError)]
    assert set(kinds()) == set(defined)  # each is public
    for kind in kinds():
        page, _, name = kind.help().partition("#")
        assert (page, name in headings) == ("docs/troubleshooting.md", True), kind
    done = call("run", "clasroom")
    assert done.err.splitlines()[-1] == "help: docs/troubleshooting.md#recipe-error"

    class Another(errors.CapReached):
        """A kind of a stranger's."""

    assert Another.help() == "docs/troubleshooting.md#cap-reached"


def test_every_page_is_in_the_sites_table_of_contents() -> None:
    listed = set(re.findall(r"[\w-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert {p.name for p in PAGES} <= listed
    assert {f for f in listed if "/" not in f} <= {p.name for p in PAGES} | {
        p.name for p in (ROOT / "docs").rglob("*.md")
    }


def test_readme_sentences_are_short() -> None:
    """A stranger reads it in two minutes: at most 25 words a sentence, 520 words in all; code and tables aside."""
    text = FENCE.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
    prose = [line for line in text.splitlines() if not re.match(r"\s{4}|\||!\[|#", line)]
    said = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", " ".join(prose))
    sentences = [s.split() for s in re.split(r"(?<=[.:?!])\s+|\s+[-·]\s+", said)]
    assert {" ".join(s): len(s) for s in sentences if len(s) > 25} == {}
    assert sum(map(len, sentences)) <= 520


def test_claims_name_files_and_tests_that_are_there() -> None:
    text = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 15
    for claim, file, test, _ in rows:
        named = re.findall(r"`([^`]+)`", file + test)
        assert len(named) >= 2, claim
        assert [n for n in named if not (ROOT / n).is_file()] == [], claim


LOGS = [ROOT / "docs" / "log.md", *sorted((ROOT / "docs" / "log").glob("*.md"))]


@pytest.mark.parametrize("path", LOGS, ids=lambda p: p.name)
def test_the_log_is_newest_first_a_month_a_file_and_wrapped(path: Path) -> None:
    text = path.read_text()
    days = re.findall(r"^## (\d{4}-\d{2}-\d{2}) · ", text, flags=re.MULTILINE)
    assert len(days) == text.count("\n## ")
    assert days == sorted(days, reverse=True)
    assert len({day[:7] for day in days}) == 1, "older months go to docs/log/YEAR-MONTH.md"
    prose = [line for line in text.split("\n") if not line.startswith(("|", "    ", "#"))]
    assert [line for line in prose if len(line) > 120] == []


def test_every_package_that_is_asked_for_has_its_licence_listed_at_the_version_that_is_pinned() -> None:
    rows = re.findall(r"^\| ([\w.-]+) \| (\S+) \| (.+) \|$", (ROOT / "docs" / "licences.md").read_text(), re.MULTILINE)
    listed = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version, _ in rows}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(n for e in ("student", "lora", "gguf", "hub", "tensorboard") for n in extras[e]),
    ]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[><=~ ;]", n)[0]).lower() for n in wanted}
    assert not names - listed.keys()
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    pinned = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins.items()}
    assert {n: v for n, v in listed.items() if n in pinned and pinned[n] != v.split("+")[0]} == {}
    assert not [name for name, _, licence in rows if licence in ("not stated", "not installed")]
