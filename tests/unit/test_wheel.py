"""The wheel outside the repository: built, installed into an empty folder without its dependencies, and run there."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--disable-pip-version-check"]
MINI = """\
import json, pathlib, sys
import orcamath as om
from orcamath.recipe_file import shipped

assert pathlib.Path(om.__file__).is_relative_to(sys.argv[1]), om.__file__
small = {"seeds.sources.0.options.n": 8, "benchmarks.sources.0.options.n": 4, "variants": {}, "unspoilt": None, "iterations": [],
         "teach.max_problems": 8, "evaluate.max_new_tokens": 8, "base_shown": []}
found = om.run("classroom", settings=small)
verdict = om.judge([{"gold": "4", "response": "It is 4."}]).records[0]["outcome"]
print(json.dumps({"models": [r["model"] for r in found.records], "recipes": list(shipped()), "verdict": verdict}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (made,) = out.glob("*.whl")
    return made


@pytest.mark.slow
def test_the_wheel_holds_what_the_package_holds_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        held = {name for name in file.namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "src"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert held == {name.removeprefix("src/") for name in listed} | {"orcamath/troubleshooting.md"}
    kinds = {Path(name).suffix for name in held}
    assert {".yaml", ".md", ".safetensors", ".html", ".txt", ".json"} <= kinds


@pytest.mark.slow
def test_a_recipe_runs_from_an_installed_wheel_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    site, here = tmp_path / "site", tmp_path / "empty"
    here.mkdir()
    subprocess.run([*PIP, "--target", site, wheel], check=True, capture_output=True)
    env = {**os.environ, "PYTHONPATH": str(site)}
    ran = subprocess.run(
        [sys.executable, "-c", MINI, site], cwd=here, env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert '"models": ["M1"]' in ran.stdout
    assert '"verdict": "agrees"' in ran.stdout
    for recipe in ("classroom", "gsm8k-small", "paper", "paper-tables"):
        assert f'"{recipe}"' in ran.stdout
    assert (here / "runs" / "classroom" / "report.html").stat().st_size > 10_000
    ended = subprocess.run(
        [sys.executable, "-m", "orcamath", "plan", "classroom"],
        cwd=here,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    lost = subprocess.run(
        [sys.executable, "-m", "orcamath", "plan", "nope"],
        cwd=here,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    page, _, anchor = lost.stderr.splitlines()[-1].removeprefix("help: ").partition("#")
    assert (Path(page).is_file(), anchor) == (True, "recipe-error")
