"""Folding a run: every student once, M1 and the control to compare with, nothing lost between disk and table."""

import io
import json
import shutil
from pathlib import Path

import pytest

from orcamath.errors import UsageError
from orcamath.intervals import Interval, Paired, paired
from orcamath.ports import Silent
from orcamath.records import Lesson, Problem, Scored
from orcamath.report.arms import arms_of, load_artifact
from orcamath.report.fold import Origin, Results, fold, students_of
from orcamath.report.progress import Bars
from orcamath.report.rows import Contrast
from orcamath.report.table import difference, percent, show
from orcamath.report.training import training_of
from orcamath.store.artifacts import Output, Store
from orcamath.store.seals import read_sealed, write_sealed
from orcamath.terminal import console
from report_run import make_run, seal

PAPER = {"problems": "lessons", "label": "teacher"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    return make_run(tmp_path_factory.mktemp("run"), n=200)


@pytest.fixture(scope="module")
def results(run: tuple[Path, Store]) -> Results:
    return fold(*run)


def test_every_student_is_a_row_and_m1_is_there_once(results: Results) -> None:
    assert [(r.arm, r.model) for r in results.rows] == [
        ("", "M1"),
        ("KTO + NLL", "M2"),
        ("KTO + NLL", "M3"),
        ("more SFT", "M2"),
        ("more SFT", "M3"),
        ("NLL on right samples", "M2"),
        ("NLL on right samples", "M3"),
    ]
    assert results.rows[0].name == "imitate the teacher"
    assert results.rows[0].contrasts == ()


def test_scores_are_counted_from_the_answers_themselves(run: tuple[Path, Store], results: Results) -> None:
    folder, store = run
    pointers = json.loads((folder / "stages.json").read_text())
    answers = list(load_artifact(store, pointers["students"][0]["scored"]).read(Scored))
    m1 = results.rows[0]
    assert (m1.n, m1.right) == (200, sum(a.outcome == "agrees" for a in answers))
    assert m1.cut_off == sum(a.finish_reason == "length" for a in answers)
    assert m1.unjudged == sum(a.outcome == "unjudged" for a in answers)


def test_differences_are_paired_by_problem_against_m1_and_the_control_of_the_same_iteration(
    run: tuple[Path, Store], results: Results
) -> None:
    folder, store = run

    def right(arm: str, model: str) -> list[bool]:
        pointers = json.loads((folder / arm / "stages.json").read_text())
        scored = next(s["scored"] for s in pointers["students"] if s["name"] == model)
        return [a.outcome == "agrees" for a in load_artifact(store, scored).read(Scored)]

    row = next(r for r in results.rows if (r.arm, r.model) == ("KTO + NLL", "M3"))
    kto, control = right("arms/kto-+-nll", "M3"), right("arms/more-sft", "M3")
    assert row.contrasts == (
        Contrast("M1", paired(right("", "M1"), kto)),
        Contrast("more SFT", paired(control, kto)),
    )


def test_only_greedy_answers_count(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path, n=10)
    pointers = read_sealed(folder / "stages.json")
    assert pointers is not None

    def twice(out: Output) -> None:
        rows = [
            Scored(
                problem_id="p",
                benchmark="b",
                draw=d,
                text="",
                final_answer=None,
                gold="1",
                outcome="agrees" if d else "disagrees",
                by="rules",
                finish_reason="stop",
                n_tokens=1,
            )
            for d in range(3)
        ]
        out.write("scored", rows)

    pointers["students"][0]["scored"] = seal(store, "evaluate", twice, "other").path.name
    write_sealed(folder / "stages.json", pointers)
    shutil.rmtree(folder / "arms")
    (row,) = fold(folder, store).rows
    assert (row.n, row.right) == (1, 0)


def test_arms_come_in_the_recipes_order_and_forgotten_folders_are_left_out(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path, n=10)
    shutil.copytree(folder / "arms" / "more-sft", folder / "arms" / "an-old-arm")
    old = folder / "arms" / "an-old-arm" / "recipe.yaml"
    old.write_text(old.read_text().replace("name: more SFT", "name: an old arm"))
    assert list(fold(folder, store).metrics) == ["", "KTO + NLL", "more SFT", "NLL on right samples"]


def test_origins_add_up_over_the_rounds_that_grow(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path, n=10)
    new = Problem.make("Gus has 9 figs and eats 2. How many are left?", "ask_me_anything", "classroom", licence="0BSD")
    lesson = Lesson.make(new, "9 - 2 = 7. It is 7.", "7", "teacher")
    pointers = read_sealed(folder / "stages.json")
    assert pointers is not None
    first = next(s["artifact"] for s in pointers["stages"] if s["label"] == "gate")
    both = [*load_artifact(store, first).read(Lesson), lesson]
    made = {
        "ask 3": seal(store, "ask", lambda out: out.write("problems", [new]), "a later round"),
        "collect 3": seal(store, "collect", lambda out: out.write("problems", [new]), "a later round"),
        "teach 3": seal(store, "teach", lambda out: out.write("lessons", [lesson]), "a later round"),
        "gate 3": seal(store, "gate", lambda out: out.write("lessons", both), "a later round"),
    }
    before = fold(folder, store)
    pointers["stages"] += [{"label": k, "artifact": a.path.name, "seconds": 1.0} for k, a in made.items()]
    write_sealed(folder / "stages.json", pointers)
    after = fold(folder, store)
    seeds, asked, *edited = after.origins
    assert [seeds, *edited] == [before.origins[0], *before.origins[2:]]
    assert asked == Origin(asked.origin, *(n + 1 for n in before.origins[1][1:]))
    assert after.licences == {**before.licences, "0BSD": 1}
    assert sum(kind.n for kind in after.lesson_kinds) == 1 + sum(kind.n for kind in before.lesson_kinds)


def test_stages_that_arms_share_are_listed_once(results: Results) -> None:
    labels = [s.key for s in results.stages]
    assert labels.count("imitate") == 1
    assert len(labels) == len(set(labels))
    assert set(labels) == set(results.facts)


def test_rejected_and_failed_are_kept_apart(results: Results) -> None:
    edit = next(s for s in results.stages if s.label == "edit")
    assert (edit.kept, edit.rejected, edit.failed) == (10, {"numbers_lost": 2}, {"empty_reply": 1})
    assert edit.balance == {"asked": 11, "parsed": 10, "failed": 1, "results": 12, "kept": 10, "rejected": 2}


def test_problems_are_followed_from_origin_into_the_lessons(results: Results) -> None:
    assert [tuple(o) for o in results.origins] == [
        ("seed", 24, 24, 22, 24),
        ("ask_me_anything", 24, 18, 18, 24),
        ("suggester_editor", 10, 7, 7, 9),
    ]
    assert sum(results.licences.values()) == 47


def test_examples_say_how_long_the_whole_was(results: Results) -> None:
    example = next(e for e in results.examples if e.reason == "numbers_lost")
    assert (example.n, len(example.text), example.n_chars) == (2, 600, 23 * 60)


def test_examples_are_of_all_arms(results: Results) -> None:
    learnt = [e for e in results.examples if e.reason == "no_right_answer"]
    assert [e.stage for e in learnt if e.stage.startswith("KTO")] == ["KTO + NLL: learn 2", "KTO + NLL: learn 3"]
    assert {e.item for e in learnt} == {"0f1e2d"}


def test_metrics_survive_a_torn_line_and_a_repeated_step(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path, n=10)
    with (folder / "metrics.jsonl").open("a") as f:
        f.write(
            json.dumps({"stage": 7, "step": 3, "loss": 9.0}) + '\n[1]\n{"stage": "7"}\n{"step": null}\n{"stage": 7, "st'
        )
    steps = fold(folder, store).metrics[""]
    assert len(steps) == 30
    assert steps[3]["loss"] == 9.0
    assert {s["label"] for s in steps} == {"imitate"}


def test_a_training_begun_anew_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path, n=10)
    stage = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])["stage"]
    with (folder / "metrics.jsonl").open("a") as f:
        f.writelines(json.dumps({"stage": stage, "step": step, "loss": 5.0}) + "\n" for step in range(4))
    assert [s["loss"] for s in fold(folder, store).metrics[""]] == [5.0] * 4


def test_an_m1_that_two_arms_share_and_the_base_has_not_is_each_ones_own(tmp_path: Path) -> None:
    """What an arm gained by practice, and of which gap, is held against the M1 that it practised with."""
    folder, store = make_run(tmp_path, n=10)
    base = read_sealed(folder / "stages.json") or {}
    other = next(
        s for place in (folder / "arms").glob("*/stages.json") for s in (read_sealed(place) or {})["students"][1:]
    )
    for place in sorted((folder / "arms").glob("*/stages.json"))[:2]:
        pointers = read_sealed(place) or {}
        pointers["students"][0] = {**base["students"][0], "scored": other["scored"], "model": other["model"]}
        write_sealed(place, pointers)
    m1 = [s.arm for s in students_of(arms_of(folder), store) if s.name == "M1"]
    assert len(m1) == 3
    assert m1[0] == ""


def test_an_empty_folder_and_a_lost_artifact_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was run in"):
        fold(tmp_path, Store(tmp_path / "store"))
    folder, store = make_run(tmp_path, n=10)
    shutil.rmtree(next(store.artifacts.glob("gate-*")))
    with pytest.raises(UsageError, match=r"`gate-\w+` is no longer in"):
        fold(folder, store)


@pytest.mark.parametrize(
    ("recipe", "iteration", "expected"),
    [
        ({}, 1, ("SFT", "", "")),
        ({"iterations": [{"more_sft": {"epochs": 1}}]}, 2, ("more SFT", "", "")),
        (
            {"iterations": [{"learn": {"loss": "kto", "nll_weight": 0.0}, "practice": PAPER}]},
            2,
            ("KTO", "lessons / teacher", ""),
        ),
        (
            {"iterations": [{}, {"learn": {"loss": "apo_zero", "nll_weight": 0.5}}], "reference": "first"},
            3,
            ("APO-ZERO + 0.5 NLL", "", "M1"),
        ),
        ({"iterations": [{"learn": {"loss": "nll", "nll_weight": 1}}]}, 2, ("NLL", "", "")),
        ({"iterations": [{"learn": {"loss": "./mine.py"}}]}, 2, ("./mine.py", "", "")),
        ({"iterations": []}, 4, ("", "", "")),
    ],
)
def test_rows_are_named_for_what_they_are(recipe: dict[str, object], iteration: int, expected: tuple[str, ...]) -> None:
    assert training_of(recipe, iteration) == expected


def test_figures_are_written_with_their_limits_and_a_star_only_where_zero_is_excluded() -> None:
    assert percent(Interval(0.5, 0.4512, 0.549)) == "50.0 [45.1, 54.9]"
    sure, open_ = Interval(0.031, 0.002, 0.06), Interval(0.031, 0.0, 0.06)
    assert difference(Contrast("M1", Paired(100, 1, 4, sure, 0.1))) == "+3.1 [+0.2, +6.0] *"
    assert difference(Contrast("M1", Paired(100, 1, 4, open_, 0.1))) == "+3.1 [+0.0, +6.0]"
    assert difference(None) == "–"


def test_the_terminal_shows_every_row_and_obeys_no_text(results: Results) -> None:
    hostile = results._replace(origins=(results.origins[0]._replace(origin="[red]\x1b[2J[/foo]"),))
    out = io.StringIO()
    show(hostile, console(file=out, width=200, no_color=True))
    text = out.getvalue()
    assert "[red]⟨U+001B⟩[2J[/foo]" in text
    assert "\x1b" not in text
    for row in results.rows:
        assert percent(row.score) in text
    assert "fresh / known_answer" in text
    assert "numbers_lost 2, empty_reply 1" in text


def test_bars_stay_silent_for_what_is_quick_and_count_for_what_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    quick = Bars()
    quick.begin("ask", 10)
    quick.advance(10)
    quick.end()
    assert capsys.readouterr().err == ""
    Silent().begin("ask", None)
    Silent().advance()
    Silent().end()


def test_a_plain_line_tells_rate_time_left_and_money(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 20.0, 21.0])
    monkeypatch.setattr("orcamath.report.progress.time.monotonic", lambda: next(clock))
    bars = Bars(money=lambda: (1.5, 1234.5))
    bars.begin("teach", 100)
    bars.advance(40, spent_usd=1.5)
    assert capsys.readouterr().err == "  teach: 40 of 100, 2.0/s, 30 s left, $1.50 spent of $1,234.50\n"
    bars.advance(1)  # a line now and then, not one an item
    assert capsys.readouterr().err == ""
