"""A classroom small enough for a test: the whole loop in a few seconds, with an untrained pupil."""

from pathlib import Path

import pytest

from orcamath.classroom.pupil import pupil, tokenizer
from orcamath.student.model import save

SMALL = [
    "variants={}",
    "unspoilt=null",
    "iterations=[{}]",
    "seeds.sources.0.options.n=30",
    "benchmarks.sources.0.options.n=20",
    "teach.max_problems=40",
    "imitate.epochs=1",
    "practice.max_problems=12",
    "practice.max_new_tokens=24",
    "evaluate.max_new_tokens=24",
    "evaluate.samples=1",
    "learn.negative_only=true",
    "learn.loss=kto",
    "student.options.chunk=16",
]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "pupil"
    words = tokenizer()
    save(pupil(words, 0, width=32, layers=1), words, path)
    return path


@pytest.fixture
def small(base: Path) -> list[str]:
    """Overrides that shrink the classroom recipe."""
    return [*SMALL, f"student.base={base}"]
