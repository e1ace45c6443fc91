"""A ladder of teachers: the cheapest solves, verification decides, what fails goes up; the plan forecasts, the report counts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orcamath.assemble import Assembled, size_of
from orcamath.checks.whole import check
from orcamath.errors import WireDown
from orcamath.plan import Plan, Range, plan
from orcamath.ports import Request, Silent
from orcamath.recipe_settings import Recipe
from orcamath.records import Lesson, Problem, Rejected
from orcamath.report.fold import fold
from orcamath.report.ladder import ladder
from orcamath.report.page import render_page
from orcamath.running import run_recipe
from orcamath.stages.ladder import teach_by_ladder
from orcamath.stages.teach import RungFacts, TeachFacts, TeachSettings
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.names import arm_folder
from orcamath.store.run_folder import RunFolder
from orcamath.verify import VerifySettings
from orcamath.workshop import UntilReached
from scripted import Bench, Scripted, seed, user_text

GOLD = seed("Ann has 3 pens and buys 4. How many pens has she?", "7")
OPEN = Problem.make("Ann has 3 pens, buys 4, loses 2. How many has she?", "suggester_editor", "test")
OTHER = Problem.make("Ben has 9 nuts and eats 2. How many nuts?", "suggester_editor", "test")
Say = Callable[[Request], str | None]


def answers(**said: str | None) -> Say:
    """Answer by a word of the question."""
    return lambda request: next((a for word, a in said.items() if word in user_text(request)), "#### 0")


class Rungs:
    """Teachers on a ladder, over one ledger."""

    def __init__(self, tmp_path: Path, *say: Say) -> None:
        self.bench = Bench(tmp_path)
        self.chats = [Scripted(s) for s in say]
        for i, chat in enumerate(self.chats, start=1):
            chat.fingerprint = f"rung {i}"
        self.models = [self.bench.model(chat) for chat in self.chats]

    def teach(self, *problems: Problem, **settings: object) -> Artifact:
        table = self.bench.table(problems)
        told = TeachSettings.model_validate(settings)
        return self.bench.run(lambda out: teach_by_ladder(out, told, table, self.models))

    def asked(self) -> list[int]:
        return [len(chat.asked) for chat in self.chats]


def test_what_a_cheap_teacher_gets_right_goes_no_further(tmp_path: Path) -> None:
    rungs = Rungs(tmp_path, answers(buys="3 + 4 = 7\n#### 7"), answers(buys="never"))
    made = rungs.teach(GOLD)
    (lesson,) = made.read(Lesson)
    assert (lesson.teacher, lesson.final_answer, lesson.verified) == ("rung 1", "7", "gold")
    assert rungs.asked() == [1, 0]
    first, second = made.said(TeachFacts).rungs
    assert (first.problems, first.calls, first.lessons, first.verified) == (1, 1, 1, 1)
    assert (second.problems, second.calls, second.model) == (0, 0, "rung 2")


def test_what_fails_goes_up_and_is_booked(tmp_path: Path) -> None:
    rungs = Rungs(tmp_path, answers(buys="#### 8"), answers(buys="who knows"), answers(buys="#### 7"))
    made = rungs.teach(GOLD)
    assert [(x.teacher, x.verified) for x in made.read(Lesson)] == [("rung 3", "gold")]
    assert {(r.reason, r.text) for r in made.read(Rejected)} == {
        ("goes_up", "#### 8"),
        ("no_final_answer", "who knows"),
    }
    assert rungs.asked() == [1, 1, 1]
    assert [r.problems for r in made.said(TeachFacts).rungs] == [1, 1, 1]
    assert made.said(TeachFacts).checks == {"gold_agrees": 1}  # of the lessons that stayed
    assert made.balance["asked"] == made.balance["parsed"] + made.balance["failed"] == 3


def test_without_a_known_answer_two_rungs_that_agree_vouch_for_each_other(tmp_path: Path) -> None:
    rungs = Rungs(
        tmp_path, answers(loses="#### 5", eats="#### 6"), answers(loses="#### 5", eats="#### 7"), answers(eats="#### 7")
    )
    made = rungs.teach(OPEN, OTHER)
    found = {x.problem_id: (x.teacher, x.verified, x.final_answer) for x in made.read(Lesson)}
    assert found == {
        OPEN.id: ("rung 2", "agreement", "5"),
        OTHER.id: ("rung 3", "unverified", "7"),
    }  # two of three are not 0.75
    assert rungs.asked() == [2, 2, 1]
    share = Rungs(tmp_path / "again", answers(eats="#### 6"), answers(eats="#### 7"), answers(eats="#### 7"))
    (lesson,) = share.teach(OTHER, verify={"agreement_share": 0.6}).read(Lesson)
    assert lesson.verified == "agreement"


def test_lower_rungs_that_err_alike_do_not_outvote_a_known_answer(tmp_path: Path) -> None:
    wrong = answers(buys="#### 8")
    (lesson,) = Rungs(tmp_path, wrong, wrong, answers(buys="#### 7")).teach(GOLD).read(Lesson)
    assert (lesson.teacher, lesson.verified) == ("rung 3", "gold")


def test_lessons_come_in_the_problems_order_and_the_last_rung_drops_by_its_rules(tmp_path: Path) -> None:
    rungs = Rungs(
        tmp_path, answers(buys="#### 7", eats="#### 1"), answers(loses="#### 5", eats="#### 7", pens="#### 9")
    )
    problems = [OTHER, GOLD, OPEN, seed("Cy has 2 pens. How many pens?", "2")]
    made = rungs.teach(*problems, verify=VerifySettings(gold="drop").model_dump())
    assert [x.problem_id for x in made.read(Lesson)] == [p.id for p in problems[:3]]
    assert ("disagrees_with_gold", problems[3].id) in {(r.reason, r.item) for r in made.read(Rejected)}


def test_several_solutions_of_a_cheap_rung_may_agree_by_themselves(tmp_path: Path) -> None:
    rungs = Rungs(tmp_path, lambda request: f"Way {request.draw}.\n#### 7", answers())
    made = rungs.teach(OTHER, solutions=3, temperature=0.7)
    assert [x.verified for x in made.read(Lesson)] == ["agreement"] * 3
    assert rungs.asked() == [3, 0]


def test_a_solution_beside_a_confirmed_one_goes_nowhere_for_its_own_reason(tmp_path: Path) -> None:
    rungs = Rungs(tmp_path, lambda request: f"Way {request.draw}.\n#### {8 if request.draw == 2 else 7}", answers())
    made = rungs.teach(GOLD, solutions=3, temperature=0.7)
    assert [(x.draw, x.verified) for x in made.read(Lesson)] == [(0, "gold"), (1, "gold")]
    assert [(r.reason, r.detail) for r in made.read(Rejected)] == [("disagrees_with_gold", "teacher 8, known 7")]
    facts = made.said(TeachFacts)
    assert (facts.checks, facts.disagreeing) == ({"gold_agrees": 2, "gold_disagrees": 1}, (GOLD.id,))
    assert rungs.asked() == [3, 0]


def test_a_call_that_never_came_through_does_not_go_up(tmp_path: Path) -> None:
    rungs = Rungs(tmp_path, answers(buys=None), answers(buys="#### 7"))
    with pytest.raises(WireDown):
        rungs.teach(GOLD)
    assert rungs.asked() == [1, 0]


def test_nor_does_a_second_try_that_never_came_through(tmp_path: Path) -> None:
    rungs = Rungs(tmp_path, lambda request: None if request.draw else "who knows", answers(buys="#### 7"))
    with pytest.raises(WireDown):
        rungs.teach(GOLD, tries=2, temperature=0.7)
    assert rungs.asked() == [2, 0]


def test_a_problem_of_which_one_solution_came_is_asked_for_the_other_by_the_next_run(tmp_path: Path) -> None:
    down = [True]
    rungs = Rungs(
        tmp_path, lambda request: None if request.draw and down[0] else "#### 8", answers(buys="#### 7", loses="#### 5")
    )
    for _ in range(2):
        with pytest.raises(WireDown):
            rungs.teach(GOLD, OPEN, solutions=2, temperature=0.7)
    down.clear()
    down.append(False)
    made = rungs.teach(GOLD, OPEN, solutions=2, temperature=0.7)
    assert {(x.problem_id, x.teacher) for x in made.read(Lesson)} == {(GOLD.id, "rung 2"), (OPEN.id, "rung 1")}
    assert made.balance["asked"] == made.balance["parsed"] + made.balance["failed"] == 6


def test_solutions_that_cannot_be_read_agree_with_nobody(tmp_path: Path) -> None:
    half = Rungs(tmp_path, lambda r: "#### 5" if r.draw % 2 else "I cannot", answers(loses="#### 6"))
    made = half.teach(OPEN, solutions=4, temperature=0.7)
    assert {x.teacher for x in made.read(Lesson)} == {"rung 2"}


CHEAP = {"backend": "textbook", "options": {"seed": 1, "careless": {"draw": 0.5}, "price": [1, 2]}}
DEAR = {"backend": "textbook", "options": {"price": [100, 200]}}


def recipe(**more: object) -> Recipe:
    told = {
        "name": "r",
        "seeds": {"sources": [{"name": "classroom", "options": {"n": 60}}]},
        "ask_me_anything": None,
        "benchmarks": {"sources": [{"name": "classroom", "split": "dev", "options": {"n": 10}}]},
        "suggester_editor": None,
        "ladder": [CHEAP],
        "teacher": DEAR,
    }
    return Recipe.model_validate(told | more)


def planned(r: Recipe, root: Path) -> Plan:
    store = Store(root)
    tools = Assembled(store)
    try:
        return plan(r, store, tools, size_of, Silent())
    finally:
        tools.close()


def test_the_plan_forecasts_each_rung_and_the_dear_teacher_alone(tmp_path: Path) -> None:
    found = planned(recipe(), tmp_path)
    first, second = found.stages
    assert (first.stage, first.calls, second.stage) == ("teach 1", Range(60, 60), "teach 2")
    assert second.calls == Range(60 * 0.05, 60 * 0.7)
    (alone,) = found.alone
    assert alone.calls == Range(60, 60)
    assert found.usd.high < alone.usd.high
    assert alone.usd.high / first.usd.high == pytest.approx(
        100, rel=1e-3
    )  # the same calls at a hundred times the price
    with RunFolder(tmp_path / "run") as folder, pytest.raises(UntilReached):
        run_recipe(recipe(), folder, Store(tmp_path), until="teach", quiet=True)
    first, second = planned(recipe(), tmp_path).stages
    assert first.remembered == 60
    assert 15 < second.remembered < 45  # about half of the sums are off
    assert (first.to_pay, second.to_pay) == (Range(0, 0), Range(0, 0))
    more = recipe(seeds={"sources": [{"name": "classroom", "options": {"n": 120}}]})
    share = second.remembered / 60
    second = planned(more, tmp_path).stages[1]
    assert second.to_pay == pytest.approx((60 * share * 0.85, 60 * share * 1.15))  # what was seen on the first sixty


def test_the_report_shows_what_a_verified_lesson_cost(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "runs" / "r") as folder, pytest.raises(UntilReached):
        run_recipe(recipe(), folder, Store(tmp_path), until="teach", quiet=True)
    results = fold(tmp_path / "runs" / "r", Store(tmp_path))
    ((stage, (cheap, dear, whole, alone)),) = results.ladders
    assert stage == "teach"
    assert (cheap.problems, whole.problems, alone.problems) == (60, 60, 60)
    assert cheap.verified + dear.verified == whole.verified == 60
    assert dear.problems == 60 - cheap.verified
    assert cheap.usd_each is not None
    assert dear.usd_each is not None
    assert whole.usd_each is not None
    assert alone.usd_each is not None
    assert cheap.usd_each < whole.usd_each < alone.usd_each
    assert "What a verified lesson cost" in render_page(results)


def test_an_arm_whose_teachers_are_others_has_a_ladder_of_its_own(tmp_path: Path) -> None:
    careful = {**CHEAP, "options": {"seed": 1, "careless": {"draw": 0.1}, "price": [3, 6]}}
    arms = {"careful": {"ladder": [careful]}, "the same": {"learn": {"beta": 0.2}}}
    folder = tmp_path / "runs" / "r"
    recipes = {folder: recipe(variants=arms)}
    recipes |= {folder / "arms" / arm_folder(name): recipe(name=name, **more) for name, more in arms.items()}
    for place, told in recipes.items():
        with RunFolder(place) as one, pytest.raises(UntilReached):
            run_recipe(told, one, Store(tmp_path), until="teach", quiet=True)
    results = fold(folder, Store(tmp_path))
    base, own = results.ladders
    assert (base.stage, own.stage) == ("teach", "careful: teach")
    assert own.rows[0].verified > base.rows[0].verified
    assert own.rows[0].usd == pytest.approx(3 * (base.rows[0].usd or 0.0), rel=0.1)
    assert "What a verified lesson cost, careful: teach" in render_page(results)


def test_dollars_by_hand_and_a_price_that_nobody_knows() -> None:
    rungs = [
        RungFacts(
            model="a", problems=10, calls=10, prompt_tokens=1_000_000, completion_tokens=500_000, lessons=6, verified=6
        ),
        RungFacts(
            model="b", problems=4, calls=4, prompt_tokens=100_000, completion_tokens=100_000, lessons=4, verified=2
        ),
    ]
    told = {
        "ladder": [{"backend": "textbook", "options": {"price": [1, 2]}}],
        "teacher": {"backend": "textbook", "options": {"price": [10, 20]}},
    }
    first, second, whole, alone = ladder(told, rungs)
    assert [first.usd, second.usd, whole.usd, alone.usd] == pytest.approx([2.0, 3.0, 5.0, 7.5])
    assert [r.usd_each for r in (first, second, whole, alone)] == pytest.approx([1 / 3, 1.5, 5 / 8, 7.5 / 8])
    told["ladder"] = [{"model": "nobody-knows", "base_url": "https://models.example.com/v1"}]
    first, _, whole, _ = ladder(told, rungs)
    assert first.usd is whole.usd is whole.usd_each is None
    assert ladder(told, []) == []


def test_a_rung_that_costs_more_than_the_next_is_said_before_anything_is_paid(tmp_path: Path) -> None:
    upside_down = recipe(ladder=[DEAR], teacher=CHEAP)
    assert any(
        "put the cheaper first" in trouble
        for trouble in map(str, check(upside_down, tmp_path, everything=False).troubles)
    )
    assert not check(recipe(), tmp_path, everything=False).troubles
