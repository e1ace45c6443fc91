"""A finished run with everything that it keeps, lent to each attack as a copy."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from commanding import call_in
from in_memory import scratch

RECIPE = """\
name: r
seeds: {sources: [{name: classroom, split: train, options: {n: 8, seed: 0, max_steps: 2}}]}
benchmarks: {sources: [{name: classroom, split: dev, options: {n: 6}}]}
teacher: {backend: textbook}
gate: {policy: report}
screens: [classroom]
budget: {cap_usd: 5}
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Lend pytest's own, but in memory."""
    with scratch() as folder:
        yield folder


@pytest.fixture(scope="session")
def ran() -> Iterator[Path]:
    """Lend `r.yaml`, run up to its lessons."""
    with scratch() as folder:
        (folder / "r.yaml").write_text(RECIPE)
        assert call_in(folder, "run", "r.yaml", "--until", "teach").code == 0
        yield folder


@pytest.fixture
def here(ran: Path) -> Iterator[Path]:
    """Lend a copy."""
    with scratch() as folder:
        yield shutil.copytree(ran, folder / "here")
