"""Evaluation leaves out near-duplicate clusters that were trained on, or keeps them and says how many there are."""

from pathlib import Path

import pytest

from orcamath.records import Lesson, Problem, Rejected
from orcamath.stages.unseen import UnseenSettings, unseen
from orcamath.store.artifacts import Artifact, Output
from scripted import Bench


def problem(text: str, cluster: str | None, source: str = "a") -> Problem:
    return Problem.make(text, "seed", source, answer="1", split="test", cluster=cluster)


TESTS = [problem("1+1?", "c1"), problem("1+2?", "c2"), problem("1+3?", None), problem("1+4?", "c3", "b")]


@pytest.fixture
def stages(tmp_path: Path) -> tuple[Bench, Artifact, Artifact]:
    bench = Bench(tmp_path)

    def gated(out: Output) -> None:
        out.write(
            "lessons",
            [Lesson.make(problem("2+1?", "c2"), "3", "3", "t"), Lesson.make(problem("x?", None), "3", "3", "t")],
        )
        out.write("problems", [problem("2+4?", "c3"), problem("y?", "c9")])

    return bench, bench.table(TESTS), bench.run(gated)


def test_clusters_of_lessons_and_of_problems_to_practise_on_are_left_out(
    stages: tuple[Bench, Artifact, Artifact],
) -> None:
    bench, tests, gated = stages
    made = bench.run(lambda out: unseen(out, UnseenSettings(), tests, gated))
    assert list(made.read(Problem)) == [TESTS[0], TESTS[2]]
    assert made.balance["rejected"] == {"seen_in_training": 2}
    assert [(r.item, r.repeats) for r in made.read(Rejected)] == [
        (TESTS[1].id, problem("2+1?", "c2").id),
        (TESTS[3].id, problem("2+4?", "c3").id),
    ]
    assert made.facts == {"of": {"a": 3, "b": 1}, "seen": {"a": 1, "b": 1}, "seen_clusters": "drop"}


def test_the_whole_benchmark_can_be_kept_and_the_count_is_told(stages: tuple[Bench, Artifact, Artifact]) -> None:
    bench, tests, gated = stages
    made = bench.run(lambda out: unseen(out, UnseenSettings(seen_clusters="keep"), tests, gated))
    assert list(made.read(Problem)) == TESTS
    assert made.facts["seen"] == {"a": 1, "b": 1}
