"""The gate as a stage: what it drops, stops at, reports; screens; books and facts."""

from pathlib import Path

import pytest

from orcamath.errors import DataError
from orcamath.records import Lesson, Problem, Rejected
from orcamath.stages.gate import GateSettings, gate
from orcamath.store.artifacts import Artifact, Output, Store
from scripted import writing

TEST = "Nadia plants 12 rows of tulips with 8 bulbs in each row; a storm ruins 20 bulbs. How many bulbs survive?"
COPY = TEST
MOVED = "Nadia plants 15 rows of tulips with 9 bulbs in each row; a storm ruins 30 bulbs. How many bulbs survive?"
CLEAN = "A bakery sells 40 loaves a day at 3 dollars each and pays 25 dollars rent. What is its profit after 5 days?"
OTHER = "Omar cycles 14 kilometres to work and back, five times a week. How far does he cycle in four weeks?"


class NoBakeries:
    fingerprint = "no bakeries"
    reason = "bakery"

    def __call__(self, question: str) -> str | None:
        return "the bakery" if "bakery" in question else None


def lesson(question: str, origin: str = "seed") -> Lesson:
    return Lesson.make(Problem.make(question, origin, "ours"), "so it is 1\n#### 1", "1", "teacher")


def run(
    tmp_path: Path,
    lessons: list[Lesson],
    problems: list[Problem],
    screens: tuple[NoBakeries, ...] = (),
    **chosen: object,
) -> Artifact:
    store = Store(tmp_path)
    tests = [Problem.make(TEST, "seed", "bench", split="test"), Problem.make(OTHER, "seed", "second", split="test")]

    def teach(out: Output) -> None:
        out.write("lessons", lessons)
        out.write("problems", problems)

    taught = store.stage("teach", 1, None, [], teach)
    read = store.stage("benchmarks", 1, None, [], writing({"problems": tests}))
    ways = GateSettings(**chosen)  # type: ignore[arg-type]
    return store.stage("gate", 1, ways, [], lambda out: gate(out, ways, taught, read, screens))


def test_copies_are_dropped_from_lessons_and_problems_and_booked(tmp_path: Path) -> None:
    fresh = [Problem.make(COPY, "ask_me_anything", "ours"), Problem.make(CLEAN + " Say it in euros.", "seed", "ours")]
    made = run(tmp_path, [lesson(COPY), lesson(CLEAN)], fresh)
    assert [r.question for r in made.read(Lesson)] == [CLEAN]
    assert [r.question for r in made.read(Problem)] == [fresh[1].question]
    assert [r.reason for r in made.read(Rejected)] == ["contaminated"] * 2
    assert made.balance == {
        "asked": 0,
        "parsed": 0,
        "failed": 0,
        "results": 4,
        "kept": 2,
        "rejected": {"contaminated": 2},
    }


def test_a_dropped_row_says_which_benchmark_question_it_is(tmp_path: Path) -> None:
    made = run(tmp_path, [lesson(COPY)], [])
    (row,) = made.read(Rejected)
    assert row.detail == Problem.make(TEST, "seed", "bench").id


def test_more_copies_than_neighbours_are_looked_at_are_all_dropped(tmp_path: Path) -> None:
    copies = [lesson(f"{COPY} Case {i}.") for i in range(25)]
    made = run(tmp_path, [*copies, lesson(CLEAN)], [], top=10)
    assert [r.question for r in made.read(Lesson)] == [CLEAN]


def test_report_lets_everything_pass_and_says_what_it_saw(tmp_path: Path) -> None:
    made = run(tmp_path, [lesson(COPY), lesson(CLEAN, "ask_me_anything")], [], policy="report")
    assert made.count("lessons") == 2
    assert made.facts["flagged"]["1"] == {"ge": 1, "gt": 1}
    assert made.facts["by_origin"]["seed"]["1"] == {"ge": 1, "gt": 1}
    assert made.facts["by_benchmark"]["second"]["1"] == {"ge": 0, "gt": 0}
    assert made.facts["colliding_rows"] == 1


def test_stop_ends_the_run_and_names_the_problem(tmp_path: Path) -> None:
    bad = lesson(COPY)
    with pytest.raises(DataError, match=bad.id):
        run(tmp_path / "bad", [lesson(CLEAN), bad], [], policy="stop")
    assert run(tmp_path / "good", [lesson(CLEAN)], [], policy="stop").count("lessons") == 1


def test_screens_always_drop_whatever_the_policy(tmp_path: Path) -> None:
    made = run(tmp_path, [lesson(COPY), lesson(CLEAN)], [], (NoBakeries(),), policy="report")
    assert [r.question for r in made.read(Lesson)] == [COPY]
    assert [(r.reason, r.detail) for r in made.read(Rejected)] == [("bakery", "the bakery")]
    assert made.facts["screened"] == {"bakery": 1}


def test_pairs_stand_side_by_side_with_shared_words_marked(tmp_path: Path) -> None:
    made = run(tmp_path, [lesson(MOVED)], [], policy="report")
    (pair,) = made.facts["pairs"]
    assert "".join(text for text, _ in pair["texts"]["training"]) == MOVED
    assert "".join(text for text, _ in pair["texts"]["test"]) == TEST
    marked = {word for text, shared in pair["texts"]["training"] if shared for word in text.split()}
    assert "tulips" in marked
    assert "15" not in marked
    assert "of" not in marked  # stop words are never evidence
    assert set(pair["scores"]) == {"paper", "every_pair", "masked"}
    assert pair["benchmark"] == "bench"


def test_which_looks_drop_is_a_setting(tmp_path: Path) -> None:
    longer = CLEAN + " " + OTHER + " " + TEST  # a copy inside a longer text: Jaccard is small, containment is 1
    assert run(tmp_path / "a", [lesson(longer)], [], drop_on=("every_pair",)).count("lessons") == 1
    assert run(tmp_path / "b", [lesson(longer)], [], drop_on=("containment",)).count("lessons") == 0


def test_at_the_threshold_exactly(tmp_path: Path) -> None:
    # TEST without stop words has 9 distinct words with "12 8 20"; keep half of the union exactly
    half = "zig zag zog Nadia plants tulips rows bulbs storm"
    words = {"nadia", "plants", "12", "rows", "tulips", "8", "bulbs", "row", "storm", "ruins", "20", "many", "survive"}
    shared = {"nadia", "plants", "tulips", "rows", "bulbs", "storm"}
    assert len(shared) / len(words | set(half.lower().split())) == 0.375
    made = run(tmp_path / "ge", [lesson(half)], [], threshold=0.375)
    assert made.count("lessons") == 0
    assert made.facts["flagged"]["1"] == {"ge": 1, "gt": 0}
    assert run(tmp_path / "gt", [lesson(half)], [], threshold=0.375, at="gt").count("lessons") == 1


def test_nothing_taught_and_texts_without_words_are_no_trouble(tmp_path: Path) -> None:
    assert run(tmp_path / "a", [], []).count("lessons") == 0
    made = run(tmp_path / "b", [lesson("???"), lesson("the of and")], [])
    assert made.count("lessons") == 2
