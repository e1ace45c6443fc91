"""What a clone has to fetch: no further weights enter history, and nothing large stands in the tree."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = "src/orcamath/classroom/base/model.safetensors"
VERSIONS = {"2d42ea86c34d", "b3f7d037ecf1", "fff92b843b5d", "0af8455e1231"}
"""The classroom's base, as it was made so far; a fifth would be a decision, and is made by `orcamath.classroom.pretrain`."""
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".onnx", ".npz", ".ckpt")
MAX_BYTES = 1_000_000


def git(*args: str, given: str = "") -> str:
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, input=given, check=False)
    if done.returncode:
        pytest.skip(f"no history to look at: {done.stderr.strip()[:200]}")
    return done.stdout


def blobs() -> list[tuple[str, int, str]]:
    """(hash, bytes, path) of every file that the commits below HEAD ever held."""
    listed = git("rev-list", "--objects", "HEAD")
    sizes = git("cat-file", "--batch-check=%(objecttype) %(objectname) %(objectsize) %(rest)", given=listed)
    rows = (line.split(" ", 3) for line in sizes.splitlines())
    return [(row[1][:12], int(row[2]), row[3]) for row in rows if row[0] == "blob"]


def test_no_further_weights_enter_history() -> None:
    if git("rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("a shallow clone has no history to look at")
    weights = {(name, path) for name, _, path in blobs() if path.endswith(WEIGHTS)}
    assert {path for _, path in weights} == {BASE}
    assert {name for name, _ in weights} <= VERSIONS
    large = {path: n for _, n, path in blobs() if n > MAX_BYTES and path != BASE}
    assert large == {}
