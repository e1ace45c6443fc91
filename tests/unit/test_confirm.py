"""Labels that are true: known answers are confirmed by solutions that did not know them, for lessons and for fresh problems."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from orcamath.agents.solver import SolverSettings
from orcamath.ports import Request
from orcamath.records import Lesson, Problem
from orcamath.stages.confirm import ConfirmSettings, confirm
from orcamath.stages.reask import ReaskSettings
from orcamath.stages.teach import TeachSettings
from orcamath.store.artifacts import Artifact
from orcamath.verify import VerifySettings, confirms, verify
from scripted import Bench, Scripted, seed, user_text


def hidden(question: str, answer: str) -> Problem:
    return Problem.make(question, "ask_me_anything", "t", answer=answer, answer_from="hidden_number", target=answer)


MAY = "Natalia sold some clips in April, and half as many in May. She sold 72 altogether. How many did she sell in May?"


@pytest.mark.parametrize(
    ("answers", "least", "confirmed"),
    [
        (["48"], 1, True),
        (["48 clips"], 1, True),  # the same number
        (["24"], 1, False),
        ([], 1, False),  # nobody solved it
        (["48", "24"], 1, False),  # one against one
        (["48", "24", "24"], 1, False),  # outvoted
        (["48", "24", "36"], 1, False),
        (["48", "24", "36"], 2, False),
        (["48", "24", "48"], 2, True),
    ],
)
def test_a_known_answer_is_confirmed_unless_another_is_reached_as_often(
    answers: list[str], least: int, confirmed: bool
) -> None:
    assert confirms(hidden(MAY, "48"), answers, least) is confirmed


@pytest.mark.parametrize(
    ("answers", "share", "confirmed"),
    [
        (["48"], 0.5, True),
        (["48", "24"], 0.5, False),
        (["48", "48", "24", "24"], 0.5, False),
        (["48", "24", "36"], 0.5, False),  # one hit among guesses
        (["48", "24", "36", "48"], 0.5, True),
        (["48", *map(str, range(1, 8))], 0.5, False),
        (["48", *map(str, range(1, 8))], 0.1, False),
        (["48", "48", *map(str, range(1, 7))], 0.1, True),
        (["48", "48", "24"], 0.75, False),
        ([], 0.5, False),
    ],
)
def test_an_accidental_hit_among_many_solutions_confirms_nothing(
    answers: list[str], share: float, confirmed: bool
) -> None:
    assert confirms(hidden(MAY, "48"), answers, share=share) is confirmed


def test_several_solutions_outvote_a_known_answer_in_teaching_too() -> None:
    checks = verify(hidden(MAY, "48"), ["24", "48", "24"], VerifySettings())
    assert [c.verified for c in checks] == ["unverified"] * 3
    assert [c.agrees for c in checks] == [False, True, False]
    assert [c.verified for c in verify(hidden(MAY, "48"), ["24", "48"], VerifySettings())] == ["unverified"] * 2
    guessed = ["48", *map(str, range(1, 8))]
    assert {c.verified for c in verify(hidden(MAY, "48"), guessed, VerifySettings())} == {"unverified"}
    lax = verify(hidden(MAY, "48"), ["48", "48", "24", "7"], VerifySettings(known_share=0.5))
    assert [c.verified for c in lax] == ["hidden_number"] * 2 + ["unverified"] * 2
    strict = verify(hidden(MAY, "48"), ["48", "48", "24", "7"], VerifySettings(known_share=0.75))
    assert {c.verified for c in strict} == {"unverified"}


PENS, CAPS = (
    hidden("Ann has some pens and buys 4. She has 7. How many had she?", "3"),
    seed("Bo has 2 caps and 3 hats. How many?", "5"),
)
OPEN = Problem.make("Ann has 3 pens, buys 4, loses 2. How many has she?", "suggester_editor", "t")
WRONG = hidden(MAY, "48")


def confirmed(tmp_path: Path, say, **settings) -> Artifact:
    bench = Bench(tmp_path)
    lesson = Lesson.make(seed("Al is 3. How old is Al?", "3"), "#### 3", "3", "teacher", verified="gold")
    taught = bench.tables(lessons=[lesson], problems=[PENS, OPEN, WRONG, CAPS])
    model = bench.model(Scripted(say))
    return bench.run(lambda out: confirm(out, ConfirmSettings(**settings), taught, model))


def say(request: Request) -> str:
    text = user_text(request)
    if "some pens" in text:
        return "7 - 4 = 3\n#### 3" if request.draw else "I think\n#### 11"
    return "half of 48\n#### 24" if "Natalia" in text else "no idea"


def test_fresh_problems_are_marked_by_what_their_solutions_reach(tmp_path: Path) -> None:
    made = confirmed(tmp_path, say, solutions=3)
    assert [(p.id, p.confirmed) for p in made.read(Problem)] == [
        (PENS.id, True),
        (OPEN.id, False),
        (WRONG.id, False),
        (CAPS.id, False),
    ]
    assert made.facts["labels"] == {"confirmed": 1, "no_answer_known": 1, "unconfirmed": 2}
    assert [x.final_answer for x in made.read(Lesson)] == ["3"]
    assert made.balance["asked"] == 9  # nobody asks about a problem whose answer is not known


def test_one_solution_against_another_confirms_nothing(tmp_path: Path) -> None:
    made = confirmed(tmp_path, say, solutions=2)
    assert made.facts["labels"] == {"no_answer_known": 1, "unconfirmed": 3}


def test_one_solution_finds_less(tmp_path: Path) -> None:
    made = confirmed(tmp_path, say, solutions=1)
    assert made.facts["labels"] == {"no_answer_known": 1, "unconfirmed": 3}


@pytest.mark.parametrize("settings", [ConfirmSettings, ReaskSettings, TeachSettings])
@pytest.mark.parametrize(
    "wrong",
    [
        {"solutions": 2, "temperature": 0},  # greedy: the same text twice
        {"temperature": -0.1},
        {"top_p": 0},
        {"max_new_tokens": 0},
        {"tries": 0},
        {"solutions": 0},
    ],
)
def test_settings_of_solving_have_their_bounds(settings: type[SolverSettings], wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=r"would be the same text|greater than"):
        settings.model_validate({"temperature": 0.7, **wrong})
