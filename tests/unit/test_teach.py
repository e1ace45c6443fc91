"""Teaching: lessons with their short answers, k solutions, the paper's length rule, who is not taught, what is dropped."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from orcamath.agents.ask_me_anything import AskSettings
from orcamath.ports import Reply, Request
from orcamath.records import Lesson, Problem, Rejected
from orcamath.stages.reask import ReaskSettings
from orcamath.stages.teach import TeachSettings, teach
from orcamath.store.artifacts import Artifact
from orcamath.verify import VerifySettings
from scripted import Bench, Scripted, seed, user_text

GOLD = seed("Ann has 3 pens and buys 4. How many pens has she?", "7", licence="CC0", solution="3 + 4 = 7")
HIDDEN = Problem.make(
    "Ann has some pens and buys 4. She has 7. How many had she?",
    "ask_me_anything",
    "test",
    answer="3",
    answer_from="hidden_number",
    target="3",
    parents=(GOLD.id,),
    round=1,
)
EDITED = Problem.make(
    "Ann has 3 pens, buys 4, loses 2. How many has she?", "suggester_editor", "test", parents=(GOLD.id,)
)


def taught(tmp_path: Path, say, problems=(GOLD, HIDDEN, EDITED), **settings) -> Artifact:
    bench = Bench(tmp_path)
    table, model = bench.table(problems), bench.model(Scripted(say))
    return bench.run(lambda out: teach(out, TeachSettings(**settings), table, model))


def by_question(answers: dict[str, str]):
    def say(request: Request) -> str:
        return next(a for q, a in answers.items() if q in user_text(request))

    return say


def test_a_lesson_carries_problem_solution_short_answer_and_verification(tmp_path: Path) -> None:
    say = by_question(
        {"3 pens and buys": "3 + 4 = 7.\n#### 7", "some pens": "7 - 4 = 4\n#### 4", "loses 2": "So 5.\n#### 5 pens"}
    )
    made = taught(tmp_path, say)
    gold, hidden, edited = made.read(Lesson)
    assert (gold.answer, gold.final_answer, gold.gold, gold.verified) == ("3 + 4 = 7.\n#### 7", "7", "7", "gold")
    assert (gold.licence, gold.teacher, gold.problem_id, gold.source) == ("CC0", "scripted", GOLD.id, "test")
    assert (hidden.final_answer, hidden.gold, hidden.verified, hidden.parents) == ("4", "3", "unverified", (GOLD.id,))
    assert (edited.verified, edited.gold) == ("unverified", None)
    assert made.facts["verified"] == {"gold": 1, "unverified": 2}
    assert made.facts["checks"] == {"gold_agrees": 1, "hidden_number_disagrees": 1}
    assert made.facts["disagreeing"] == [HIDDEN.id]


def test_who_disagrees_is_dropped_only_where_a_setting_says_so(tmp_path: Path) -> None:
    made = taught(tmp_path, lambda r: "#### 4", verify=VerifySettings(gold="drop", hidden_number="drop"))
    assert [x.problem_id for x in made.read(Lesson)] == [EDITED.id]
    assert {r.item: (r.reason, r.detail) for r in made.read(Rejected)} == {
        GOLD.id: ("disagrees_with_gold", "teacher 4, known 7"),
        HIDDEN.id: ("disagrees_with_hidden_number", "teacher 4, known 3"),
    }


@pytest.mark.parametrize(("n_chars", "kept"), [(1800, 3), (1801, 2)])
def test_long_solutions_are_dropped_of_suggester_editors_problems_only(tmp_path: Path, n_chars: int, kept: int) -> None:
    solution = "x" * (n_chars - len("\n#### 3")) + "\n#### 3"
    made = taught(tmp_path, lambda r: solution)
    assert len(list(made.read(Lesson))) == kept
    assert made.balance["rejected"] == ({} if kept == 3 else {"answer_too_long": 1})


def test_k_solutions_make_k_lessons_and_agreement(tmp_path: Path) -> None:
    made = taught(
        tmp_path, lambda r: f"Way {r.draw}.\n#### {5 if r.draw % 4 else 6}", [EDITED], solutions=4, temperature=0.7
    )
    lessons = list(made.read(Lesson))
    assert [(x.draw, x.final_answer, x.verified) for x in lessons] == [
        (0, "6", "unverified"),
        (1, "5", "agreement"),
        (2, "5", "agreement"),
        (3, "5", "agreement"),
    ]
    assert made.facts["checks"] == {"agreement_agrees": 3, "agreement_disagrees": 1}


def test_a_text_that_a_teacher_repeats_counts_each_time_and_is_one_lesson(tmp_path: Path) -> None:
    made = taught(tmp_path, lambda r: f"#### {5 if r.draw % 4 else 6}", [EDITED], solutions=4, temperature=0.7)
    lessons = list(made.read(Lesson))
    assert [(x.draw, x.verified) for x in lessons] == [(0, "unverified"), (1, "agreement")]
    assert made.facts["checks"] == {"agreement_agrees": 3, "agreement_disagrees": 1}
    assert [(r.reason, r.repeats) for r in made.read(Rejected)] == [("same_solution", lessons[1].id)] * 2
    assert (made.balance["results"], made.balance["kept"]) == (4, 2)


def test_that_a_teacher_repeats_itself_does_not_make_its_lessons_doubtful(tmp_path: Path) -> None:
    made = taught(tmp_path, lambda _: "#### 7", seven(), solutions=4, temperature=0.7)
    assert made.balance["rejected"] == {"same_solution": 24}
    assert "warnings" not in made.facts


def test_of_k_solutions_the_first_verified_one_may_be_kept_alone(tmp_path: Path) -> None:
    made = taught(
        tmp_path, lambda r: f"#### {5 if r.draw % 4 else 6}", [EDITED], solutions=4, temperature=0.7, keep="first"
    )
    assert [x.draw for x in made.read(Lesson)] == [1]
    assert made.balance["rejected"] == {"another_solution_kept": 3}


def test_that_one_of_several_solutions_is_kept_does_not_make_lessons_doubtful(tmp_path: Path) -> None:
    made = taught(tmp_path, lambda r: f"so {r.draw}\n#### 7", seven(), solutions=4, temperature=0.7, keep="first")
    assert made.balance["rejected"]["another_solution_kept"] > 20
    assert "warnings" not in made.facts


def test_a_problem_whose_solutions_all_miss_what_is_known_is_listed_once(tmp_path: Path) -> None:
    made = taught(tmp_path, lambda r: f"so {r.draw}\n#### 999", seven(), solutions=4, temperature=0.7)
    listed = made.facts["disagreeing"]
    assert len(listed) == len(set(listed)) > 0


def test_several_solutions_at_temperature_0_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ValidationError, match="set temperature"):
        TeachSettings(solutions=2)


def test_more_tries_at_temperature_0_are_known_to_be_in_vain() -> None:
    for settings, more in ((TeachSettings, {}), (ReaskSettings, {"solutions": 1}), (AskSettings, {})):
        asked = settings.model_validate({"tries": 3, "temperature": 0, **more})
        assert (asked.tries, asked.tries_in_vain()) == (3, True)  # older runs are found by what they said
    assert not AskSettings(temperature=0).tries_in_vain(), "its default is nobody's mistake"
    assert not TeachSettings(tries=3, temperature=0.5).tries_in_vain()


def test_a_repeated_try_takes_a_draw_that_no_other_solution_takes(tmp_path: Path) -> None:
    draws: list[int] = []

    def say(request: Request) -> str:
        draws.append(request.draw)
        return "no idea"

    taught(tmp_path, say, [EDITED], solutions=2, temperature=0.7, tries=2)
    assert sorted(draws) == [0, 1, 2, 3]


def test_the_teacher_gets_as_many_problems_as_it_may_and_the_rest_is_left_for_practice(tmp_path: Path) -> None:
    many = [seed(f"Ann has {i} pens and buys 4. How many pens has she?", str(i + 4)) for i in range(50)]
    few = taught(tmp_path / "few", lambda r: "#### 1", many, max_problems=10)
    more = taught(tmp_path / "more", lambda r: "#### 1", many, max_problems=30)
    first, then = ({x.problem_id for x in made.read(Lesson)} for made in (few, more))
    assert len(first) == 10
    assert len(then) == 30
    assert first < then, "a larger number only adds"
    assert {p.id for p in few.read(Problem)} == {p.id for p in many} - first
    assert taught(tmp_path / "none", lambda r: "", many, max_problems=0).count("problems") == 50


@pytest.mark.parametrize(
    "onward", ["Question: Tom has 3 pens. He buys 4 more.", "Next problem: Tom has 3.\nStep by step: first"]
)
def test_another_problem_behind_the_answer_is_no_part_of_the_lesson(tmp_path: Path, onward: str) -> None:
    made = taught(
        tmp_path, lambda r: f"8 + 4 = 12\n#### 12\n\n{onward}", [seed("Ann has 8 pens and buys 4. How many?", "12")]
    )
    assert [lesson.answer for lesson in made.read(Lesson)] == ["8 + 4 = 12\n#### 12"]


def test_unsolved_cut_off_and_refused_problems_are_counted_by_reason(tmp_path: Path) -> None:
    replies = {
        "3 pens and buys": Reply(b"", "3 + 4 = 7\n#### 7", "length"),
        "some pens": "I'm sorry, I can't.",
        "loses 2": "It cannot be known.\n#### none",
    }
    made = taught(tmp_path, by_question(replies))  # type: ignore[arg-type]
    assert made.facts["failed_calls"] == {"cut_off": 1, "refused": 1, "unsolvable": 1}
    assert made.balance["asked"] == made.balance["failed"] == 3
    assert made.count("lessons") == 0


def test_choices_are_shown_to_the_teacher(tmp_path: Path) -> None:
    problem = seed("What is 12 × 2?", "B", answer_kind="choice", options=("20", "24"))
    seen: list[str] = []

    def say(request: Request) -> str:
        seen.append(user_text(request))
        return "#### 24"

    (lesson,) = taught(tmp_path, say, [problem]).read(Lesson)
    assert "A) 20\nB) 24" in seen[0]
    assert lesson.verified == "gold", "the option's value names its letter"


def seven(n: int = 8) -> tuple[Problem, ...]:
    return tuple(seed(f"Ann has {i} pens and buys {7 - i}. How many pens has she?", "7") for i in range(n))


@pytest.mark.parametrize(
    ("reply", "settings", "n_lessons", "words"),
    [
        ("#### 7", {}, 8, None),
        ("#### 4", {}, 8, "8 of 8 solutions do not reach .*`teach.verify.gold=drop`"),
        ("#### 4", {"verify": VerifySettings(gold="drop")}, 0, "another teacher helps"),
        ("I think.", {}, 0, "8 of 8 solutions go no further, 8 as `no_final_answer`.*`teach.temperature` above 0"),
        ("I think.", {"most_rejected": 1.0}, 0, None),
    ],
)
def test_what_makes_the_lessons_doubtful_as_a_whole_is_said_with_the_setting_that_helps(
    tmp_path: Path, reply: str, settings: dict[str, object], n_lessons: int, words: str | None
) -> None:
    made = taught(tmp_path, lambda _: reply, problems=seven(), **settings)
    said = " ".join(made.facts.get("warnings", []))
    assert made.count("lessons") == n_lessons
    assert bool(said) == (words is not None), said
    assert words is None or re.search(words, said)


def test_of_few_solutions_nothing_is_said_as_a_whole(tmp_path: Path) -> None:
    assert "warnings" not in taught(tmp_path, lambda _: "#### 4", problems=seven(4)).facts


@pytest.mark.parametrize(
    ("question", "reply", "answer", "kind"),
    [
        ("Ann has 3 pens and Bob has 4. Who has more?", "4 is more.\n#### Bob", "Bob", "text"),
        ("Ann has 3 pens and Bob has 4. Who has more?", "4 is more.\nIt is \\boxed{\\text{Bob}}.", "Bob", "text"),
        ("Ann and Bob have 35 pens, Ann 5 more. What has each?", "So 20 and 15.\n#### 20, 15", "20, 15", "set"),
        (
            "Ann has 20 pens and 15 cups. How many pens and how many cups has she?",
            "#### 20 pens and 15 cups",
            "20 pens and 15 cups",
            "set",
        ),
        ("A pen costs x dollars. What do 2 pens and a $3 cup cost?", "#### 2x + 3", "2x + 3", "expression"),
        ("Ann has 20 pens. How many has she?", "#### 20 pens, 4 a day", "20", "number"),
        ("Ann has 20 pens. How many has she?", "20\n#### 20 pens", "20", "number"),
        ("Ann has 20 pens. What has she?", "She has 20 of them.\nThe answer is 20.", "20", "number"),
        ("Ann has 20 pens. How many has she?", "#### She has the same", None, ""),
        ("Ann has 20 pens. What has she?", "#### Pens\nShe has what she has.", None, ""),
    ],
)
def test_without_a_known_answer_the_solution_says_what_kind_its_answer_is_of(
    tmp_path: Path, question: str, reply: str, answer: str | None, kind: str
) -> None:
    problem = Problem.make(question, "suggester_editor", "test")
    lessons = list(
        taught(tmp_path, lambda r: f"Way {r.draw}.\n{reply}", [problem], solutions=2, temperature=0.7).read(Lesson)
    )
    found = (answer, kind, "agreement")
    assert [(x.final_answer, x.answer_kind, x.verified) for x in lessons] == ([] if answer is None else [found] * 2)
