"""The documentation is run: every page from top to bottom in an empty folder, and the notebook. See `documents` for the fences.

docs/extend.md has tests of its own, `test_extend_docs.py`.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from commanding import call
from documents import HAND, PAGES, ROOT, Block, blocks
from orcamath.recipe_file import load
from orcamath.yaml_reader import read_yaml

OWN_TESTS = {"extend.md"}


def to_run(path: Path) -> list[Block]:
    """Return what a page has written, run or read, in order."""
    return [b for b in blocks(path) if b.says != HAND and (b.says or b.language in {"python", "sh", "yaml"})]


RUN = [
    p
    for p in [ROOT / "README.md", *PAGES]
    if p.name not in OWN_TESTS and any(not b.says for b in to_run(p))  # a file that nothing runs is no example
]


@contextmanager
def stand_in(path: Path) -> Iterator[str]:
    """Start the server that a page starts by hand, on a free port; its address, or nothing where a page starts none."""
    found = re.search(r"^python -m orcamath\.testing (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        yield ""
        return
    words = shlex.split(re.sub(r"--port \d+", "", found[1]))
    with subprocess.Popen(
        [sys.executable, "-m", "orcamath.testing", *words], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@pytest.mark.parametrize("path", RUN, ids=lambda p: p.name)
def test_a_page_runs_from_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with stand_in(path) as url:
        for key, value in {
            "TEACHER_URL": url,
            "ANTHROPIC_API_KEY": "of-the-tests",
            "GEMINI_API_KEY": "of-the-tests",
        }.items():
            monkeypatch.setenv(key, value)
        for block in to_run(path):
            if block.says:
                (tmp_path / block.says).write_text(block.body, encoding="utf-8")
            elif block.language == "python":
                exec(compile(block.body, str(path), "exec"), names)
            elif block.language == "yaml":
                load({"name": "part", **read_yaml(block.body, path.name).value})
            else:
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
    why = "the extra `docs` is not installed (`make test-all` installs it)"
    nbformat, nbclient, _ = (pytest.importorskip(n, reason=why) for n in ("nbformat", "nbclient", "ipykernel"))
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
