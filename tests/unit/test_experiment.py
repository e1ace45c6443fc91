"""Arms in processes of their own: controls after what they are matched to, tokens handed on, errors that come through."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from pathlib import Path
from threading import Thread

import pytest

from arm_runner import Late, Runner, ran
from orcamath.errors import Stopped
from orcamath.experiment import TO_M1, Arm, first_students_own, matched, run_arms
from orcamath.recipe_settings import Iteration, Recipe
from orcamath.settings import ModelSettings
from orcamath.student.settings import LearnSettings, SftSettings

MORE = Iteration(more_sft=SftSettings(epochs=2))


def arm(name: str, *steps: Iteration, match: str | None = None) -> Recipe:
    return Recipe(name=name, iterations=steps, match_tokens_of=match)


def test_a_control_sees_the_other_arms_tokens_iteration_by_iteration() -> None:
    control = matched(arm("control", MORE, Iteration(), MORE, match="kto"), (500, 70, 60, 50))
    first, practised, last = control.iterations
    assert first.more_sft == SftSettings(
        epochs=2, train_tokens=70
    )  # the tokens of iteration 1 are shared and not matched
    assert practised == Iteration()
    assert last.more_sft == SftSettings(epochs=2, train_tokens=50)


def test_a_control_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        matched(arm("control", MORE, MORE), (500, 70))


def test_controls_run_after_what_they_are_matched_to_and_with_its_tokens(tmp_path: Path) -> None:
    recipes = {
        "control": arm("control", MORE, MORE, match="kto"),
        "kto": arm("kto", Iteration(), Iteration()),
        "dpo": arm("dpo", Iteration()),
    }
    tokens = {"kto": (500, 70, 60), "control": (500, 71, 59), "dpo": (500, 40)}
    done = list(run_arms(recipes, Runner(tmp_path, tokens), workers=2))
    assert {a.name: a.tokens for a in done} == tokens
    names = [a.name for a in done]
    assert names.index("kto") < names.index("control")
    assert ran(tmp_path).index("end kto") < ran(tmp_path).index("begin control")
    control = next(a for a in done if a.name == "control")
    assert control == Arm("control", matched(recipes["control"], tokens["kto"]), tokens["control"])
    assert (tmp_path / "control.tokens").read_text() == "[70, 60]"  # what its own process was given


def test_one_at_a_time_keeps_the_recipes_order(tmp_path: Path) -> None:
    recipes = {name: arm(name) for name in ("b", "a")}
    assert [a.name for a in run_arms(recipes, Runner(tmp_path, {"a": (1,), "b": (2,)}), workers=1)] == ["b", "a"]
    assert ran(tmp_path) == ["begin b", "end b", "begin a", "end a"]


def test_an_error_in_one_arm_comes_through_and_starts_no_other(tmp_path: Path) -> None:
    recipes = {name: arm(name) for name in ("bad", "later")}
    with pytest.raises(Stopped, match="the disk is full"):
        list(run_arms(recipes, Runner(tmp_path, {"later": (1,)}, fails="bad"), workers=1))
    assert ran(tmp_path) == ["begin bad"]


def test_an_error_in_one_arm_lets_the_running_end(tmp_path: Path) -> None:
    recipes = {name: arm(name) for name in ("bad", "slow")}
    with pytest.raises(Stopped, match="the disk is full"):
        list(run_arms(recipes, Runner(tmp_path, {"slow": (1,)}, fails="bad", waits="slow"), workers=2))
    assert ran(tmp_path)[-1] == "end slow"


def test_an_arm_whose_process_is_killed_ends_the_run_resumably(tmp_path: Path) -> None:
    recipes = {name: arm(name) for name in ("killed", "later")}
    with pytest.raises(Stopped, match=r"killed.*at work were `killed`.*`workers`"):
        list(run_arms(recipes, Runner(tmp_path, {"later": (1,)}, dies="killed"), workers=1))


@contextmanager
def interrupted_after(folder: Path, *lines: str) -> Iterator[None]:
    """Interrupt this process, and no other, each time the next of these lines was noted; of `a, b` both."""

    def watch() -> None:
        for line in lines:
            while not {*line.split(", ")} <= {*(ran(folder) if (folder / "log").exists() else ())}:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        watcher.join()


def test_an_interrupt_of_the_run_interrupts_its_arms(tmp_path: Path) -> None:
    recipes = {name: arm(name) for name in ("quick", "slow", "later")}
    runner = Runner(tmp_path, {"quick": (1,), "later": (1,)}, waits="slow")
    with interrupted_after(tmp_path, "begin slow"):
        list(run_arms(recipes, runner, workers=2))
    assert "end slow" not in ran(tmp_path)
    assert not active_children()


def test_an_interrupt_is_heard_by_an_arm_whose_work_is_still_unpacked(tmp_path: Path) -> None:
    with interrupted_after(tmp_path, "unpack"):
        list(run_arms({"late": arm("late")}, Late(tmp_path, {"late": (1,)}), workers=1))
    assert ran(tmp_path) == ["unpack"]
    assert not active_children()


def test_a_second_interrupt_waits_for_nobody(tmp_path: Path) -> None:
    with interrupted_after(tmp_path, "begin deaf", "heard deaf"):
        list(run_arms({"deaf": arm("deaf")}, Runner(tmp_path, {}, deaf="deaf"), workers=1))
    assert ran(tmp_path) == ["begin deaf", "heard deaf"]
    assert not active_children()


def test_an_interrupt_is_heard_while_an_error_lets_the_others_end(tmp_path: Path) -> None:
    recipes = {name: arm(name) for name in ("deaf", "bad")}
    with interrupted_after(tmp_path, "begin bad, begin deaf", "heard deaf"):
        list(run_arms(recipes, Runner(tmp_path, {}, fails="bad", deaf="deaf"), workers=2))
    assert not active_children()


def test_arms_that_would_wait_for_a_running_ones_first_student_let_others_go_first(tmp_path: Path) -> None:
    first, second = (
        {name: arm(name).model_copy(update={"imitate": SftSettings(seed=seed)}) for name in names}
        for seed, names in ((1, ("a1", "b1")), (2, ("a2", "b2")))
    )
    tokens = dict.fromkeys([*first, *second], (1,))
    arms = run_arms(first | second, Runner(tmp_path, tokens, waits="a1"), workers=2)
    assert next(arms).name == "a2"
    (tmp_path / "failed").open("w").close()  # lets `a1` end
    assert sorted(a.name for a in arms) == ["a1", "b1", "b2"]


def test_no_arms_is_no_work(tmp_path: Path) -> None:
    assert list(run_arms({}, Runner(tmp_path, {}), workers=2)) == []


def test_arms_that_may_run_beside_the_base_leave_it_a_worker(tmp_path: Path) -> None:
    """The base waits for its pipe until the arm beside it has begun, and is noted when it is done."""
    recipes = {name: arm(name) for name in ("later", "own", "own too")}
    runner = Runner(tmp_path, {"later": (1,), "own": (2,), "own too": (3,)}, waits="own")

    def base() -> None:
        (tmp_path / "failed").open("w").close()  # opens when `own` waits on the other side
        runner.note("base")

    done = list(run_arms(recipes, runner, workers=2, base=base, beside=lambda r: r.name.startswith("own")))
    assert sorted(a.name for a in done) == ["later", "own", "own too"]
    noted = ran(tmp_path)
    assert noted[0] == "begin own"
    assert noted.index("base") < noted.index("begin later")
    assert noted.index("base") < noted.index("begin own too")


def test_with_one_worker_nothing_runs_beside_the_base(tmp_path: Path) -> None:
    runner = Runner(tmp_path, {"own": (2,)})
    list(run_arms({"own": arm("own")}, runner, 1, base=lambda: runner.note("base"), beside=lambda _: True))
    assert ran(tmp_path) == ["base", "begin own", "end own"]


@pytest.mark.parametrize(
    ("change", "own"),
    [
        ({"teacher": ModelSettings(backend="textbook", options={"terse": 0})}, True),
        ({"imitate": SftSettings(seed=1)}, True),
        ({"learn": LearnSettings(loss="dpo"), "iterations": (Iteration(),), "name": "dpo"}, False),
        ({"iterations": (MORE,), "match_tokens_of": "kto"}, False),
    ],
)
def test_an_arm_has_its_own_first_student_where_anything_that_makes_it_differs(
    change: dict[str, object], own: bool
) -> None:
    base = Recipe(name="base")
    assert first_students_own(base.model_copy(update=change), base) is own


def test_every_section_of_a_recipe_is_before_the_first_student_or_after_it() -> None:
    """A section that is added to the recipe has to be put on one of the sides."""
    after = {
        "name",
        "budget",
        "unseen",
        "base_shown",
        "readiness",
        "practice",
        "judge",
        "judge_model",
        "reask",
        "preferences",
        "learn",
        "iterations",
        "reference",
        "evaluate",
        "match_tokens_of",
        "trackers",
    }
    outside = {
        name for name, field in Recipe.model_fields.items() if (field.json_schema_extra or {}).get("outside_digest")
    }
    assert set(Recipe.model_fields) - outside - after == set(TO_M1)
