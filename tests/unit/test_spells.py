"""As many samples as needed: who is sampled again, what is put together, what a sample weighs, what a rate is made of."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from orcamath.commands.models import pose_as_chat
from orcamath.difficulty import Rate, settled, standings
from orcamath.errors import WireDown
from orcamath.judges.rules import make as rules
from orcamath.judges.settings import JudgeSettings
from orcamath.outline import outline
from orcamath.plan.ranges import Range
from orcamath.plan.training import Lengths, training_plans
from orcamath.ports import Request
from orcamath.preferences import Judged
from orcamath.recipe_file import load
from orcamath.recipe_settings import Recipe
from orcamath.records import Attempt, Exercise, Outcome, Preference, Problem, Verdict
from orcamath.report.fold import fold
from orcamath.report.page import render_page
from orcamath.running import run_recipe
from orcamath.stages.aiming import Round
from orcamath.stages.judge import JudgeFacts, judge
from orcamath.stages.practice import PracticeFacts, PracticeSettings, practise
from orcamath.stages.preferences import PreferSettings, prefer
from orcamath.stages.spells import judged_together, practise_more, practised_together
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.facts import Facts
from orcamath.store.ledger import Ledger, Remembered
from orcamath.store.run_folder import RunFolder
from orcamath.student.encode import Encoder
from orcamath.student.groups import Group, encode_group
from scripted import Scripted, sealed, user_text
from tiny_student import tiny_tokenizer

SIGN: dict[str, Outcome] = {"+": "agrees", "-": "disagrees", "?": "unjudged"}
# what each problem's draws come to: right is 7
DRAWS = {"soon": "+-++++++", "late": "++++-+++", "always": "++++++++", "never": "--------"}
PROBLEMS = {
    name: Problem.make(f"Tom has {name} apples", "seed", "t", answer="7").model_copy(update={"confirmed": True})
    for name in DRAWS
}


def says(request: Request) -> str | None:
    name = user_text(request).split()[2]
    return f"So {request.draw} . #### {7 if DRAWS[name][request.draw] == '+' else 9}"


SETTINGS = PracticeSettings.model_validate(
    {"problems": "fresh", "label": "known_answer", "samples": 2, "until": {"more": 2, "alike": 6}}
)


class Spelled:
    """Spells run one after the other, as the recipe has them."""

    def __init__(self, root: Path, say: Callable[[Request], str | None] = says) -> None:
        self.root, self.store, self.chat = root, Store(root / "store"), Scripted(say)
        self.student = Remembered(self.chat, Ledger(root / "ledger"))
        self.gated = sealed(root, "gate", problems=list(PROBLEMS.values()))
        self.spells: list[Round] = []

    def make(self, name: str, run: Callable[[Output], Facts]) -> Artifact:
        return self.store.stage(name, 1, None, [str(len(self.spells))], run)

    def all(self) -> Round:
        for _ in range(SETTINGS.n_spells):
            before = tuple(self.spells)
            practised = self.make(
                "practice",
                lambda out, before=before: (
                    practise_more(out, SETTINGS, before, self.student, pose_as_chat)
                    if before
                    else practise(out, SETTINGS, self.gated, self.student, pose_as_chat)
                ),
            )
            verdicts = self.make("judge", lambda out, made=practised: judge(out, JudgeSettings(), made, rules()))
            self.spells.append(Round(practised, verdicts))
        together = self.make("together", lambda out: practised_together(out, SETTINGS, self.spells))
        return Round(
            together, self.make("verdicts", lambda out: judged_together(out, JudgeSettings(), together, self.spells))
        )


@pytest.mark.parametrize(
    ("said", "done"),
    [("+-", True), ("++", False), ("--", False), ("+?", False), ("?-+", True), ("++++++", True), ("", False)],
)
def test_when_a_problem_is_settled(said: str, done: bool) -> None:
    judged = [
        Judged(Attempt.make("p", i, "x", "s", token_ids=None, finish_reason="stop"), SIGN[c])
        for i, c in enumerate(said)
    ]
    assert settled(judged, 6) is done


def test_only_what_is_alike_is_sampled_again(tmp_path: Path) -> None:
    run = Spelled(tmp_path)
    whole = run.all()
    assert SETTINGS.n_spells == 3
    asked = {name: sorted(r.draw for r in run.chat.asked if name in user_text(r)) for name in DRAWS}
    assert asked == {
        "soon": [0, 1],
        "late": [0, 1, 2, 3, 4, 5],
        "always": [0, 1, 2, 3, 4, 5],
        "never": [0, 1, 2, 3, 4, 5],
    }
    assert [s.practised.count("exercises") for s in run.spells] == [4, 3, 3]
    rows = {e.question.split()[2]: [j.outcome for j in judged] for e, judged in whole.rows()}
    assert rows == {name: [SIGN[c] for c in DRAWS[name][: 2 if name == "soon" else 6]] for name in DRAWS}
    assert [(a.problem_id, a.draw) for a in whole.practised.read(Attempt)] == [
        (PROBLEMS[name].id, d) for name in DRAWS for d in asked[name]
    ]
    facts = whole.practised.said(PracticeFacts)
    assert (facts.first_samples, facts.n_drawn, facts.n_at_most, facts.n_mixed) == (2, 20, 24, 2)
    assert whole.verdicts.said(JudgeFacts).outcomes == {"agrees": 12, "disagrees": 8}
    assert whole.practised.balance["kept"] == whole.verdicts.balance["kept"] == 20


def test_a_spell_that_was_broken_off_asks_the_same_again(tmp_path: Path) -> None:
    down = Spelled(tmp_path, lambda r: None if r.draw == 3 else says(r))
    with pytest.raises(WireDown):
        down.all()
    again = Spelled(tmp_path)
    assert list(again.all().verdicts.read(Verdict)) == list(Spelled(tmp_path / "whole").all().verdicts.read(Verdict))
    assert {r.draw for r in again.chat.asked} == {3, 4, 5}  # what had come through is remembered


def test_a_rate_is_of_the_first_samples_alone(tmp_path: Path) -> None:
    whole = Spelled(tmp_path).all()
    rates = {name: standings([whole.fair()])[p.id].rate for name, p in PROBLEMS.items()}
    assert rates == {"soon": Rate(1, 2), "late": Rate(2, 2), "always": Rate(2, 2), "never": Rate(0, 2)}


def test_a_sample_weighs_less_where_its_problem_had_more(tmp_path: Path) -> None:
    whole = Spelled(tmp_path).all()
    settings = PreferSettings(synthetic_negatives=0)
    made = Store(tmp_path / "p").stage("preferences", 1, None, [], lambda out: prefer(out, settings, *whole))
    by_id = {p.problem_id: p for p in made.read(Preference)}
    inclusion = {
        n: {r.inclusion for r in (*by_id[p.id].positives, *by_id[p.id].negatives)} for n, p in PROBLEMS.items()
    }
    assert inclusion == {"soon": {1.0}, "late": {2 / 6}, "always": {2 / 6}, "never": {2 / 6}}
    encoder = Encoder(tiny_tokenizer())
    late, soon = (encode_group(by_id[PROBLEMS[n].id], encoder) for n in ("late", "soon"))
    assert isinstance(late, Group)
    assert isinstance(soon, Group)
    assert set(late.weights) == {2 / 6}
    assert sum(late.weights) == pytest.approx(sum(soon.weights))  # six samples of one problem weigh as two of another
    assert [x for _, _, x in late.pairs] == pytest.approx([(2 / 6) ** 2] * len(late.pairs))
    assert {x for _, _, x in soon.pairs} == {1.0}


def test_limits_and_digests() -> None:
    for more, says in (
        ({"until": {"alike": 4}}, r"until\.alike: 4 is no more than samples: 4"),
        ({"until": {}, "temperature": 0}, "until needs a temperature above 0"),
    ):
        with pytest.raises(ValidationError, match=says):
            PracticeSettings.model_validate({"samples": 4, **more})
    assert "until" not in PracticeSettings().identity()
    assert [
        PracticeSettings.model_validate({"samples": 4, "until": {"more": m, "alike": 16}}).n_spells for m in (4, 5, 12)
    ] == [4, 4, 2]


def test_the_plan_counts_with_the_most_that_may_be_needed() -> None:
    told = {"name": "r", "iterations": [{"practice": {"samples": 2, "until": {"more": 2, "alike": 6}}}]}
    recipe = Recipe.model_validate(told)
    lengths = Lengths(Range(10, 10), Range(0, 0), Range(5, 5), Range(7, 7))
    rows = {r.stage: r for r in training_plans("", recipe, lengths, None, 312.0, set(), "d")}
    assert rows["practice 2"].tokens == Range(10 * 2 * 7, 10 * 6 * 7)


def test_a_run_in_spells_ends_like_any_other(tmp_path: Path) -> None:
    small = [
        "variants={}",
        "unspoilt=null",
        "base_shown=[]",
        "seeds.sources.0.options.n=20",
        "benchmarks.sources.0.options.n=4",
        "teach.max_problems=10",
        "imitate.train_steps=1",
        "evaluate.max_new_tokens=4",
        "evaluate.samples=1",
        "practice.max_problems=4",
        "practice.max_new_tokens=8",
        "practice.samples=2",
        "practice.until={more: 1, alike: 4}",
        "learn.negative_only=true",
        "iterations=[{}]",
    ]
    recipe, store = load("classroom", small), Store(tmp_path / "store")
    with RunFolder(tmp_path / "runs" / "r") as run:
        run_recipe(recipe, run, store, quiet=True)
        stages = (run.read_json("stages.json") or {})["stages"]
    assert [s["label"] for s in stages] == outline(recipe)
    assert {"practice 2.3", "judge 2.3", "practice 2"} <= set(outline(recipe))
    shown = render_page(fold(tmp_path / "runs" / "r", store))
    assert "As many samples as needed" in shown


def test_exercises_are_those_of_the_first_spell(tmp_path: Path) -> None:
    assert [e.question for e in Spelled(tmp_path).all().practised.read(Exercise)] == [
        p.question for p in PROBLEMS.values()
    ]
