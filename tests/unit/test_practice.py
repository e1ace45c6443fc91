"""Practice: which problems, against whose answer, and what is booked."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from orcamath.agents.settings import AgentSettings
from orcamath.commands.models import pose_as_chat
from orcamath.errors import WireDown
from orcamath.ports import Message, Reply, Request, Usage
from orcamath.records import Attempt, Exercise, Lesson, Problem, Rejected, Verified
from orcamath.stages.agent import invent
from orcamath.stages.practice import PracticeSettings, practise
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.ledger import Ledger, Remembered
from scripted import Bench, Scripted, sealed


class Parrot:
    """A model that repeats the question and the draw; may refuse, cut off, or fail on the wire."""

    fingerprint = "parrot"
    chunk = None

    def __init__(self, **finish: str) -> None:
        self.finish, self.asked = finish, 0

    def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
        for request in requests:
            self.asked += 1
            question = request.messages[0].content
            finish = next((f for word, f in self.finish.items() if word in question), "stop")
            key = request.key(self.fingerprint)
            if finish == "error":
                yield Reply(key, error="no route")
            else:
                yield Reply(key, f"{question} {request.draw}", finish, Usage(5, 3), token_ids=(1, 2))  # type: ignore[arg-type]


def problem(text: str, answer: str | None = None) -> Problem:
    return Problem.make(text, "seed", "t", answer=answer)


ONE, TWO, OPEN = problem("one", "1"), problem("two"), problem("open")
NEW = problem("new", "7").model_copy(update={"confirmed": True})
LESSONS = [
    Lesson.make(ONE, "it is 1", "1", "teacher", verified="gold"),
    Lesson.make(ONE, "so 1", "1", "teacher", draw=1),
    Lesson.make(TWO, "well", None, "teacher"),
]


@pytest.fixture
def gated(tmp_path: Path) -> Artifact:
    return sealed(tmp_path, "gate", lessons=LESSONS, problems=[NEW, OPEN])


def practised(tmp_path: Path, gated: Artifact, model: Parrot | None = None, **settings: object) -> Artifact:
    chosen = PracticeSettings(**settings)  # type: ignore[arg-type]
    chat = Remembered(model or Parrot(), Ledger(tmp_path / "ledger"))
    return Store(tmp_path / "store").stage(
        "practice",
        practise.version,
        chosen,
        [gated, chat.fingerprint],
        lambda out: practise(out, chosen, gated, chat, pose=pose_as_chat),
    )


@pytest.mark.parametrize(
    ("problems", "label", "asked", "rejected"),
    [
        ("lessons", "teacher", ["one"], {"no_final_answer": 1}),
        ("lessons", "known_answer", ["one"], {"no_known_answer": 1}),
        ("fresh", "known_answer", ["new"], {"no_known_answer": 1}),
        ("fresh", "teacher", [], {"no_teacher_answer": 2}),
        ("all", "known_answer", ["one", "new"], {"no_known_answer": 2}),
    ],
)
def test_problems_and_labels(
    tmp_path: Path, gated: Artifact, problems: str, label: str, asked: list[str], rejected: dict[str, int]
) -> None:
    made = practised(tmp_path, gated, problems=problems, label=label)
    assert [e.question for e in made.read(Exercise)] == asked
    assert made.balance["rejected"] == rejected
    assert made.count("attempts") == 4 * len(asked) == made.balance["kept"]
    assert len(list(made.read(Rejected))) == sum(rejected.values())


def test_the_yardstick_and_the_teachers_solution(tmp_path: Path, gated: Artifact) -> None:
    (by_teacher,) = practised(tmp_path, gated).read(Exercise)
    assert (by_teacher.reference, by_teacher.solution, by_teacher.label) == ("1", "it is 1", "teacher")
    fresh = next(iter(practised(tmp_path, gated, problems="fresh", label="known_answer").read(Exercise)))
    assert (fresh.reference, fresh.solution) == ("7", None)


@pytest.mark.parametrize(
    ("verified", "label", "reference", "solution"),
    [
        (("unverified", "gold", "gold"), "teacher", "1", "text 1"),
        (("unverified", "gold", "gold"), "known_answer", "1", "text 1"),  # confirmed, if not by the first
        (("unverified", "agreement", "agreement"), "teacher", "1", "text 1"),
        (("gold", "gold", "unverified"), "teacher", "0", "text 0"),
        (("unverified", "unverified", "unverified"), "teacher", "0", "text 0"),
    ],
)
def test_of_several_lessons_the_first_verified_one_is_the_yardstick(
    tmp_path: Path, verified: tuple[Verified, ...], label: str, reference: str, solution: str
) -> None:
    lessons = [Lesson.make(ONE, f"text {i}", str(i), "teacher", draw=i, verified=v) for i, v in enumerate(verified)]
    made = practised(tmp_path, sealed(tmp_path, "gate", lessons=lessons, problems=[]), label=label)
    assert [(e.reference, e.solution) for e in made.read(Exercise)] == [(reference, solution)]


HIDDEN = Problem.make("hid", "ask_me_anything", "t", answer="3", answer_from="hidden_number")
GOLD = Problem.make("gold", "seed", "t", answer="3", answer_from="gold")


@pytest.mark.parametrize(
    ("unconfirmed", "asked"),
    [([], []), (["gold"], ["gold", "one"]), (["gold", "hidden_number"], ["gold", "hid", "one"])],
)
def test_a_known_answer_labels_only_where_it_was_confirmed_or_is_trusted(
    tmp_path: Path, unconfirmed: list[str], asked: list[str]
) -> None:
    unchecked = sealed(tmp_path, "gate", lessons=[Lesson.make(ONE, "it is 5", "5", "teacher")], problems=[HIDDEN, GOLD])
    made = practised(tmp_path, unchecked, problems="all", label="known_answer", unconfirmed=unconfirmed)
    exercises = {e.question: e for e in made.read(Exercise)}
    assert sorted(exercises) == asked
    assert made.balance["rejected"].get("unconfirmed", 0) == 3 - len(asked)
    if "one" in exercises:  # the teacher's wrong solution is no example
        assert (exercises["one"].reference, exercises["one"].solution) == ("1", None)


@pytest.mark.parametrize(
    ("fields", "trusted"),
    [({"answer_from": "gold"}, "gold"), ({"answer_from": "hidden_number"}, "hidden_number"), ({}, "hidden_number")],
)
def test_an_agents_answer_is_trusted_as_what_it_comes_from(
    tmp_path: Path, fields: dict[str, str], trusted: str
) -> None:
    class Own:
        name = "own"

        def request(self, item: Problem, draw: int) -> Request:
            return Request((Message("user", item.question),), draw=draw)

        def parse(self, reply: Reply, item: Problem) -> list[Problem]:
            return [Problem.make(reply.text, "own", item.source, answer="3", **fields)]

    bench = Bench(tmp_path)
    seeds, model = bench.table([ONE]), bench.model(Scripted(lambda _: "own"))
    grown = bench.run(lambda out: invent(out, AgentSettings(name="own.py"), seeds, model, Own()) and None)
    lessons = [Lesson.make(p, "it is 5", "5", "teacher") for p in grown.read(Problem)]
    for kind in ("gold", "hidden_number"):
        unchecked = sealed(tmp_path / kind, "gate", lessons=lessons, problems=[])
        made = practised(tmp_path / kind, unchecked, label="known_answer", unconfirmed=[kind])
        assert [e.reference for e in made.read(Exercise)] == (["3"] if kind == trusted else [])


def test_attempts_keep_draw_ids_and_reason(tmp_path: Path, gated: Artifact) -> None:
    made = practised(tmp_path, gated, Parrot(one="length"))
    attempts = list(made.read(Attempt))
    assert [a.draw for a in attempts] == [0, 1, 2, 3]
    assert {(a.token_ids, a.finish_reason, a.student) for a in attempts} == {((1, 2), "length", "parrot")}
    assert made.facts["n_cut_off"] == 4


def test_greedy_practice_asks_once(tmp_path: Path, gated: Artifact) -> None:
    assert practised(tmp_path, gated, temperature=0).count("attempts") == 1


def test_a_refusal_is_a_failed_call_and_a_wire_failure_leaves_the_stage_open(tmp_path: Path, gated: Artifact) -> None:
    made = practised(tmp_path, gated, Parrot(one="refused"))
    assert (made.balance["asked"], made.balance["failed"], made.balance["parsed"]) == (4, 4, 0)
    with pytest.raises(WireDown, match="no route"):
        practised(tmp_path / "other", gated, Parrot(one="error"))


def test_a_second_practice_asks_nothing_again(tmp_path: Path, gated: Artifact) -> None:
    model = Parrot()
    practised(tmp_path, gated, model)
    practised(tmp_path, gated, model, samples=2)
    assert model.asked == 4


def test_a_larger_limit_keeps_the_smaller_ones_choice_in_input_order(tmp_path: Path) -> None:
    many = sealed(tmp_path, "gate", problems=[stepped(1, i) for i in range(40)])
    fresh = {"problems": "fresh", "label": "known_answer"}
    chosen = {
        n: [e.question for e in practised(tmp_path, many, **fresh, max_problems=n).read(Exercise)] for n in (5, 15, 100)
    }
    assert [len(v) for v in chosen.values()] == [5, 15, 40]
    assert set(chosen[5]) < set(chosen[15])
    assert chosen[15] == [q for q in chosen[100] if q in chosen[15]]


def stepped(n_steps: int, i: int) -> Problem:
    formula = "+".join(["2"] * (n_steps + 1)) + f"={2 * n_steps + 2}" if n_steps else None
    return Problem.make(
        f"{n_steps} steps, the {i}th",
        "seed",
        "t",
        answer=str(2 * n_steps + 2) if n_steps else "99",
        solution=formula,
        confirmed=True,
    )


def test_practice_is_balanced_by_steps_as_far_as_there_are_problems(tmp_path: Path) -> None:
    many = [stepped(k, i) for k, n in ((1, 30), (2, 8), (3, 2), (4, 1), (0, 5)) for i in range(n)]
    gated = sealed(tmp_path, "gate", lessons=[], problems=many)
    chosen = {"problems": "fresh", "label": "known_answer", "balance": "steps"}
    made = practised(tmp_path, gated, **chosen, max_problems=18)
    assert made.facts["by_steps"] == {"1": 8, "2": 7, "3 or more": 3}
    assert [r.reason for r in made.read(Rejected)] == ["unknown_steps"] * 5
    order = [p.id for p in many]
    ids = [e.problem_id for e in made.read(Exercise)]
    assert ids == sorted(ids, key=order.index)
    few = practised(tmp_path, gated, **chosen, max_problems=6)
    assert few.facts["by_steps"] == {"1": 2, "2": 2, "3 or more": 2}
    assert {e.problem_id for e in few.read(Exercise)} < set(ids)


def test_balance_needs_a_number_to_share_out() -> None:
    with pytest.raises(ValueError, match="max_problems"):
        PracticeSettings(balance="steps")
