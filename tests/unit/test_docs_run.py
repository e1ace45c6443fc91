"""The documentation is run: pages top to bottom in an empty folder, every command line parsed, every link and anchor followed.

A fence says what becomes of it: `python` is run, `sh` is run line by line, `sh by hand` is parsed only (it installs, serves or
pays), `yaml` is a part of a recipe, and a fence with a file's name is written to that file. docs/extend.md has its own tests.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command

from commanding import call
from orcamath import errors
from orcamath.classroom import textbook
from orcamath.cli import app
from orcamath.recipe_file import load
from orcamath.settings import ModelSettings
from orcamath.testing import of_chat, serve
from orcamath.yaml_reader import read_yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = [ROOT / "README.md", *sorted(ROOT.glob("CONTRIBUTING.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OWN_TESTS = {"extend.md"}
HAND = "by hand"


class Block(NamedTuple):
    language: str
    says: str
    body: str


def blocks(path: Path) -> list[Block]:
    return [
        Block(language, says or "", body) for language, says, body in FENCE.findall(path.read_text(encoding="utf-8"))
    ]


def commands(path: Path) -> Iterator[list[str]]:
    """Yield the words of every line, in a fence or indented, that calls us."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"(?:    )?(?:\$ )?(?:export \S+; )?orcamath [a-z]", line) and "…" not in line:
            for part in line.split("#")[0].split("; "):
                words = shlex.split(part.split(" > ")[0])
                if words and words[0] == "orcamath":
                    yield words[1:]


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.name)
def test_every_command_line_parses(path: Path) -> None:
    group: Any = get_command(app)
    for words in commands(path):
        assert words[0] in group.commands, words
        group.commands[words[0]].make_context(words[0], words[1:])


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_every_fence_says_what_becomes_of_it(path: Path) -> None:
    for block in blocks(path):
        assert block.language in {"python", "sh", "yaml", "text", "toml"}, block
        assert not (block.language == "text" and not block.says), f"{block}: name the file it is, or indent it"


RUN = [
    p
    for p in [ROOT / "README.md", *PAGES]
    if p.name not in OWN_TESTS and any(b.language in {"python", "sh", "yaml"} for b in blocks(p))
]


@pytest.mark.parametrize("path", RUN, ids=lambda p: p.name)
def test_a_page_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with serve(of_chat(textbook.open_chat(ModelSettings(backend="textbook")))) as server:
        monkeypatch.setenv("TEACHER_URL", server.base_url)
        for key in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
            monkeypatch.setenv(key, "a-key-of-the-tests")
        for block in blocks(path):
            if block.says and block.says != HAND:
                (tmp_path / block.says).write_text(block.body, encoding="utf-8")
            elif block.language == "python":
                exec(compile(block.body, str(path), "exec"), names)
            elif block.language == "yaml":
                load({"name": "part", **read_yaml(block.body, path.name).value})
            elif block.language == "sh" and block.says != HAND:
                for line in block.body.splitlines():
                    run_line(line)


def cells() -> list[dict[str, Any]]:
    notebook: dict[str, Any] = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_runs_and_has_been_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in cells():
        exec(compile("".join(cell["source"]), "notebook.ipynb", "exec"), names)
        assert cell["outputs"], cell["source"]
        assert not [o for o in cell["outputs"] if o["output_type"] == "error"]
    assert [r["model"] for r in names["run"].records] == ["M0", "M1", "M2"]


@pytest.mark.slow
def test_in_a_real_kernel_bars_are_drawn_in_the_cell_and_taken_away(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    said = (
        "from orcamath.report.progress import Bars\nbars = Bars(show_after_s=0)\n"
        "bars.begin('teach <b>', 40)\nbars.advance(10)"
    )
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(said), nbformat.v4.new_code_cell(said + "\nbars.end()")]
    )
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (drawn,), (gone,) = ([o for o in c.outputs if o.output_type == "display_data"] for c in book.cells)
    assert '<progress value="10" max="40">' in drawn.data["text/html"]
    assert "teach &lt;b&gt;: 10 of 40" in drawn.data["text/html"]
    assert gone.data["text/html"] == ""


def run_line(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[:1] == ["orcamath"]:
        done = call(*words[1:])
        assert done.code == 0, (line, done.out, done.err)
    elif words[:2] == ["python", "-m"]:
        subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True, timeout=120)
    else:
        assert not words, f"`{line}` is run by nobody: mark its fence `{HAND}`"


def anchor(heading: str) -> str:
    """Return the anchor that GitHub and the site make of a heading."""
    bare = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", heading.strip().replace("`", "").lower())
    return re.sub(r"[^\w\- ]", "", bare).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return {anchor(h) for h in re.findall(r"^#{1,5} (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        file, _, name = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{path.name}: {target}"
        assert not name or name in anchors(there), f"{path.name}: {target} has no such heading"


def kinds() -> list[type[errors.OrcamathError]]:
    found = [getattr(errors, name) for name in errors.__all__]
    return [k for k in found if isinstance(k, type) and issubclass(k, errors.OrcamathError)]


def test_every_error_has_its_place_on_the_troubleshooting_page_and_prints_it() -> None:
    headings = anchors(ROOT / "docs" / "troubleshooting.md")
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
    """A stranger reads it in two minutes: at most 25 words a sentence, 500 words in all; code and tables aside."""
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
