"""A quarter of a dollar at a real endpoint (`make test-live`), and the same walk against the testing server with the other tests.

ORCAMATH_LIVE names the teacher as a recipe does, in JSON, price included, since the cap is held against it:

    ORCAMATH_LIVE='{"model": "gpt-4.1-mini", "options": {"price": [0.4, 1.6]}}' make test-live
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orcamath.classroom.textbook import open_chat
from orcamath.settings import ModelSettings
from orcamath.testing import serve
from orcamath.testing.server import of_chat

CAP = 0.25
RECIPE = {
    "name": "live",
    "seeds": {"sources": [{"name": "classroom", "split": "train", "options": {"n": 3, "max_steps": 2}}]},
    "benchmarks": {"sources": [{"name": "classroom", "split": "test", "options": {"n": 4}}]},
    "screens": ["classroom"],
    "gate": {"policy": "report"},
    "collect": {"near": False},
    "budget": {"cap_usd": CAP},
}


def orcamath(folder: Path, *words: str) -> str:
    """Run a command in a process of its own, which may reach other hosts; it must end well."""
    command = [sys.executable, "-m", "orcamath", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def money(folder: Path) -> Any:
    return json.loads(orcamath(folder, "status", "live", "--json"))["money"]


def walk(folder: Path, teacher: dict[str, Any]) -> None:
    """Doctor, agents and teacher under a cap; the same command again pays nothing."""
    (folder / "live.yaml").write_text(json.dumps({**RECIPE, "teacher": teacher}), encoding="utf-8")
    assert "answered with" in orcamath(folder, "doctor", "live.yaml")
    orcamath(folder, "run", "live.yaml", "--until", "teach")
    spent = money(folder)
    assert 0 < spent["spent"] <= CAP
    assert {"ask", "edit", "teach"} <= set(spent["by_stage"])
    orcamath(folder, "export", "live", "lessons", "--out", "lessons.jsonl")
    lessons = [json.loads(line) for line in (folder / "lessons.jsonl").read_text("utf-8").splitlines()]
    assert len(lessons) >= 3
    assert all(lesson["question"] and lesson["answer"] for lesson in lessons)
    orcamath(folder, "run", "live.yaml", "--until", "teach")
    assert money(folder)["spent"] == spent["spent"]


@pytest.mark.live
@pytest.mark.timeout(3600)
def test_a_real_endpoint_writes_and_solves_under_its_cap(tmp_path: Path) -> None:
    said = os.environ.get("ORCAMATH_LIVE")
    if not said:
        pytest.skip("ORCAMATH_LIVE names no endpoint, and this one costs money")
    walk(tmp_path, json.loads(said))


@pytest.mark.slow
def test_the_walk_itself_against_the_testing_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_THE_TESTS", "any")
    textbook = open_chat(ModelSettings(backend="textbook"))
    with serve(of_chat(textbook), price=(3.0, 15.0)) as server:
        options = {"price": [3, 15]}
        walk(
            tmp_path, {"model": "m", "base_url": server.base_url, "api_key_env": "KEY_OF_THE_TESTS", "options": options}
        )
        assert server.stats["billed_usd"] <= CAP
