"""What `make bench` holds its figures against stands in the log, in the newest entry that has it."""

import argparse
import importlib
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("quick")


def entries() -> list[tuple[str, str]]:
    """Return heading and text of the log's entries, newest first, those of months that are over as well."""
    files = [ROOT / "docs" / "log.md", *sorted((ROOT / "docs" / "log").glob("*.md"), reverse=True)]
    parts = [part for file in files for part in file.read_text(encoding="utf-8").split("\n## ")[1:]]
    return [(heading, text) for heading, _, text in (part.partition("\n") for part in parts)]


def newest(words: str, log: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the first entry that has such words, whatever the figure, and that figure; None where none has."""
    pattern = re.sub(r"\\\{.+?\\\}", r"(\\d+(?:\\.\\d+)?)", re.escape(words)).replace("…", ".*?")
    for heading, text in log:
        if found := re.search(pattern, " ".join(re.sub(r"[`*]", "", text).split())):
            return heading, found[1]
    return None


def test_every_figure_is_the_newest_that_the_log_has_of_it(quick: Any) -> None:
    log = entries()
    named = {heading for heading, _ in log}
    assert [c.entry for c in quick.CLAIMS if c.entry not in named] == []
    assert [c.figure for c in quick.CLAIMS if not c.written or not c.why] == []
    found = {f"{c.script} {c.figure}": newest(c.words, log) for c in quick.CLAIMS}
    assert found == {f"{c.script} {c.figure}": (c.entry, c.written) for c in quick.CLAIMS}


LOG = [
    ("2026-02-02 · Again", "By the way, `sft.py`: SFT **2.4×**\nand more."),
    ("2026-01-01 · First", "SFT 2.2×, recall\n1.0\n\n| DPO | 5.30 (5.08) | 0.97 | 5.47 / 7.79 |"),
]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("SFT {2.2}×", ("2026-02-02 · Again", "2.4")),
        ("recall {0.9}", ("2026-01-01 · First", "1.0")),
        ("| DPO | … | {6} / ", ("2026-01-01 · First", "5.47")),
        ("DPO {6}×", None),
    ],
)
def test_a_later_figure_is_seen_across_lines_and_marks(words: str, found: object) -> None:
    assert newest(words, LOG) == found


@pytest.mark.parametrize(
    ("words", "tolerance", "worst", "in_order", "worse"),
    [
        ("search {5.0}×", -0.4, 3.0, (3.0, 9.0), (2.99, 0.0)),
        ("ratio {1.5}", 0.2, 1.8, (1.79, 0.5), (1.81,)),
        ("overspend {0}", 0, 0.0, (0.0,), (0.01,)),
    ],
)
def test_a_figure_may_be_worse_by_the_tolerance(
    quick: Any, words: str, tolerance: float, worst: float, in_order: Sequence[float], worse: Sequence[float]
) -> None:
    claim = quick.Claim("some", (), "figure", "entry", words, tolerance, "why")
    assert claim.worst == pytest.approx(worst)
    assert all(claim.holds(now) for now in in_order)
    assert not any(claim.holds(now) for now in worse)


def test_every_benchmark_takes_the_arguments_it_is_given(quick: Any) -> None:
    for claim in quick.CLAIMS:
        parser = argparse.ArgumentParser()
        importlib.import_module(claim.script).options(parser)
        parser.parse_args(claim.arguments)


def test_a_run_without_arms_loads_no_torch_to_count_gpus_for_them() -> None:
    code = (
        "import sys\nfrom orcamath.recipe_settings import Recipe\nfrom orcamath.running import _arms_at_once\n"
        "_arms_at_once(Recipe(name='x'), None, 0)\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
