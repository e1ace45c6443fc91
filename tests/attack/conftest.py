"""A finished run with everything that it keeps, lent to each attack as a copy."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from commanding import call_in

RECIPE = """\
name: r
seeds: {sources: [{name: classroom, split: train, options: {n: 8, seed: 0, max_steps: 2}}]}
benchmarks: {sources: [{name: classroom, split: dev, options: {n: 6}}]}
teacher: {backend: textbook}
gate: {policy: report}
screens: [classroom]
budget: {cap_usd: 5}
"""


@pytest.fixture(scope="session")
def ran() -> Iterator[Path]:
    """Lend `r.yaml`, run up to its lessons. Other users of this machine may look into it."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "r.yaml").write_text(RECIPE)
        assert call_in(folder, "run", "r.yaml", "--until", "teach").code == 0
        yield folder


@pytest.fixture
def here(ran: Path) -> Iterator[Path]:
    """Lend a copy."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield shutil.copytree(ran, Path(made) / "here")
