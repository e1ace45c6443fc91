"""Growing again: what is too easy is hardened, what is too hard asked about, by the commonest mistake where that is asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from orcamath.outline import outline
from orcamath.recipe_file import load
from orcamath.recipe_settings import Recipe
from orcamath.records import Attempt, Chosen, Exercise, Lesson, Outcome, Problem, Rejected, Verdict
from orcamath.running import run_recipe
from orcamath.stages.aiming import Round
from orcamath.stages.grow import JoinSettings, PickFacts, PickSettings, grown, pick
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.run_folder import RunFolder
from orcamath.view.ancestry import ancestry
from orcamath.view.text import rendered
from scripted import sealed

RIGHT, SLIP, BARE = "3 + 4 = 7\n#### 7", "3 + 4 = 8\n#### 8", "#### 9"
NAMES = ("easy", "middle", "hard", "slips", "doubted", "done")
PROBLEMS = {
    n: Problem.make(f"Ann has 3 {n} pens and buys 4. How many?", "seed", "t", answer="7", answer_from="gold")
    for n in NAMES
}
CHILD = Problem.make("harder", "suggester_editor", "t", parents=(PROBLEMS["done"].id,))
SAID: Mapping[str, Sequence[str]] = {
    "easy": [RIGHT] * 4,
    "middle": [RIGHT, SLIP, RIGHT, BARE],
    "hard": [BARE, "#### 8", "#### 10", SLIP],
    "done": [RIGHT] * 4,
    "slips": [SLIP, "3 + 4 = 6\n#### 6", "3 + 4 = 9\n#### 9", BARE],
    "doubted": ["#### 12"] * 4,
}


def first_round(root: Path) -> Round:
    attempts = [
        Attempt.make(PROBLEMS[n].id, d, text, "s", token_ids=None, finish_reason="stop")
        for n, texts in SAID.items()
        for d, text in enumerate(texts)
    ]

    def outcome(attempt: Attempt) -> Outcome:
        return "agrees" if attempt.text == RIGHT else "disagrees"

    exercises = [
        Exercise(problem_id=PROBLEMS[n].id, question=PROBLEMS[n].question, reference="7", label="known_answer")
        for n in SAID
    ]
    verdicts = [Verdict(attempt_id=a.id, problem_id=a.problem_id, outcome=outcome(a), by="rules") for a in attempts]
    return Round(
        sealed(root, "practice", exercises=exercises, attempts=attempts), sealed(root, "judge", verdicts=verdicts)
    )


def gated(root: Path) -> Artifact:
    taught = [Lesson.make(PROBLEMS[n], RIGHT, "7", "teacher", verified="gold") for n in NAMES[:3]]
    return sealed(root, "gate", lessons=taught, problems=[*(PROBLEMS[n] for n in NAMES[3:]), CHILD])


def picked(root: Path, **settings: object) -> Artifact:
    told, rounds = PickSettings.model_validate(settings), [first_round(root)]
    given = gated(root)
    return Store(root / "store").stage("pick", 1, told, [], lambda out: pick(out, told, given, rounds))


def test_what_is_too_easy_is_picked_once_with_its_reason(tmp_path: Path) -> None:
    made = picked(tmp_path, which="too_easy")
    (easy,) = made.read(Problem)
    assert "chosen by pick" in rendered(ancestry([gated(tmp_path), made], easy.id))
    assert (easy.id, easy.question, easy.answer) == (PROBLEMS["easy"].id, PROBLEMS["easy"].question, "7")
    assert [c.why for c in made.read(Chosen)] == ["too_easy: 4 of 4 right in an earlier round, aim 0.2 to 0.8"]
    assert [(r.item, r.reason) for r in made.read(Rejected)] == [(PROBLEMS["done"].id, "grown_from_before")]
    assert made.said(PickFacts).places == {
        "aimed": 1,
        "label_contradicted": 1,
        "too_easy": 2,
        "too_hard": 2,
        "unknown": 1,
    }


def test_what_is_too_hard_is_picked_by_its_commonest_mistake(tmp_path: Path) -> None:
    assert {p.id for p in picked(tmp_path / "all", which="too_hard").read(Problem)} == {
        PROBLEMS["hard"].id,
        PROBLEMS["slips"].id,
    }
    made = picked(tmp_path / "slips", which="too_hard", mistakes=["arithmetic slip"])
    assert [p.id for p in made.read(Problem)] == [PROBLEMS["slips"].id]
    assert [(r.item, r.reason, r.detail) for r in made.read(Rejected)] == [
        (PROBLEMS["hard"].id, "other_mistake", "no working")
    ]
    assert made.said(PickFacts).mistakes == {"arithmetic slip": 1, "no working": 1}


def test_only_samples_of_its_own_place_a_problem_whatever_else_an_aim_says(tmp_path: Path) -> None:
    made = picked(tmp_path / "own", which="too_easy", aim={"low": 0.3})
    assert [p.id for p in made.read(Problem)] == [PROBLEMS["easy"].id]
    made = picked(tmp_path / "families", which="too_easy", aim={"families": True})
    assert {p.id for p in made.read(Problem)} == {PROBLEMS["easy"].id, CHILD.id}


def test_what_was_asked_about_something_is_not_asked_about_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To hide the number that its question told is to ask the problem it came from."""
    hard = PROBLEMS["hard"]
    asked = Problem.make(
        hard.question, "ask_me_anything", "t", parents=("seed",), answer="7", answer_from="hidden_number"
    )
    monkeypatch.setitem(PROBLEMS, "hard", asked)
    made = picked(tmp_path, which="too_hard")
    assert [p.id for p in made.read(Problem)] == [PROBLEMS["slips"].id]
    assert (asked.id, "grown_from_before") in [(r.item, r.reason) for r in made.read(Rejected)]


def test_no_more_are_picked_than_wanted(tmp_path: Path) -> None:
    assert picked(tmp_path, which="too_hard", max_problems=1).count("problems") == 1


def test_old_and_new_stand_together_each_once(tmp_path: Path) -> None:
    before = gated(tmp_path)
    now = Lesson.make(PROBLEMS["done"], RIGHT, "7", "teacher")
    taught = sealed(tmp_path, "teach", lessons=[now, *list(before.read(Lesson))[:1]], problems=[])
    made = Store(tmp_path / "store").stage(
        "grown", 1, JoinSettings(), [], lambda out: grown(out, JoinSettings(), before, taught)
    )
    assert [x.problem_id for x in made.read(Lesson)] == [PROBLEMS[n].id for n in ("easy", "middle", "hard", "done")]
    assert [p.id for p in made.read(Problem)] == [
        PROBLEMS["slips"].id,
        PROBLEMS["doubted"].id,
        CHILD.id,
    ]  # `done` is taught now


def test_there_is_something_to_choose_by(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="there is none before"):
        Recipe.model_validate({"name": "r", "iterations": [{"grow": {}}]})
    with pytest.raises(ValidationError, match="there is none before"):
        Recipe.model_validate({"name": "r", "iterations": [{"more_sft": {}}, {"grow": {}}]})


def test_a_run_grows_again_and_practises_on_what_is_new(tmp_path: Path) -> None:
    small = [
        "variants={}",
        "unspoilt=null",
        "base_shown=[]",
        "seeds.sources.0.options.n=20",
        "benchmarks.sources.0.options.n=4",
        "teach.max_problems=30",
        "imitate.train_steps=1",
        "practice.problems=lessons",
        "practice.label=teacher",
        "practice.max_problems=6",
        "practice.max_new_tokens=12",
        "evaluate.max_new_tokens=4",
        "evaluate.samples=1",
        "learn.negative_only=true",
        "iterations=[{}, {grow: {aim: {low: 0.5}}, practice: {seed: 1}}]",
    ]
    recipe = load("classroom", [s for s in small if "train_steps" not in s] + ["imitate.train_steps=1"])
    folder, store = tmp_path / "run", Store(tmp_path / "store")
    with RunFolder(folder) as run:
        run_recipe(recipe, run, store, quiet=True)
        stages = (run.read_json("stages.json") or {})["stages"]
    assert [s["label"] for s in stages] == outline(recipe)
    made = {s["label"]: store.find(*s["artifact"].rsplit("-", 1)) for s in stages}
    assert made["pick 3 hard"].count("problems")
    new = {x.problem_id for x in made["teach 3"].read(Lesson)} - {x.problem_id for x in made["gate"].read(Lesson)}
    assert new & {x.problem_id for x in made["gate 3"].read(Lesson)}
