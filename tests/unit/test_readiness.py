"""Before practice: what samples reach beyond the greedy answers, and what more of the lessons brings, on problems held apart."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from orcamath.errors import DataError, NotReady, RecipeError, UsageError
from orcamath.intervals import paired
from orcamath.outline import outline
from orcamath.plan.ranges import Range
from orcamath.plan.training import Lengths, training_plans
from orcamath.recipe_file import arms, load
from orcamath.records import Scored
from orcamath.running import run_recipe
from orcamath.stages.evaluate import EvaluateSettings
from orcamath.stages.readiness import ReadinessFacts, ReadinessSettings, readiness
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.run_folder import RunFolder
from orcamath.student.settings import SftSettings
from scripted import sealed

LOOK = ReadinessSettings(evaluate=EvaluateSettings(benchmarks=("dev",), samples=2, temperature=0.7))


def scored(folder: Path, answers: Sequence[str]) -> Artifact:
    """A measured student: a word a problem, a letter an answer, `r` right; the greedy one first."""
    common = {"benchmark": "dev", "text": "", "final_answer": "", "gold": "1", "by": "rules"}
    rows = [
        Scored(
            problem_id=f"p{i}",
            draw=draw,
            outcome="agrees" if letter == "r" else "disagrees",
            finish_reason="stop",
            n_tokens=1,
            **common,
        )
        for i, word in enumerate(answers)
        for draw, letter in enumerate(word)
    ]
    return sealed(folder, "evaluate", scored=rows)


def told(tmp_path: Path, *answers: Sequence[str], settings: ReadinessSettings = LOOK) -> ReadinessFacts:
    measured = [scored(tmp_path / str(i), words) for i, words in enumerate(answers)]
    store = Store(tmp_path / "store")
    made = store.stage("readiness", 1, settings, [], lambda out: readiness(out, settings, measured))
    return made.said(ReadinessFacts)


def test_what_samples_reach_is_counted_problem_by_problem(tmp_path: Path) -> None:
    said = told(tmp_path, ["rww", "wrw", "wrr", "www", "rrr"])
    assert (said.n, said.k, said.greedy) == (5, 2, 0.4)
    assert said.reach == paired([True, False, False, False, True], [False, True, True, False, True]).difference
    assert said.reach is not None
    assert said.reach.point == pytest.approx(0.2)  # two more, one less
    assert (said.ready, said.warnings, said.gained) == (True, (), None)


def test_what_was_not_sampled_says_nothing_of_samples(tmp_path: Path) -> None:
    said = told(tmp_path, ["rww", "wrw", "wrr", "w", "r", "w"], ["r", "w", "w", "r", "r", "r"])
    assert (said.n, said.greedy) == (3, pytest.approx(1 / 3))
    assert said.gained is not None
    assert said.gained.point == pytest.approx(2 / 6)  # greedy answers: of all six


def test_a_student_that_its_samples_do_not_outreach_has_nothing_to_practise(tmp_path: Path) -> None:
    said = told(tmp_path, ["rrr", "www", "wwr"] + 17 * ["www"])
    assert not said.ready
    (why,) = said.warnings
    assert "one of 2 samples is right for +5.0 [" in why
    assert "readiness.reach: 15" in why


def test_a_student_that_lessons_still_teach_is_taught_first(tmp_path: Path) -> None:
    first, more = ["wrw", "wrw", "rww", "www"], ["r", "w", "r", "w"]
    said = told(tmp_path, first, [word + "ww" for word in more])
    assert said.gained == paired([False, False, True, False], [True, False, True, False]).difference
    (why,) = said.warnings
    assert "being taught once more brings +25.0 [" in why
    assert not said.ready
    assert told(
        tmp_path / "enough", first, [word + "ww" for word in more], settings=LOOK.model_copy(update={"flat": 25.0})
    ).ready


def test_where_no_problem_is_left_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no problem of `dev` is left"):
        told(tmp_path, [])


def test_a_value_that_is_wrong_above_is_told_once() -> None:
    with pytest.raises(RecipeError) as caught:
        load("classroom", [*SMALL, "iterations=[{}]", "imitate.learning_rate=fast"])
    assert len(str(caught.value).splitlines()) == 1


SMALL = [
    "variants={}",
    "unspoilt=null",
    "base_shown=[]",
    "seeds.sources.0.options.n=20",
    "benchmarks={sources: [{name: classroom, options: {n: 4}}, {name: classroom, split: dev, called: dev, options: {n: 6}}]}",
    "evaluate.benchmarks=[classroom]",
    "evaluate.max_new_tokens=4",
    "evaluate.samples=1",
    "teach.max_problems=30",
    "imitate.train_steps=1",
    "practice.max_problems=6",
    "practice.max_new_tokens=12",
    "learn.negative_only=true",
    "readiness={evaluate: {benchmarks: [dev], samples: 2, temperature: 1.0}, more_sft: {train_steps: 2}}",
]


def labels(folder: RunFolder) -> list[str]:
    return [s["label"] for s in (folder.read_json("stages.json") or {})["stages"]]


def test_a_run_looks_before_it_practises_and_stops_where_it_is_to(tmp_path: Path) -> None:
    recipe = load("classroom", [*SMALL, "iterations=[{}]", "readiness.policy=stop", "readiness.reach=100"])
    store = Store(tmp_path / "store")
    with RunFolder(tmp_path / "run") as run:
        with pytest.raises(NotReady, match=r"readiness\.reach: 100.*readiness\.policy=report"):
            run_recipe(recipe, run, store, quiet=True)
        assert labels(run)[-4:] == ["evaluate M1 apart", "imitate once more", "evaluate M1 once more", "readiness"]
    going_on = load("classroom", [*SMALL, "iterations=[{}]", "readiness.reach=100"])
    with RunFolder(tmp_path / "run") as run:
        run_recipe(going_on, run, store, quiet=True)
        assert labels(run) == outline(going_on)
        stages = (run.read_json("stages.json") or {})["stages"]
        students = (run.read_json("stages.json") or {})["students"]
    found = next(s for s in stages if s["label"] == "readiness")
    assert found["reused"]  # who stops is no other look
    assert [s["name"] for s in students] == ["M1", "M2"]  # what it looked at stands in no table
    said = store.find(*found["artifact"].rsplit("-", 1))
    assert said is not None
    assert said.said(ReadinessFacts).n == 6


def test_where_nobody_practises_nobody_looks() -> None:
    for own in ("iterations=[]", "iterations=[{more_sft: {}}]"):
        assert "readiness" not in outline(load("classroom", [*SMALL, own]))


def test_what_the_look_leaves_out_is_as_the_recipe_has_it() -> None:
    recipe = load("classroom", [*SMALL, "imitate.learning_rate=0.25", "evaluate.top_p=0.5", "iterations=[{}]"])
    assert recipe.readiness is not None
    assert recipe.readiness.evaluate.top_p == 0.5
    assert recipe.readiness.evaluate.benchmarks == ("dev",)
    more = recipe.readiness.more_sft
    assert isinstance(more, SftSettings)
    assert (more.learning_rate, more.train_steps) == (0.25, 2)
    seeds = [arm.readiness.more_sft.seed for arm in arms(load("classroom", [*SMALL, "repeat=[3,4]"])).values()]  # type: ignore[union-attr]
    assert 4 in seeds


def test_the_plan_counts_the_training_of_the_look() -> None:
    lengths = Lengths(Range(30, 30), Range(0, 0), Range(10, 10), Range(20, 20))
    recipe = load("classroom", [*SMALL, "iterations=[{}]"])
    rows = training_plans("", recipe, lengths, None, 312, set(), "data")
    assert [row.stage for row in rows] == ["imitate", "imitate once more", "practice 2", "learn 2"]


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ("readiness={evaluate: {benchmarks: [dev]}}", "2 or more"),
        ("readiness={evaluate: {samples: 4, temperature: 1}}", "sets to choose by"),
        ("readiness={benchmarks: [dev]}", "readiness.benchmarks"),
    ],
)
def test_a_look_that_could_not_see_anything_is_refused(own: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        load("classroom", ["evaluate.samples=1", own])


def test_a_benchmark_that_was_not_read_is_said_before_anything_is_made(tmp_path: Path) -> None:
    recipe = load("classroom", [*SMALL, "iterations=[{}]", "readiness.evaluate.benchmarks=[devv]"])
    with RunFolder(tmp_path / "run") as run:
        with pytest.raises(UsageError, match="names `devv`, which was not read; did you mean `dev`"):
            run_recipe(recipe, run, Store(tmp_path / "store"), quiet=True)
        assert labels(run) == ["benchmarks"]
