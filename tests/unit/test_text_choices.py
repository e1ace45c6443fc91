"""A problem's choices: who answers it, teacher or student, is shown them once."""

import time
from pathlib import Path
from typing import Any

import pytest

from orcamath.agents.solver import Assignment, SolverSettings, make
from orcamath.commands.models import pose_as_chat
from orcamath.export.lessons import chat_row, hub_row, sft_row
from orcamath.judges.rules import RulesJudge
from orcamath.records import Exercise, Lesson, Problem, Rollout, Scored
from orcamath.stages.evaluate import EvaluateSettings, evaluate, turns_shown
from orcamath.stages.practice import PracticeSettings, practise
from orcamath.student.encode import Encoder
from orcamath.student.supervised import _lesson_groups
from orcamath.student.tried import tried_of
from orcamath.text.choices import with_choices
from pace import within
from scripted import Bench, Scripted, sealed, user_text
from tiny_student import tiny_tokenizer

CHOICE = Problem.make(
    "Which of them is a prime?",
    "seed",
    "quiz",
    answer="B",
    answer_kind="choice",
    options=("8", "7"),
    answer_from="gold",
)
SHOWN = "Which of them is a prime?\nAnswer choices:\nA) 8\nB) 7"
LESSON = Lesson.make(CHOICE, "7 has no divisor.\n#### B", "B", "t", verified="gold")
EXERCISE = Exercise(
    problem_id=CHOICE.id, question=CHOICE.question, reference="B", options=CHOICE.options, label="known_answer"
)


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("How many? A) 20 B) 22 C) 24", ("20", "22", "24")),
        ("Is it 20, 22 or 24?", ("20", "22", "24")),
        ("How many? (A)20,(B)22", ("20", "22")),
        ("How much? a) $5 b) $5.50", ("$5", "$5.50")),
        ("How many are there?", ()),
    ],
)
def test_a_question_that_lists_its_choices_stays(question: str, options: tuple[str, ...]) -> None:
    assert with_choices(question, options) == question


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("How many of the 1234 pens are Ann's?", ("1", "2", "3", "4")),
        ("How much is 15 less 1.5, or 2,500?", ("5", "500")),
        ("Noah closed his eyes. Was it dark?", ("yes", "no")),
        ("Ann has 24 pens and gives 22 away, 20 are left. How many?", ("20", "22", "24")),
        ("How many? A) 20 B) 22", ("20", "22", "24")),
    ],
)
def test_a_question_that_does_not_has_them_below(question: str, options: tuple[str, ...]) -> None:
    first, head, *below = with_choices(question, options).split("\n")
    assert (first, head) == (question, "Answer choices:")
    assert below == [f"{letter}) {o}" for letter, o in zip("ABCD", options, strict=False)]


@pytest.mark.parametrize(
    ("options", "below"),
    [
        (("(a) yes", "(b) no"), ["(a) yes", "(b) no"]),
        (("C. Darwin", "A. Lincoln"), ["A) C. Darwin", "B) A. Lincoln"]),  # names, not letters
        (("Marie Curie", "A. Einstein"), ["A) Marie Curie", "B) A. Einstein"]),
    ],
)
def test_only_choices_that_bear_the_letter_of_their_place_keep_it(options: tuple[str, ...], below: list[str]) -> None:
    assert with_choices("Which?", options).split("\n")[2:] == below


@pytest.mark.parametrize(
    ("question", "options"),
    [("-" * 1_000_000, ("-" * 500_000 + "x", "y")), ("a" * 1_000_000, ("a", "b")), ("5" * 1_000_000, ("", "55", "5"))],
)
def test_a_megabyte_takes_a_moment(question: str, options: tuple[str, ...]) -> None:
    began = time.process_time()
    with_choices(question, options)
    assert within(time.process_time() - began, 10.0)  # 1 s; by an expression it took minutes


def test_the_teacher_and_whatever_trains_the_student_show_the_same() -> None:
    (*_, last) = make(SolverSettings()).request(Assignment(CHOICE), 0).messages
    assert SHOWN in last.content
    assert CHOICE.asked == LESSON.asked == EXERCISE.asked == SHOWN
    rows: list[Any] = [sft_row(LESSON)["prompt"], hub_row(LESSON)["prompt"], chat_row(LESSON)["messages"]]
    assert [row[0]["content"] for row in rows] == [SHOWN] * 3


def test_a_student_is_trained_with_the_choices(tmp_path: Path) -> None:
    encoder = Encoder(tiny_tokenizer(), max_tokens=200)
    assert encoder.prompt(SHOWN) != encoder.prompt(CHOICE.question)
    lessons = sealed(tmp_path, "gate", lessons=[LESSON])
    ((group,), *_) = _lesson_groups(lessons, encoder)
    assert group.prompt == encoder.prompt(SHOWN)
    answer = Rollout.make(
        1, CHOICE.id, 0, "B", token_ids=(3, 4), logp=None, finish_reason="stop", outcome="agrees", by="rules"
    )
    (tried,) = tried_of([EXERCISE], [answer], encoder)
    assert tried.posed.prompt == encoder.prompt(SHOWN)
    assert [m.content for m in turns_shown(lessons, 1)] == [SHOWN, LESSON.answer]


def test_a_student_practises_and_is_measured_with_the_choices(tmp_path: Path) -> None:
    asked: list[str] = []

    def say(request: Any) -> str:
        asked.append(user_text(request))
        return "#### B"

    bench = Bench(tmp_path)
    model, lessons = bench.model(Scripted(say)), bench.table([LESSON], "lessons")
    bench.run(lambda out: practise(out, PracticeSettings(samples=1), lessons, model, pose_as_chat))
    tests = bench.table([CHOICE.model_copy(update={"id": "other", "split": "test"})])
    settings = EvaluateSettings(max_new_tokens=9)
    scored = bench.run(lambda out: evaluate(out, settings, tests, model, pose_as_chat, RulesJudge()))
    assert asked == [SHOWN, SHOWN]
    assert [s.outcome for s in scored.read(Scored)] == ["agrees"]
