"""The writer's size: what it sets in a recipe, how two calls ask, and how a pilot of 20 calls finds it."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orcamath.agents.ask_me_anything import AskSettings
from orcamath.agents.pilot import SEEDS, pilot
from orcamath.agents.writer_size import SIZES
from orcamath.cli import main
from orcamath.ports import Request
from orcamath.recipe_file import arms, dump, load
from orcamath.recipe_settings import Recipe
from orcamath.records import Problem
from orcamath.stages.ask import ask
from orcamath.testing import Call, serve
from scripted import Bench, Scripted, seed, user_text


def ways(recipe: Recipe) -> tuple[str | None, bool | None, str | None]:
    """Return how the agents ask: calls, ideas, what the editor writes; None where an agent is off."""
    asking, editing = recipe.ask_me_anything, recipe.suggester_editor
    return (
        asking and asking.calls,
        editing and editing.suggester.ideas,
        editing and editing.editor.writes,
    )


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, ("one", False, "whole")),
        ({"writer_size": "large"}, ("one", False, "whole")),
        ({"writer_size": "medium"}, ("two", False, "whole")),
        ({"writer_size": "small"}, ("each", True, "added")),
        ({"writer_size": "small", "ask_me_anything": {"tries": 3}}, ("each", True, "added")),
        ({"writer_size": "small", "ask_me_anything": {"calls": "one"}}, ("one", True, "added")),
        ({"writer_size": "small", "suggester_editor": {"editor": {"writes": "whole"}}}, ("each", True, "whole")),
        ({"writer_size": "small", "suggester_editor": None}, ("each", None, None)),
        ({"writer_size": "small", "ask_me_anything": None}, (None, True, "added")),
    ],
)
def test_a_size_sets_what_the_recipe_leaves_out(said: dict, found: tuple) -> None:
    recipe = Recipe.model_validate({"name": "r", **said})
    assert ways(recipe) == found
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


def test_an_arm_may_name_another_size(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(
        "name: r\nseeds: gsm8k\nwriter_size: small\nask_me_anything: {tries: 3}\nsuggester_editor: null\n"
        "variants:\n  whole: {writer_size: large}\n  same: {seeds: {limit: 3}}\n"
    )
    recipe = load(str(path))
    assert {name: ways(arm) for name, arm in arms(recipe).items()} == {
        "whole": ("one", None, None),
        "same": ("each", None, None),
    }
    assert arms(recipe)["whole"].ask_me_anything.tries == 3  # type: ignore[union-attr]
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(dump(recipe))
    assert load(str(resolved)) == recipe


PENS = "Ann has 3 pens and buys 4 at $2 each. How many pens has she now?"
TWO = """<target>3</target>
<question>Ann has some pens and buys 4 at $2 each. She has 7 pens now. How many pens had Ann before?</question>
<target>4</target>
<question>Ann has 3 pens and buys some at $2 each. She has 7 pens now. How many pens does she buy?"""


def test_two_calls_ask_for_the_statement_and_then_for_everything(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def say(request: Request) -> str:
        return "<statement>She has 7 pens now.</statement>" if "<answer>" in user_text(request) else TWO

    chat = Scripted(say)
    seeds = bench.table([seed(PENS, "7")])
    made = bench.run(lambda out: ask(out, AskSettings(calls="two"), seeds, bench.model(chat)))
    assert [p.answer for p in made.read(Problem)] == ["3", "4"]
    assert len(chat.asked) == 2
    (second,) = [user_text(r) for r in chat.asked if "<numbers>" in user_text(r)]
    assert "She has 7 pens now." in second
    assert "<numbers>\n3\n4\n$2\n</numbers>" in second  # the answer would restate the seed


def test_a_second_call_without_a_problem_is_made_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def say(request: Request) -> str:
        if "<answer>" in user_text(request):
            return "<statement>She has 7 pens now.</statement>"
        return TWO if request.draw else "<target>3</target><question>How many pens had Ann?</question>"

    seeds = bench.table([seed(PENS, "7")])
    made = bench.run(lambda out: ask(out, AskSettings(calls="two"), seeds, bench.model(Scripted(say))))
    assert made.count("problems") == 2
    assert made.facts["failed_calls"] == {"no_problem": 1}


def large(system: str, user: str) -> str:
    """Write the statement and a question for every number of it, as a strong writer does."""
    asked, wanted = tagged("problem", user), tagged("answer", user)
    story, ask = asked.rsplit(". ", 1)
    told = f"{story}. {ask.removesuffix('?')} is told to be {wanted}."
    return f"<statement>{told}</statement>" + pairs(told, tagged("numbers", user).split("\n"))


def medium(system: str, user: str) -> str:
    """Tell the answer, then ask for every number of the statement; fail where everything is wanted at once."""
    if "Task: ask_questions" in system:
        return pairs(tagged("statement", user), tagged("numbers", user).split("\n"))
    return small(system, user) if "Task: ask_statement" in system else "I cannot do this."


def small(system: str, user: str) -> str:
    """Tell the answer, and ask for one marked number."""
    if "Task: ask_statement" in system:
        return f"<statement>{tagged('question', user).removesuffix('?')}: {tagged('answer', user)}.</statement>"
    marked = re.search(r"\[(.*?)\] ?([a-z]*)", tagged("sentence", user)) if "Task: ask_question\n" in system else None
    return f"<question>How many {marked[2]} are meant?</question>" if marked else "hm"


def none(system: str, user: str) -> str:
    return "hm"


def tagged(tag: str, text: str) -> str:
    return text.rsplit(f"<{tag}>\n", 1)[1].split(f"\n</{tag}>", 1)[0]


def pairs(told: str, listed: list[str]) -> str:
    """Hide each listed number in turn."""
    return "".join(
        f"<target>{n}</target><question>{told.replace(n, 'some', 1)} How many are meant by some?</question>"
        for n in listed
    )


def model(writer: Callable[[str, str], str]) -> Scripted:
    return Scripted(lambda request: writer(request.messages[0].content, user_text(request)))


@pytest.mark.parametrize(
    ("writer", "sizes", "enough"),
    [
        (large, ["large"], True),
        (medium, ["large", "medium"], True),
        (small, ["large", "medium", "small"], True),
        (none, ["large", "medium", "small"], False),
    ],
)
def test_the_pilot_ends_with_the_largest_size_that_fits(
    writer: Callable[[str, str], str], sizes: list[str], enough: bool
) -> None:
    chat = model(writer)
    trials = list(pilot(chat, AskSettings()))
    assert [t.size for t in trials] == sizes
    assert [t.enough for t in trials] == [False] * (len(sizes) - 1) + [enough]
    assert len(chat.asked) == sum(t.n_calls for t in trials) <= 20
    assert trials[0].n_numbers == 12
    assert all(t.lost for t in trials if not t.enough)
    assert all(p.answer_from == "hidden_number" for t in trials for p in t.kept)


def test_the_pilots_seeds_have_their_answers_and_sizes_are_those_of_a_recipe() -> None:
    assert [s.answer for s in SEEDS] == ["144", "21", "8", "66"]
    assert [36 * 4, (50 - 8) // 2, 20 - 2 * 3 - 6, 90 * 60 // 100 + 12] == [144, 21, 8, 66]
    assert set(SIZES) == {"small", "medium", "large"}


def doctor(path: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    monkeypatch.setattr(sys, "argv", ["orcamath", "doctor", *([str(path)] if path.suffix else []), *more])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("writer", "said", "code"), [(medium, "`writer_size: medium` fits", 0), (none, "too small", 1)]
)
def test_doctor_names_the_size_of_the_writer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    writer: Callable[[str, str], str],
    said: str,
    code: int,
) -> None:
    def respond(call: Call) -> str:
        return writer(call.messages[0].content, call.messages[-1].content)

    with serve(respond) as server:
        path = tmp_path / "r.yaml"
        path.write_text(
            f"name: r\nseeds: classroom\nbenchmarks: {{sources: []}}\nstudent: classroom\n"
            f"teacher: {{model: m, base_url: '{server.base_url}', api_key_env: null}}\n"
        )
        assert doctor(path, monkeypatch, "--writer") == code
        assert server.stats["calls"] <= 21
    out = capsys.readouterr()
    assert said in out.out
    assert "as large: 0 of 12 numbers became problems" in out.out
    assert "trying the writer `m`: at most 20 calls" in out.err


def test_doctor_needs_a_recipe_to_know_the_writer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(Path("none"), monkeypatch, "--writer") == 2
    assert "orcamath doctor recipe.yaml --writer" in capsys.readouterr().err
