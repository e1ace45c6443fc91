"""How a run stands: written while it works, read by others, right also where the process died."""

import inspect
import json
import os
import shlex
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import orcamath.measured
import orcamath.outline
import orcamath.recipe
from orcamath.commands.runs import commands_of
from orcamath.errors import CapReached, OrcamathError, TooManyRejects
from orcamath.outline import outline
from orcamath.ports import Silent
from orcamath.recipe_file import load
from orcamath.recipe_settings import Recipe
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import Commands, Keeper, RunState, read_state
from orcamath.store.stage import Stage


def kept(folder: Path) -> Keeper:
    run = RunFolder(folder)
    folder.mkdir(exist_ok=True)
    return Keeper(run, Silent(), Commands.always("orcamath run mine"), ["seeds", "ask"])


def test_what_is_under_way_can_be_read(tmp_path: Path) -> None:
    keeper = kept(tmp_path)
    keeper.stage("ask")
    keeper.begin("ask", 40)
    state = read_state(tmp_path)
    assert state is not None
    assert (state.label, state.what, state.total, state.expected) == ("ask", "ask", 40, ("seeds", "ask"))
    assert state.running
    assert (state._replace(n=10, at=state.what_at + 5).rate_s, state._replace(n=10, at=state.what_at + 5).left_s) == (
        2.0,
        15.0,
    )


class _Until(OrcamathError):
    exit_code = 0


@pytest.mark.parametrize(
    ("raised", "ending"),
    [
        (None, "done"),
        (CapReached("no money"), "stopped"),
        (_Until("there"), "until"),
        (OrcamathError("broken"), "failed"),
        (ZeroDivisionError("1/0"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_how_it_ended_is_kept(tmp_path: Path, raised: BaseException | None, ending: str) -> None:
    keeper = kept(tmp_path)
    with suppress(OrcamathError, ZeroDivisionError, KeyboardInterrupt), keeper.until_end():
        if raised is not None:
            raise raised
    state = read_state(tmp_path)
    assert state is not None
    assert (state.ending, state.running) == (ending, False)
    assert str(raised or "") in state.why
    assert "Interrupt" not in state.why
    assert (ending == "interrupted") == (state.why == "the same command goes on")


@pytest.mark.parametrize(
    ("typed", "cap", "goes_on"),
    [
        ("orcamath run x.yaml --limit 3", "budget.cap_usd", "orcamath run x.yaml --limit 3 --set budget.cap_usd=…"),
        (
            "orcamath run x --set budget.cap_usd=2 --set learn.beta=1 --wait",
            "budget.cap_usd",
            "orcamath run x --set learn.beta=1 --wait --set budget.cap_usd=…",
        ),
        ("orcamath run x --set=budget.cap_usd=2", "budget.cap_usd", "orcamath run x --set budget.cap_usd=…"),
        (
            "orcamath run x --until gate --set budget.cap_usd=2",
            "budget.stages_usd.ask",
            "orcamath run x --until gate --set budget.cap_usd=2 --set budget.stages_usd.ask=…",
        ),
    ],
)
def test_what_goes_on_after_a_cap_names_the_cap_to_raise(tmp_path: Path, typed: str, cap: str, goes_on: str) -> None:
    keeper = Keeper(RunFolder(tmp_path), Silent(), commands_of(shlex.split(typed)), ())
    with suppress(CapReached), keeper.until_end():
        raise CapReached("no money", cap=cap)
    state = read_state(tmp_path)
    assert state is not None
    assert state.command == goes_on


@pytest.mark.parametrize(
    ("typed", "goes_on"),
    [
        ("orcamath run x.yaml --until gate", "orcamath run x.yaml"),
        ("orcamath run x.yaml --until 'practice 2' --limit 3", "orcamath run x.yaml --limit 3"),
        ("orcamath run x.yaml --until=teach", "orcamath run x.yaml"),
        ("orcamath run --until teach --name 'a b'", "orcamath run --name 'a b'"),
        ("orcamath run --until-then x", "orcamath run --until-then x"),
    ],
)
def test_what_goes_on_after_a_stage_that_was_named_does_not_name_it_again(typed: str, goes_on: str) -> None:
    assert commands_of(shlex.split(typed)).past_until == goes_on


@pytest.mark.parametrize(
    ("raised", "command"),
    [
        (_Until("there"), "and on"),
        (CapReached("no money", cap="a"), "other a"),
        (TooManyRejects("nothing left", key="b"), "other b"),
        (TooManyRejects("nothing left"), "again"),
        (OrcamathError("broken"), "again"),
        (KeyboardInterrupt(), "again"),
        (None, "again"),
    ],
)
def test_what_goes_on_follows_from_how_it_ended(tmp_path: Path, raised: BaseException | None, command: str) -> None:
    commands = Commands("again", "and on", "read", lambda key: f"other {key}")
    keeper = Keeper(RunFolder(tmp_path), Silent(), commands, ())
    with suppress(OrcamathError, KeyboardInterrupt), keeper.until_end():
        if raised is not None:
            raise raised
    state = read_state(tmp_path)
    assert state is not None
    assert state.command == command


KEY, WHO = "sk" + "-abcdefghijklmnop1234", ":".join(("me", "mine"))
"""Put together here, so that none is written out."""


def test_why_it_ended_repeats_no_key(tmp_path: Path) -> None:
    with suppress(OrcamathError), kept(tmp_path).until_end():
        raise OrcamathError(f"`own.py`, line 3: no user {KEY} at https://{WHO}@host/v1")
    state = read_state(tmp_path)
    assert state is not None
    assert state.why == "`own.py`, line 3: no user *** at https://***@host/v1"


def test_a_process_that_died_is_not_running(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    state = RunState(gone.pid, socket.gethostname(), 0.0, "orcamath run x")
    assert not state.running


def test_a_number_given_to_another_process_is_not_running() -> None:
    assert not RunState(os.getpid(), socket.gethostname(), 1.0, "orcamath run x").running  # began in 1970


WHOLE = {"process": 1, "host": socket.gethostname(), "began_at": 1.0, "command": "c"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"process": "x"}',
        json.dumps({"surprise": 1}),
        *(
            json.dumps(WHOLE | wrong)
            for wrong in ({"process": "x"}, {"process": 0}, {"process": -1}, {"began_at": "x"}, {"at": None}, {"n": []})
        ),
    ],
)
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    assert read_state(tmp_path) is None
    assert read_state(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("overrides", "some"),
    [
        (
            [],
            [
                "benchmarks",
                "seeds",
                "ask",
                "edit",
                "collect",
                "teach",
                "gate",
                "unseen",
                "evaluate base 0",
                "imitate",
                "evaluate M1",
            ],
        ),
        (["ask_me_anything=null"], ["benchmarks", "seeds", "edit", "collect", "teach"]),
        (
            ["suggester_editor=null", "as_they_are={sources: [{name: dmath}]}"],
            ["benchmarks", "seeds", "ask", "seeds as they are", "collect", "teach"],
        ),
    ],
)
def test_outline_follows_the_recipe(overrides: list[str], some: list[str]) -> None:
    recipe = load("classroom", overrides)
    assert isinstance(recipe, Recipe)
    assert outline(recipe)[: len(some)] == some


def test_every_stage_that_the_recipe_names_is_in_the_outline() -> None:
    told_of = [*vars(orcamath.recipe).values(), *vars(orcamath.measured).values()]
    named = {s.name for s in told_of if isinstance(s, Stage)}
    assert {"gate", "practice", "learn", "evaluate", "readiness"} <= named
    told = inspect.getsource(orcamath.outline)
    assert {name for name in named if name not in told} == set()
