"""Wrong answers sorted by rule: equations read out of text, each type of mistake, rounds in the report, the viewer's filter."""

from pathlib import Path

import pytest

from orcamath.answers.equations import equations, operations
from orcamath.answers.mistakes import MISTAKES, mistake
from orcamath.mistakes import of_answers, of_attempts, right_ways
from orcamath.preferences import Judged
from orcamath.records import Attempt, Exercise, Outcome, Problem, Scored, Verdict
from orcamath.report.arms import arms_of, made
from orcamath.report.fold import fold
from orcamath.report.mistakes import mistakes_of_rounds, mistakes_of_students
from orcamath.report.page import render_page
from orcamath.report.rows import Student
from orcamath.store.artifacts import Output
from orcamath.store.run_folder import RunFolder
from orcamath.view.find import Query, facets, page
from orcamath.view.opened import Opened
from report_run import make_run, seal


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("She has 5 pens x $2 = $10. So 10+4=14", ["5 * 2 = 10", "10 + 4 = 14"]),
        ("Now 3 * 4 = 12\nNow 12 - 2 = 10\n#### 10", ["3 * 4 = 12", "12 - 2 = 10"]),
        ("Tom has 5*3=<<5*3=15>>15 apples and 15+2 = 17", ["5 * 3 = 15", "15 + 2 = 17"]),
        ("5 + 3 = 8 + 2 = 10", ["5 + 3 = 8", "8 + 2 = 10"]),
        ("(3 + 4) * 2 = 14", ["7 * 2 = 14"]),
        ("20% of 50 = 10 apples", ["1/5 * 50 = 10"]),
        ("1/3 of 9 = 3", ["1/3 * 9 = 3"]),
        ("40/50 = 80%", ["40 / 50 = 4/5"]),
        ("1,200 + 300 = 1,500 and 2 − 5 = −3", ["1200 + 300 = 1500", "2 - 5 = -3"]),
        ("10 / 3 = 3.33", ["10 / 3 = 333/100"]),
        ("on day 3 4 + 5 = 9", ["4 + 5 = 9"]),
        ("x = 5, 2 + x = 7, half of 10 is 5", []),
        ("= = 3 + = 4 ( ) 5 / 0 = 1", []),
        ("", []),
    ],
)
def test_equations_are_read_out_of_free_text(text: str, read: list[str]) -> None:
    shown = [
        f"{e.operations[-1].left} {e.operations[-1].sign} {e.operations[-1].right} = {e.stated}"
        for e in equations(text)
    ]
    assert shown == read
    assert all(e.holds for e in equations(text))


@pytest.mark.parametrize("text", ["3 + 4 = 8", "10 / 3 = 3.34", "40/50 = 8%", "2 * 2 = 5 = 5"])
def test_what_does_not_hold_is_seen(text: str) -> None:
    assert not equations(text)[0].holds


def test_a_formula_is_worked_inner_steps_first() -> None:
    assert [str(o.value) for o in operations("((32.0+42.0)-35.0)")] == ["74", "39"]
    assert operations("70 - x") == ()
    assert operations("5/0") == ()


PENS = "Ann has 3 boxes of 5 pens and finds 4 pens. How many pens has she?"
RIGHT = "3 * 5 = 15\n15 + 4 = 19\n#### 19"
HOURS = "A film starts after 20 minutes and lasts 160 minutes. How many hours is that in all?"


@pytest.mark.parametrize(
    ("question", "reference", "known", "text", "found"),
    [
        (PENS, "19", RIGHT, "3 * 5 = 16\n16 + 4 = 20\n#### 20", "arithmetic slip"),
        (PENS, "19", RIGHT, "3 * 5 = 15\n15 + 4 = 19\n#### 91", "arithmetic slip"),  # not what was worked out
        (PENS, "19", RIGHT, "3 + 5 = 8\n8 + 4 = 12\n#### 12", "wrong operation"),
        (PENS, "19", RIGHT, "3 * 5 = 15\n15 - 4 = 11\n#### 11", "wrong operation"),
        (PENS, "19", RIGHT, "3 * 5 = 15\n4 - 15 = -11\n#### -11", "wrong operation"),
        (PENS, "19", RIGHT, "3 * 5 = 15\n#### 15", "missed step"),
        (PENS, "19", RIGHT, "5 + 4 = 9\n#### 9", "missed step"),
        (PENS, "19", RIGHT, "3 * 8 = 24\n24 + 4 = 28\n#### 28", "misread quantity"),
        (PENS, "19", RIGHT, "3 * 4 = 12\n12 + 4 = 16\n#### 16", "misread quantity"),
        (
            PENS,
            "19",
            "",
            "3 * 8 = 24\n24 + 4 = 28\n#### 28",
            "misread quantity",
        ),  # a number from nowhere needs no solution
        (PENS, "19", "", "3 + 5 = 8\n8 + 4 = 12\n#### 12", "unsorted"),  # nothing is known to hold it against
        (PENS, "19", "(3*5)+4", "3 + 5 = 8\n8 + 4 = 12\n#### 12", "wrong operation"),  # a formula will do
        (
            "Ann has 3 pens and buys 4. How many?",
            "7",
            "",
            "4 - 3 = 1\n#### 1",
            "wrong operation",
        ),  # one step gives the answer
        (HOURS, "3", "20 + 160 = 180\n180 / 60 = 3", "20 + 160 = 180\n#### 180", "unit"),
        (PENS, "19", RIGHT, "#### 12", "no working"),
        (PENS, "19", RIGHT, "I cannot determine the answer.", "gave up"),
        (PENS, "19", RIGHT, "#### unknown", "gave up"),
        (PENS, "19", RIGHT, "", "gave up"),
        (PENS, "19", RIGHT, "There are 3 boxes of 5 and 4 more.\n#### 16", "unsorted"),  # words are no calculation
    ],
)
def test_each_type_of_mistake(question: str, reference: str, known: str, text: str, found: str) -> None:
    assert mistake(text, question, reference, [known] if known else []) == found
    assert found in MISTAKES


def test_an_answer_that_was_cut_off_before_it_came_is_no_other_mistake() -> None:
    assert mistake("First we", PENS, "19", [RIGHT], finished=False) == "cut off"
    assert mistake("3 * 5 = 16", PENS, "19", [RIGHT], finished=False) == "arithmetic slip"


def test_another_way_that_is_right_so_far_is_no_departure() -> None:
    known = ["5 * 3 = 15\n15 + 4 = 19", "4 + 15 = 19"]
    assert mistake("5 + 5 = 10\n10 + 5 = 15\n15 * 4 = 60\n#### 60", PENS, "19", known) in (
        "wrong operation",
        "unsorted",
    )
    assert mistake("5 * 3 = 15\n15 * 4 = 60\n#### 60", PENS, "19", known) == "wrong operation"


@pytest.mark.parametrize(
    "text", ["(" * 5000 + "1", "1+" * 5000 + "1 = 2", "9" * 3000 + " + 1 = 2", "=" * 5000, "5 / 0 = 0", "\x00 = ½"]
)
def test_no_text_raises(text: str) -> None:
    assert mistake(text, text, text, [text]) in MISTAKES


def exercise(**more: object) -> Exercise:
    return Exercise.of({"problem_id": "p", "question": PENS, "reference": "19", "label": "known_answer", **more})


def judged(draw: int, text: str, outcome: Outcome) -> Judged:
    return Judged(Attempt.make("p", draw, text, "s", token_ids=None, finish_reason="stop"), outcome)


def test_attempts_are_held_against_those_judged_right() -> None:
    wrong = judged(1, "3 + 5 = 8\n8 + 4 = 12\n#### 12", "disagrees")
    left = judged(2, "what?", "unjudged")
    alone = list(of_attempts([(exercise(), [wrong, left])]))
    beside = list(of_attempts([(exercise(), [judged(0, RIGHT, "agrees"), wrong, left])]))
    taught = list(of_attempts([(exercise(solution=RIGHT), [wrong])]))
    assert [[s.mistake for s in found] for found in (alone, beside, taught)] == [
        ["unsorted"],
        ["wrong operation"],
        ["wrong operation"],
    ]
    assert beside[0].name == wrong.attempt.id


def scored(problem: str, text: str, outcome: Outcome, draw: int = 0) -> Scored:
    return Scored(
        problem_id=problem,
        benchmark="b",
        draw=draw,
        text=text,
        final_answer=None,
        gold="19",
        outcome=outcome,
        by="rules",
        finish_reason="stop",
        n_tokens=None,
    )


def test_benchmark_answers_are_held_against_the_sets_own_solution_and_right_ones() -> None:
    problems = {"p": Problem.make(PENS, "seed", "b", answer="19")}
    rows = [
        scored("p", RIGHT, "agrees", 1),
        scored("p", "#### 19", "agrees", 2),
        scored("p", "3 + 5 = 8\n#### 8", "disagrees"),
        scored("gone", "#### 1", "disagrees"),
    ]
    assert right_ways(rows) == {"p": [RIGHT]}
    assert [(s.name, s.mistake) for s in of_answers(rows, problems, right_ways(rows))] == [("p.0", "wrong operation")]


def test_the_report_counts_mistakes_by_student_and_by_round(tmp_path: Path) -> None:
    problem = Problem.make(PENS, "seed", "b", answer="19", solution=RIGHT)
    texts = {"M1": ["#### 12", "#### 13"], "M2": ["3 + 5 = 8\n#### 8", RIGHT]}
    students = [
        Student("", seed, name, i, 0, {}, {"b": {problem.id: scored(problem.id, text, "disagrees")}}, {})
        for i, (name, given) in enumerate(texts.items(), start=1)
        for seed, text in enumerate(given)
    ]
    (table,) = mistakes_of_students(students, [problem])
    assert table.kinds == ("wrong operation", "no working")
    assert table.rows == (("M1", 1, (0, 1)), ("M2", 1, (1, 0)))  # the second seed is left out
    folder, store = make_run(tmp_path)
    results = fold(folder, store)
    assert results.mistakes == tuple(mistakes_of_rounds(made(arms_of(folder), store)))
    assert '<h2 id="mistakes">' not in render_page(
        results
    )  # nothing is wrong in its practice, and its benchmark has no problems
    shown = render_page(results._replace(mistakes=(table,)))
    assert '<h2 id="mistakes">' in shown
    assert "wrong operation" in shown


def test_the_viewer_filters_wrong_answers_by_mistake(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    problem = Problem.make(PENS, "seed", "b", answer="19", solution=RIGHT)
    tries = [
        judged(0, RIGHT, "agrees"),
        judged(1, "3 + 5 = 8\n8 + 4 = 12\n#### 12", "disagrees"),
        judged(2, "#### 1", "disagrees"),
    ]

    def practised(out: Output) -> None:
        out.write("exercises", [exercise()])
        out.write("attempts", [t.attempt for t in tries])

    def verdicts(out: Output) -> None:
        said = [Verdict(attempt_id=t.attempt.id, problem_id="p", outcome=t.outcome, by="rules") for t in tries]
        out.write("verdicts", said)

    stages = {
        "benchmarks": seal(store, "benchmarks", lambda out: out.write("problems", [problem]), "mine"),
        "practice 9": seal(store, "practice", practised, "mine"),
        "judge 9": seal(store, "judge", verdicts, "mine"),
        "evaluate M9": seal(
            store, "evaluate", lambda out: out.write("scored", [scored(problem.id, "#### 12", "disagrees")]), "mine"
        ),
    }
    with RunFolder(folder) as run:
        told = [
            {"label": label, "artifact": a.path.name, "seconds": 1.0, "reused": False} for label, a in stages.items()
        ]
        run.write_json("stages.json", {"stages": told, "students": []})
    opened = Opened(folder, store)
    try:
        opened.update()
        with opened.reading() as db:
            rows = [row for kind in ("attempts", "answers") for row in page(db, Query(kind)).rows if "mistake" in row]
            found = {(row["kind"], row["name"]): row["mistake"] for row in rows}
            assert found == {
                ("attempts", tries[1].attempt.id): "wrong operation",
                ("attempts", tries[2].attempt.id): "no working",
                ("answers", f"{problem.id}.0"): "no working",
            }
            assert page(db, Query("attempts", filters={"mistake": "wrong operation"})).n == 1
            assert dict(facets(db, Query("attempts"))["mistake"]) == {"wrong operation": 1, "no working": 1}
    finally:
        opened.index.close()
