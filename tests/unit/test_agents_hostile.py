"""Whatever a model writes, a parser answers: no exception, no lost result, and in time that grows with the length only."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcamath.agents import ask_me_anything, editor, solver, suggester, wellformed
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.agents.driver import examine
from orcamath.agents.editor import EditorSettings
from orcamath.agents.replies import tagged
from orcamath.agents.solver import Assignment, SolverSettings
from orcamath.agents.suggester import Suggested, SuggesterSettings
from orcamath.ports import Reply
from orcamath.records import Problem, Rejected
from scripted import seed

SEED = seed(
    "Maya's hens lay 16 eggs a day. She eats 3 and sells the rest for $2 each. How many dollars does she earn?", "26"
)
AGENTS: list[tuple[Any, Any]] = [
    (ask_me_anything.make(AskSettings()), SEED),
    (suggester.make(SuggesterSettings()), SEED),
    (editor.make(EditorSettings()), Suggested(SEED, ("Harder.",))),
    (solver.make(SolverSettings()), Assignment(SEED)),
]
CASES = (Path(__file__).parents[1] / "agents" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
REPLIES = [json.loads(line)["reply"] for line in CASES]
PARTS = [
    "<statement>",
    "</statement>",
    "<target>",
    "<question>",
    "</question>",
    "<suggestion>",
    "<edited_problem>",
    "<think>",
    "</think>",
    "####",
    "{}",
    "{{x}}",
    "16",
    "$2",
    "1/0",
    "9" * 5000,
    "½",
    "\\boxed{",
    "?",
    "Maya has 16 eggs. ",
    "\0",
    "𝟙",
]


@pytest.mark.parametrize("target", ["2^140", "9" * 41, "10^60"])
def test_a_number_too_long_to_be_read_as_an_answer_is_no_target(target: str) -> None:
    agent = ask_me_anything.make(AskSettings())
    told = "A board has {} grains on 4 squares. Each square holds 5 grains."
    board = seed(f"A board has {target} grains on 4 squares. How many grains does each square hold?", "5")
    asked = f"{told.format('some')} How many grains are on the board?"
    text = f"<statement>{told.format(target)}</statement><target>{target}</target><question>{asked}</question>"
    made = examine(agent, Reply(b"k", text), board)
    assert isinstance(made, Rejected)


def test_a_statement_that_repeats_itself_takes_seconds_and_not_hours() -> None:
    board = seed("Ann gets 5 pens from Bob and 7 from Al. How many pens has she?", "12")
    told = "Ann gets " + "5 pens from Bob and 7 from Al, " * 400 + "and has 12 pens now."
    asked = "Ann gets some pens from Bob and 7 from Al and has 12 pens now. How many pens did Ann get from Al?"
    text = f"<statement>{told}</statement><target>5</target><question>{asked}</question>"
    made = examine(ask_me_anything.make(AskSettings()), Reply(b"k", text), board)
    assert isinstance(made, Rejected)
    assert made.detail == "1 asks_something_else"


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PARTS), max_size=14).map("".join)), st.booleans())
def test_any_text_is_answered(text: str, cut: bool) -> None:
    for agent, item in AGENTS:
        made = examine(agent, Reply(b"", text, "length" if cut else "stop"), item)
        for result in [made] if isinstance(made, Rejected) else made:
            if isinstance(result, Rejected):
                assert result.item == SEED.id
                assert result.reason.replace("_", "").isalnum()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(REPLIES), st.floats(0, 1))
def test_a_reply_cut_anywhere_yields_no_broken_problem(reply: str, share: float) -> None:
    cut = Reply(b"", reply[: int(len(reply) * share)], "length")
    for agent, item in AGENTS:
        made = examine(agent, cut, item)
        for result in [] if isinstance(made, Rejected) else made:
            if isinstance(result, Problem):
                assert wellformed.flaw(result.question) is None


@pytest.mark.parametrize(
    "piece", ["<target>5</target>", "5 ", "Maya has 16 eggs. ", "a", "?", "12 of the 9, ", "<", "16%, ", "A. "]
)
def test_a_megabyte_takes_time_in_proportion(piece: str) -> None:
    def seconds(n: int) -> float:
        text = f"<statement>{SEED.question}</statement><edited_problem>{piece * (n // len(piece))}</edited_problem>"
        began = time.process_time()
        for agent, item in AGENTS:
            examine(agent, Reply(b"", text), item)
        return time.process_time() - began

    seconds(10_000)
    small, large = seconds(20_000), seconds(200_000)
    assert large < 40 * small + 0.5


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("<a>1</a><b>2</b>", [("a", "1", True), ("b", "2", True)]),
        ("<A >1< / a> x <b k='v'>2", [("a", "1", True), ("b", "2", False)]),
        ("<a>1<b>2</b>", [("a", "1", True), ("b", "2", True)]),
        ("[a]1[/a]", [("a", "1", True)]),
        ("<a></a><a> \n </a>", []),
        ("</a><c>1</c> 3 < 5 > 4", []),
        ('<a>\n 1. "one\n two" </a>', [("a", "one two", True)]),
        ('<a>"I see 12," says Al. "How many?"</a>', [("a", '"I see 12," says Al. "How many?"', True)]),
        ("<a>“I see 12,” says Al. “How many?”</a>", [("a", "“I see 12,” says Al. “How many?”", True)]),
        ("<a>**12** pens and **5**</a>", [("a", "**12** pens and **5**", True)]),
        ("<a>**“How many?”**</a>", [("a", "How many?", True)]),
    ],
)
def test_tags_are_taken_as_meant(text: str, pieces: list[tuple[str, str, bool]]) -> None:
    assert [tuple(p) for p in tagged(text, "a", "b")] == pieces
