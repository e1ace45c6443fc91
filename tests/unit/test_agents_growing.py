"""Ask-Me-Anything and Suggester & Editor at work: on the textbook, whose grammar says what is right, and on scripts."""

import random
from collections import Counter
from pathlib import Path

import pytest

from orcamath.agents import wellformed
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.agents.settings import AgentSettings
from orcamath.answers import quantities
from orcamath.classroom.grammar import parse_story, render
from orcamath.classroom.growing import n_operations, stories
from orcamath.classroom.solving import solve
from orcamath.classroom.textbook import open_chat
from orcamath.ports import Message, Reply, Request
from orcamath.records import Problem, Rejected
from orcamath.settings import ModelSettings
from orcamath.stages.agent import invent
from orcamath.stages.ask import ask
from orcamath.stages.edit import EditSettings, edit
from orcamath.store.artifacts import Artifact
from scripted import Bench, Scripted, seed, user_text


def textbook(**careless: float) -> ModelSettings:
    return ModelSettings(backend="textbook", options={"careless": careless})


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("growing"))


@pytest.fixture(scope="module")
def seeds(bench: Bench) -> Artifact:
    grammar = stories(random.Random(7), max_steps=3)
    drawn = [next(grammar) for _ in range(150)]
    return bench.table([seed(render(s), str(solve(s).answer), source="classroom") for s in drawn])


@pytest.fixture(scope="module")
def asked(bench: Bench, seeds: Artifact) -> Artifact:
    chat = bench.model(open_chat(textbook()))
    return bench.run(lambda out: ask(out, AskSettings(), seeds, chat))


@pytest.fixture(scope="module")
def edited(bench: Bench, seeds: Artifact) -> Artifact:
    chat = bench.model(open_chat(textbook()))
    return bench.run(lambda out: edit(out, EditSettings(), seeds, chat))


def test_the_textbook_writes_one_problem_for_every_number_of_a_statement(seeds: Artifact, asked: Artifact) -> None:
    made = Counter(p.parents[0] for p in asked.read(Problem))
    assert made.total() > 100
    for s in seeds.read(Problem):
        # the statement holds the seed's numbers and its answer; all are hidden but the answer, which would restate the seed
        assert made[s.id] == len(quantities(s.question))


def test_the_restating_target_is_dropped_every_time(seeds: Artifact, asked: Artifact) -> None:
    dropped = [r.item for r in asked.read(Rejected) if r.reason == "restates_seed"]
    assert sorted(dropped) == sorted(s.id for s in seeds.read(Problem))
    stories_of = {s.id: parse_story(s.question) for s in seeds.read(Problem)}
    assert all(parse_story(p.question).asked != stories_of[p.parents[0]].asked for p in asked.read(Problem))


def test_the_hidden_number_is_the_answer_by_the_grammars_own_arithmetic(asked: Artifact) -> None:
    assert asked.count("problems") > 100
    for p in asked.read(Problem):
        assert p.answer == str(solve(parse_story(p.question)).answer)
        assert (p.answer_from, p.origin, p.round, p.source) == ("hidden_number", "ask_me_anything", 1, "classroom")


def test_edits_need_more_steps_than_their_parents(seeds: Artifact, edited: Artifact) -> None:
    steps = {p.id: n_operations(parse_story(p.question)) for a in (seeds, edited) for p in a.read(Problem)}
    harder = [steps[p.id] > steps[p.parents[0]] for p in edited.read(Problem)]
    assert len(harder) > 200
    assert sum(harder) >= 0.95 * len(harder)


def test_both_rounds_are_kept_with_their_lineage(seeds: Artifact, edited: Artifact) -> None:
    made = {p.id: p for p in edited.read(Problem)}
    ids = {s.id for s in seeds.read(Problem)}
    assert Counter(p.round for p in made.values()).keys() == {1, 2}
    for p in made.values():
        (parent,) = p.parents
        assert parent in ids if p.round == 1 else made[parent].round == 1
        assert p.answer is None


def test_a_setting_keeps_only_the_last_round(bench: Bench, seeds: Artifact, edited: Artifact) -> None:
    chat = bench.model(open_chat(textbook()))
    last = bench.run(lambda out: edit(out, EditSettings(keep="last"), seeds, chat))
    parents = {p.parents[0] for p in edited.read(Problem)}
    assert [p.id for p in last.read(Problem)] == [p.id for p in edited.read(Problem) if p.id not in parents]
    assert last.balance["rejected"]["edited_again"] == edited.count("problems") - last.count("problems")


def test_what_a_careless_textbook_misstates_is_rejected(bench: Bench, seeds: Artifact) -> None:
    chat = bench.model(open_chat(textbook(misstate=1.0)))
    made = bench.run(lambda out: ask(out, AskSettings(tries=1), seeds, chat))
    reasons = {r.reason for r in made.read(Rejected)}
    assert {"statement_changed_number", "question_lost_number"} <= reasons
    wrong = [p for p in made.read(Problem) if p.answer != str(solve(parse_story(p.question)).answer)]
    assert not wrong


def test_ill_posed_edits_are_rejected_with_the_reason(bench: Bench, seeds: Artifact) -> None:
    chat = bench.model(open_chat(textbook(ill_posed=1.0)))
    made = bench.run(lambda out: edit(out, EditSettings(rounds=1), seeds, chat))
    assert {"no_question", "unchanged"} <= made.facts["failed_calls"].keys()  # and each was asked for once more
    # a number turned into a word can only be seen by who solves the problem
    assert all("many" in p.question for p in made.read(Problem) if n_steps_or_none(p.question) is None)


def n_steps_or_none(text: str) -> int | None:
    try:
        return n_operations(parse_story(text))
    except ValueError:
        return None


def test_without_numbers_ask_me_anything_is_off_with_a_message(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    words = {"Is a whale a fish?": "no", "Who wrote Emma?": "Austen"}
    texts = bench.table([seed(question, answer, answer_kind="text") for question, answer in words.items()])
    chat = Scripted(lambda r: "never asked")
    made = bench.run(lambda out: ask(out, AskSettings(), texts, bench.model(chat)))
    assert not chat.asked
    assert made.facts["message"].startswith("Ask-Me-Anything is off")
    assert made.balance["rejected"] == {"answer_is_no_number": 2}


def test_seeds_without_an_answer_are_counted_and_a_solution_will_do(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    question = "Ann has 3 pens and buys 4. How many pens has she now?"
    mixed = bench.table([seed(question), seed(question, solution="3 + 4 = 7\n#### 7")])
    told = "Ann has 3 pens and buys 4. She has 7 pens now."
    hidden = "Ann has some pens and buys 4. She has 7 pens now. How many had she at first?"
    pairs = f"<target>3</target><question>{hidden}</question><target>7</target><question>{question}</question>"
    chat = Scripted(lambda r: f"<statement>{told}</statement>{pairs}")
    made = bench.run(lambda out: ask(out, AskSettings(), mixed, bench.model(chat)))
    assert "#### 7" in user_text(chat.asked[0])
    assert [p.answer for p in made.read(Problem)] == ["3"]
    assert made.balance["rejected"] == {"no_answer_known": 1, "restates_seed": 1}
    assert "message" not in made.facts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tom has 5 apples and eats 2 of them. How many are left?", None),
        ("Tom has 5 apples and eats 2 of them. Find the number of apples left.", None),
        ("If Tom has 5 apples and eats 2 of them, how many apples are left", "cut_off"),
        ("Tom has 5 apples and eats 2 of them.", "no_question"),
        (
            "Tom asks Mr. Smith, who has 5 apples and eats 2.5 of them a day, how long they last. How many days is that?",
            None,
        ),
        ("Tom has 5 apples. How many? Why does he eat 2 apples?", "several_questions"),
        ("Tom has 5 apples and eats 2 apples. How many are left? (Assume that none is lost.)", None),
        ("Tom has 5 apples and eats 2 apples. How many are left? He has 3 left.", "answer_given_away"),
        ("How?", "too_short"),
    ],
)
def test_the_form_of_a_problem(text: str, expected: str | None) -> None:
    assert wellformed.flaw(text) == expected


@pytest.mark.parametrize("answer", ["B", "7"])
def test_a_multiple_choice_seed_with_a_numeric_answer_will_do(tmp_path: Path, answer: str) -> None:
    bench = Bench(tmp_path)
    question = "Ann has 3 pens and buys 4. How many pens has she now?"
    seeds = bench.table([seed(question, answer, answer_kind="choice", options=("6", "7", "8"))])
    hidden = "Ann has some pens and buys 4. She has 7 pens now. How many had she at first?"
    reply = (
        f"<statement>Ann has 3 pens and buys 4. She has 7.</statement><target>3</target><question>{hidden}</question>"
    )
    chat = Scripted(lambda r: reply)
    made = bench.run(lambda out: ask(out, AskSettings(), seeds, bench.model(chat)))
    assert "<answer>\n7\n</answer>" in user_text(chat.asked[0])
    assert [(p.answer, p.answer_kind, p.options) for p in made.read(Problem)] == [("3", "number", ())]


class Turned:
    """An agent of the user's: says each seed in other words."""

    name = "turned"

    def __init__(self, **said: object) -> None:
        self.said = said

    def request(self, item: Problem, draw: int) -> Request:
        return Request((Message("user", item.asked),), draw=draw)

    def parse(self, reply: Reply, item: Problem) -> list[Problem]:
        return [Problem.make(reply.text, "turned", item.source, **{"answer": item.answer, **self.said})]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, ("B", "choice", ("20", "24"), "gold")),
        ({"answer_from": "hidden_number"}, ("B", "choice", ("20", "24"), "hidden_number")),
        ({"options": ("24", "20"), "answer": "A"}, ("A", "number", ("24", "20"), None)),
        ({"answer": None}, (None, "number", (), None)),
    ],
)
def test_an_agents_problem_that_keeps_its_seeds_answer_keeps_what_that_is(
    tmp_path: Path, said: dict[str, object], found: tuple[object, ...]
) -> None:
    bench = Bench(tmp_path)
    seeds = bench.table([seed("What is 12 times 2?", "B", answer_kind="choice", options=("20", "24"))])
    model, settings = bench.model(Scripted(lambda _: "Twice 12 is what?")), AgentSettings(name="turned.py")
    (made,) = bench.run(lambda out: invent(out, settings, seeds, model, Turned(**said)) and None).read(Problem)
    assert (made.answer, made.answer_kind, made.options, made.answer_from) == found
    assert (made.origin, made.question) == ("turned", "Twice 12 is what?")
