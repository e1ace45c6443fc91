"""Asking the teacher again: what is settled how, and that nothing else is touched or paid for."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from orcamath.agents.solver import Solution
from orcamath.ports import Reply, Request
from orcamath.records import Attempt, Exercise, Outcome, Preference, Rejected, Verdict
from orcamath.stages.preferences import PreferSettings, prefer
from orcamath.stages.reask import ReaskSettings, reask, settle
from orcamath.stages.teach import TeachSettings
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.ledger import Ledger, Remembered
from scripted import Bench, Scripted, writing


class Teacher:
    """Answers by a table: part of the question → one answer a draw."""

    fingerprint = "teacher"
    chunk = None

    def __init__(self, says: dict[str, list[str]]) -> None:
        self.says = says
        self.asked = 0

    def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
        for request in requests:
            self.asked += 1
            shown = request.messages[-1].content
            answers = next(a for part, a in self.says.items() if part in shown)
            text = f"so it is {answers[request.draw]}\n#### {answers[request.draw]}"
            yield Reply(request.key(self.fingerprint), text)


def exercise(name: str) -> Exercise:
    return Exercise(
        problem_id=name, question=f"Question {name}: how many?", reference="7", solution="old\n#### 7", label="teacher"
    )


def solutions(*answers: str) -> list[Solution]:
    return [Solution(f"new\n#### {a}", a, i) for i, a in enumerate(answers)]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (("5", "5.0", "5", "7", "7"), "student_was_right"),
        (("7", "7", "5", "7", "1"), "teacher_was_right"),
        (("5", "5", "7", "7", "1"), "teacher_unsure"),
        (("5", "5"), "teacher_unsure"),  # three of five could not be read: two are no majority
        ((), "teacher_unsure"),
    ],
)
def test_settled_by_more_than_half(answers: tuple[str, ...], outcome: str) -> None:
    assert settle(exercise("p"), "5", solutions(*answers), 5).outcome == outcome


def test_only_doubtful_problems_are_asked_about_and_three_tables_come_back(tmp_path: Path) -> None:
    said: dict[str, list[tuple[str, Outcome]]] = {
        "right": [("#### 5", "disagrees"), ("so\n#### 5", "disagrees")],
        "wrong": [("#### 5", "disagrees"), ("so\n#### 5", "disagrees")],
        "unsure": [("#### 5", "disagrees"), ("so\n#### 5", "disagrees")],
        "mixed": [("#### 5", "disagrees"), ("#### 7", "agrees")],
    }
    teacher = Teacher(
        {"Question right": ["5", "5", "7"], "Question wrong": ["7", "7", "5"], "Question unsure": ["1", "5", "7"]}
    )
    store = Store(tmp_path)
    attempts = [
        (Attempt.make(name, d, text, "student", token_ids=None, finish_reason="stop"), outcome)
        for name, rows in said.items()
        for d, (text, outcome) in enumerate(rows)
    ]

    def practise(out: Output) -> None:
        out.write("exercises", [exercise(name) for name in said])
        out.write("attempts", [a for a, _ in attempts])
        out.write(
            "verdicts", [Verdict(attempt_id=a.id, problem_id=a.problem_id, outcome=o, by="rules") for a, o in attempts]
        )

    practised = store.stage("practice", 1, None, [], practise)
    ways = ReaskSettings(solutions=3)
    remembered = Remembered(teacher, Ledger(tmp_path / "ledger"))
    made = store.stage("reask", 1, ways, [], lambda out: reask(out, ways, practised, practised, remembered))

    assert teacher.asked == 9
    assert made.facts["reasked"] == {"student_was_right": 1, "teacher_unsure": 1, "teacher_was_right": 1}
    exercises = {e.problem_id: e for e in made.read(Exercise)}
    assert list(exercises) == ["right", "wrong", "mixed"]
    assert exercises["right"].reference == "5"
    assert (exercises["right"].solution or "").endswith("#### 5")
    assert exercises["wrong"] == exercise("wrong")
    assert [(v.problem_id, v.outcome) for v in made.read(Verdict)] == [
        ("right", "agrees"),
        ("right", "agrees"),
        ("wrong", "disagrees"),
        ("wrong", "disagrees"),
        ("mixed", "disagrees"),
        ("mixed", "agrees"),
    ]
    assert [(r.item, r.reason) for r in made.read(Rejected)] == [("unsure", "teacher_unsure")]
    assert (made.balance["results"], made.balance["kept"], made.balance["asked"]) == (4, 3, 9)
    liked = preferences_of(store, made)
    assert [r.text for r in liked["right"].positives][1:] == ["#### 5", "so\n#### 5"]


def preferences_of(store: Store, made: Artifact) -> dict[str, Preference]:
    ways = PreferSettings()
    sealed = store.stage("prefer", 1, ways, [], lambda out: prefer(out, ways, made, made))
    return {p.problem_id: p for p in sealed.read(Preference)}


def test_nothing_doubtful_asks_nothing(tmp_path: Path) -> None:
    store, teacher = Store(tmp_path), Teacher({})
    practised = store.stage("practice", 1, None, [], writing({"exercises": [exercise("p")]}))
    ways = ReaskSettings()
    remembered = Remembered(teacher, Ledger(tmp_path / "ledger"))
    made = store.stage("reask", 1, ways, [], lambda out: reask(out, ways, practised, practised, remembered))
    assert teacher.asked == 0
    assert list(made.read(Exercise)) == [exercise("p")]


@pytest.mark.parametrize(
    ("taught", "draws"),
    [
        ({"temperature": 0.7, "top_p": 0.95, "solutions": 2, "tries": 2}, [4, 5, 6]),
        ({"temperature": 0.7, "solutions": 2}, [0, 1, 2]),
        ({}, [0, 1, 2]),
    ],
)
def test_what_the_lessons_were_asked_for_is_not_read_once_more(
    tmp_path: Path, taught: dict[str, float], draws: list[int]
) -> None:
    said = [Attempt.make("p", d, f"so {d}\n#### 5", "student", token_ids=None, finish_reason="stop") for d in range(2)]
    verdicts = [Verdict(attempt_id=a.id, problem_id="p", outcome="disagrees", by="rules") for a in said]
    bench, teacher = Bench(tmp_path), Scripted(lambda _: "#### 5")
    practised = bench.tables(exercises=[exercise("p")], attempts=said, verdicts=verdicts)
    lessons, model = TeachSettings.model_validate(taught), bench.model(teacher)
    bench.run(lambda out: reask(out, ReaskSettings(solutions=3), practised, practised, model, lessons) and None)
    assert sorted(r.draw for r in teacher.asked) == draws


def test_a_reference_that_gives_up_may_be_reached_again(tmp_path: Path) -> None:
    held = exercise("p").model_copy(update={"reference": "not enough information", "answer_kind": "text"})
    said = [
        Attempt.make("p", d, f"so {d}\n#### Ann", "student", token_ids=None, finish_reason="stop") for d in range(2)
    ]
    verdicts = [Verdict(attempt_id=a.id, problem_id="p", outcome="disagrees", by="rules") for a in said]
    store, teacher = Store(tmp_path), Teacher({"Question p": ["unknown", "unknown", "Ann"]})
    practised = store.stage(
        "practice", 1, None, [], writing({"exercises": [held], "attempts": said, "verdicts": verdicts})
    )
    ways = ReaskSettings(solutions=3)
    remembered = Remembered(teacher, Ledger(tmp_path / "ledger"))
    made = store.stage("reask", 1, ways, [], lambda out: reask(out, ways, practised, practised, remembered))
    assert made.facts["reasked"] == {"teacher_was_right": 1}
