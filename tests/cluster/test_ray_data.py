"""The benchmark of our crew beside Ray Data's actors, at a small size: in a process of its own, since it begins a cluster."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed (`make test-cluster` installs it)")
pytest.importorskip("pandas", reason="Ray Data wants pandas")
pytestmark = [pytest.mark.cluster]
SCRIPT = Path(__file__).parents[2] / "benchmarks/ray_data_fill.py"


def test_both_sides_answer_everything_and_outlive_a_worker() -> None:
    few = ["--calls", "80", "--repeats", "1", "--median-ms", "20", "--sides", "ours", "data-16"]
    killed = ["--troubles", "worker", "--troubled", "ours", "data-16"]
    command = [sys.executable, str(SCRIPT), "--json", *few, *killed]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=280)
    found = json.loads(done.stdout)["median, least, most"]
    assert found.keys() == {"ours", "data-16", "ours, worker", "data-16, worker"}
    assert all(found[side]["rate"][1] > 0 for side in ("ours", "data-16"))
    for side in ("ours, worker", "data-16, worker"):
        assert found[side]["ended"] == [1, 1, 1]
        assert found[side]["missing"] == [0, 0, 0]
