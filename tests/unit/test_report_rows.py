"""Rows of several seeds: averaged within a problem, bootstrapped over problems, each seed shown, never pooled."""

import io

import pytest
from rich.console import Console

from orcamath.intervals import Interval, bootstrap, bootstrap_difference, paired, share, wilson
from orcamath.records import Scored
from orcamath.report.fold import Results
from orcamath.report.page import render_page
from orcamath.report.rows import ResultRow, Student, score_table
from orcamath.report.sections import findings
from orcamath.report.table import show
from orcamath.scoring.facts import BenchmarkFacts

RIGHT = {  # (arm, seed) → which of ten problems are answered rightly
    ("", 0): "1111100000",
    ("", 1): "1111111000",
    ("KTO", 0): "1111111100",
    ("KTO", 1): "1111111110",
    ("more SFT", 0): "1110000000",
    ("more SFT", 1): "1111100000",
}


def student(arm: str, seed: int | None, right: str, **measures: object) -> Student:
    answers = {
        f"p{i}": Scored(
            problem_id=f"p{i}",
            benchmark="b",
            draw=0,
            text="",
            final_answer="1",
            gold="1",
            outcome="agrees" if r == "1" else "unjudged",
            by="rules",
            finish_reason="stop",
            n_tokens=1,
        )
        for i, r in enumerate(right)
    }
    recipe = {"iterations": [{"more_sft": {}}], "match_tokens_of": "KTO"} if arm == "more SFT" else {"iterations": [{}]}
    name, iteration = ("M2", 2) if arm else ("M1", 1)
    return Student(
        arm, seed, name, iteration, 100 + (seed or 0), recipe, {"b": answers}, {"b": BenchmarkFacts.of(measures)}
    )


def made(right: dict[tuple[str, int], str]) -> dict[str, ResultRow]:
    return {
        row.arm: row
        for row in score_table([student(*key, said, n=10, score=0.5, low=0.4) for key, said in right.items()])
    }


def table(arm: str) -> list[list[float]]:
    return [[float(c) for c in RIGHT[arm, seed]] for seed in (0, 1)]


def test_seeds_are_averaged_within_each_problem_and_each_is_shown() -> None:
    row = made(RIGHT)["KTO"]
    assert row.seeds == {"0": 0.8, "1": 0.9}
    assert (row.n, row.right, row.unjudged, row.trained_tokens) == (10, 8, 2, 100)  # means over the seeds, rounded
    assert row.score == bootstrap(table("KTO")).interval
    assert row.score.point == pytest.approx(0.85)
    assert row.measures.plain() == {"n": 10, "score": 0.5}  # a mean of intervals would be no interval


def test_practice_is_shown_as_the_share_of_the_way_to_unspoilt_lessons() -> None:
    right = {("", 0): "1110000000", ("KTO", 0): "1111110000", ("worked", 0): "1111111100"}
    students = [student(*key, said) for key, said in right.items()]
    recipe = {**students[0].recipe, "unspoilt": "worked"}
    named = [
        s._replace(recipe=recipe, name="M1" if s.arm != "KTO" else "M2", iteration=1 + (s.arm == "KTO"))
        for s in students
    ]
    assert {r.arm: r.recovered for r in score_table(named)} == {"": None, "worked": None, "KTO": pytest.approx(3 / 5)}
    assert [r.recovered for r in score_table(students)] == [None, None, None]
    near = {**right, ("worked", 0): "1111000000"}  # one problem of ten: a gap that may not be there has no shares
    students = [named[i]._replace(answers=student(*key, said).answers) for i, (key, said) in enumerate(near.items())]
    assert [r.recovered for r in score_table(students)] == [None, None, None]


def test_seeds_that_were_measured_on_other_problems_each_have_no_row() -> None:
    one, two = student("", 0, "1100"), student("", 1, "1100")
    two = two._replace(answers={"b": {f"other {p}": a for p, a in two.answers["b"].items()}})
    assert list(score_table([one, two])) == []


def test_the_base_has_a_row_of_its_own() -> None:
    base = student("", 0, "1000000000")._replace(name="M0", iteration=0)
    first, second = score_table([base, student("", 0, "1110000000")])
    assert (first.name, first.model, first.training.method) == ("the base, untrained", "M0", "")
    assert second.name == "imitate the teacher"


def test_seeds_are_never_pooled_as_problems() -> None:
    alike = {("", s): "1111100000" for s in range(5)}
    interval = made(alike)[""].score
    assert interval == bootstrap([[float(c) for c in alike["", 0]]]).interval  # five copies say no more than one
    pooled = wilson(25, 50)
    assert interval.high - interval.low > 1.5 * (pooled.high - pooled.low)


def test_differences_are_of_the_same_seeds_on_the_same_problems() -> None:
    row = made(RIGHT)["KTO"]
    assert [c.against for c in row.contrasts] == ["M1", "more SFT"]
    over_m1, over_control = row.contrasts
    assert (over_m1.result, over_control.result) == (None, None)
    assert over_m1.difference == bootstrap_difference(table(""), table("KTO"))
    assert over_m1.difference.point == pytest.approx(0.25)
    assert over_control.difference.point == pytest.approx(0.45)


def test_a_seed_that_is_not_there_yet_is_left_out_on_both_sides() -> None:
    part = {key: said for key, said in RIGHT.items() if key != ("KTO", 1)}
    row = made(part)["KTO"]
    assert row.seeds == {}
    assert row.score == wilson(8, 10)
    m1, kto = ([c == "1" for c in RIGHT[arm, 0]] for arm in ("", "KTO"))
    assert row.contrasts[0].result == paired(m1, kto)


def test_one_seed_is_measured_as_ever() -> None:
    found = made({("", 0): "1100", ("KTO", 0): "1110"})
    assert found[""].score == wilson(2, 4)
    assert found["KTO"].contrasts[0].result == paired([True, True, False, False], [True, True, True, False])
    assert found["KTO"].measures.low == 0.4


def test_students_with_other_problems_are_compared_on_those_they_share() -> None:
    first, second = student("", 0, "1111"), student("KTO", 0, "000000")
    m1, kto = score_table([first, second])
    assert (m1.n, kto.n) == (4, 6)
    assert kto.contrasts[0].result == paired([True] * 4, [False] * 4)


def trial(found: tuple[ResultRow, ...]) -> Results:
    return Results(
        name="trial",
        about="",
        origins=(),
        stages=(),
        rows=found,
        examples=(),
        licences={},
        facts={},
        metrics={},
        again=(),
        recipe="name: trial\n",
    )


def test_table_and_page_show_every_seed_and_say_what_the_interval_is_of() -> None:
    found = tuple(made(RIGHT).values())
    results = trial(found)
    out = io.StringIO()
    show(results, Console(file=out, width=200, no_color=True))
    assert "seeds 0, 1" in out.getvalue()
    assert "80.0 · 90.0" in out.getvalue()
    page = render_page(results)
    assert "80.0 · 90.0" in page
    assert "trained 2 times" in page
    assert "McNemar" not in page
    low, high = found[1].contrasts[0].difference[1:]
    words = (
        f"KTO (M2) is better than M1: +25.0 [+{100 * low:.1f}, +{100 * high:.1f}] points, mean of 2 seeds of training."
    )
    assert words in [f.text for f in findings(results)]


def test_a_page_of_single_runs_says_that_a_seed_may_move_it() -> None:
    found = tuple(score_table([student("", None, "1100"), student("KTO", None, "1110")]))
    page = render_page(trial(found))
    assert "One training run a row" in page
    assert "Small ticks" not in page
    assert Interval(0.25, 0.0, 0.0).point == found[1].contrasts[0].difference.point


def test_problems_of_one_family_count_for_what_they_are_worth_together() -> None:
    def of_families(s: Student) -> Student:
        told = {p: a.model_copy(update={"family": f"f{int(p[1:]) // 5}"}) for p, a in s.answers["b"].items()}
        return s._replace(answers={"b": told})

    first, second = "1111100000", "1111111111"
    pair = [of_families(student("", 0, first)), of_families(student("KTO", 0, second))]
    m1, kto = score_table(pair)
    names = [f"f{i // 5}" for i in range(10)]
    was, now = ([c == "1" for c in said] for said in (first, second))
    assert (m1.n, m1.families) == (10, 2)
    assert m1.score == share(was, names)
    assert m1.score.high - m1.score.low > 0.8  # two families that differ wholly say next to nothing
    assert kto.contrasts[0].result == paired(was, now, families=names)
    assert not kto.contrasts[0].difference.excludes_zero
    assert paired(was, now).difference.excludes_zero


def test_figures_beside_the_score_stand_in_tables_that_a_terminal_can_hold() -> None:
    limits = {"low": 0.1, "high": 0.2}
    votes = {str(k): {"score": 0.123, **limits, "calls_per_answer": k, "tokens_per_answer": 1.0} for k in (2, 4, 8, 16)}
    ways = [f"{way}, {n} steps" for way in ("forward", "inverse") for n in range(1, 5)]
    level = {name: {"n": 9, "score": 0.5, **limits} for name in ways}
    said = {"n": 10, "score": 0.5, **limits, "maj": votes, "pass": votes, "levels": level}
    out = io.StringIO()
    rows = score_table([student("more SFT", None, "1100", **said), student("", None, "1000", **said)])
    show(trial(tuple(rows)), Console(file=out, width=110, no_color=True))
    beside = out.getvalue().partition("b: other measures")[2]
    assert beside.count("b: greedy, % right by level") == 2  # the second is `continued`
    assert beside.count("forward,") == beside.count("inverse,") == 4
    assert {"pass@16", "maj@2", "judged", "strict"} <= set(beside.split())  # no word is broken
    assert "[10.0, 20.0]" not in beside
    assert max(map(len, beside.splitlines())) <= 110
