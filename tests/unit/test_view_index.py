"""The viewer's index while a run goes on, is broken off, or lies elsewhere: every record once, with what is true of it."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from orcamath.errors import UsageError
from orcamath.ports import Message, Reply, Request
from orcamath.records import Attempt, Exercise, Problem, Verdict
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.facts import Facts
from orcamath.store.ledger import Ledger
from orcamath.store.seals import read_sealed, write_sealed
from orcamath.view import index
from orcamath.view.calls import RememberedCalls, latest_calls
from orcamath.view.find import Query, facets, page, record_totals
from orcamath.view.opened import Opened
from orcamath.view.whole import whole
from report_run import make_run, seal


def point(folder: Path, label: str, made: Artifact) -> None:
    """Let the run point to one more stage."""
    pointers = read_sealed(folder / "stages.json") or {}
    pointers["stages"].append({"label": label, "artifact": made.path.name, "seconds": 0.0, "reused": False})
    write_sealed(folder / "stages.json", pointers)


def totals(run: Opened) -> dict[str, int]:
    with run.reading() as db:
        return record_totals(db)


def broken_off(run: Opened, at: int) -> None:
    """Interrupt the viewer as it writes its `at`-th record, or, where there are fewer, as it joins what it read."""
    left = [at]

    def interrupts(frame: FrameType, _event: str, _of: object) -> None:
        name = frame.f_code.co_name
        left[0] -= name == "_insert"
        if left[0] < 0 or name == "join_verdicts":
            raise KeyboardInterrupt

    sys.settrace(interrupts)
    try:
        with pytest.raises(KeyboardInterrupt):
            run.update()
    finally:
        sys.settrace(None)
    run.index.close()


@pytest.mark.parametrize("at", [70, 150, 10_000])
def test_a_viewer_that_was_broken_off_goes_on_with_every_record_once(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "BATCH", 7)
    folder, store = make_run(tmp_path)
    whole_run = Opened(folder, store)
    whole_run.update()
    expected = totals(whole_run)
    whole_run.index.close()
    (folder / "view.sqlite").unlink()
    broken_off(Opened(folder, store), at)
    again = Opened(folder, store)
    again.update()
    assert totals(again) == expected
    with again.reading() as db:
        assert page(db, Query("attempts", filters={"outcome": "agrees", "agreement": "all"})).n == 4
        rejected = page(db, Query("rejected", limit=500)).rows
        assert len({(r["name"], r["reason"], r["stage"]) for r in rejected}) == len(rejected)
    again.index.close()


def ask(store: Store, model: str, *asked: str) -> None:
    ledger = Ledger(store.root / "ledger")
    for text in asked:
        request = Request((Message("user", text),))
        ledger.put(request, model, Reply(request.key(model), f"So {text}"))
    ledger.close()


def test_calls_of_a_model_that_a_later_stage_names_are_listed_though_others_came_after_them(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    ask(store, "judge-1", "one", "two")
    ask(store, "writer-1", "three")
    ask(store, "stranger", "four")
    point(folder, "calling", seal(store, "calling", lambda _: Facts.of({"called": True}), "writer-1"))
    run = Opened(folder, store)
    run.update()
    assert totals(run)["calls"] == 1
    point(folder, "judging", seal(store, "judging", lambda _: Facts.of({"called": True}), "judge-1"))
    run.update()
    with run.reading() as db:
        assert sorted(r["head"] for r in page(db, Query("calls")).rows) == ["So one", "So three", "So two"]
    ask(store, "judge-1", "five")
    run.update()
    run.update()
    assert totals(run)["calls"] == 4
    run.index.close()


def test_a_call_that_was_forgotten_is_not_shown_as_the_one_that_has_its_number_now(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    ask(store, "student-1", "one")
    point(folder, "calling", seal(store, "calling", lambda _: Facts.of({"called": True}), "student-1"))
    run = Opened(folder, store)
    run.update()
    ledger = Ledger(store.root / "ledger")
    ledger.forget(["student-1"])
    ledger.close()
    ask(store, "stranger", "two")
    with run.reading() as db:
        (row,) = page(db, Query("calls")).rows
        assert whole(db, row["id"], run.spelling()) is None
    run.index.close()


@pytest.mark.parametrize("again", [("three",), ("three", "four", "five"), ("two", "three")])
def test_calls_that_have_the_numbers_of_forgotten_ones_are_listed(again: tuple[str, ...], tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    ask(store, "writer-1", "one")
    ask(store, "student-1", "two", "too")
    point(folder, "calling", seal(store, "calling", lambda _: Facts.of({"called": True}), "writer-1"))
    run = Opened(folder, store)
    run.update()
    ledger = Ledger(store.root / "ledger")
    ledger.forget(["student-1"])  # another run's, behind all that this one asked
    ledger.close()
    ask(store, "writer-1", *again)
    run.update()
    run.update()
    with run.reading() as db:
        rows = page(db, Query("calls")).rows
        assert sorted(r["head"] for r in rows) == sorted(f"So {text}" for text in ("one", *again))
        assert all(whole(db, r["id"], run.spelling()) is not None for r in rows)
    inode = run.index.path.stat().st_ino
    ask(store, "writer-1", "six")
    run.update()
    assert (totals(run)["calls"], run.index.path.stat().st_ino) == (
        2 + len(again),
        inode,
    )  # gone on with, not begun again
    run.index.close()


def test_the_newest_calls_are_of_the_shard_that_was_written_last(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path), Ledger(tmp_path)

    def put(ledger: Ledger, *texts: str) -> None:
        for text in texts:
            request = Request((Message("user", text),))
            ledger.put(request, "m", Reply(request.key("m"), text))
        ledger.commit()

    def newest(n: int) -> list[str]:
        return [call.reply.text for call in latest_calls(RememberedCalls(tmp_path, frozenset()), n)]

    put(first, *"abc")
    put(second, *"xyz")  # a process beside the first has a shard of its own
    assert (newest(2), newest(5)) == (["z", "y"], ["z", "y", "x", "c", "b"])
    second.close()
    put(first, "d")
    assert newest(6) == ["d", "c", "b", "a", "z", "y"]
    first.close()
    Ledger(tmp_path).counts()
    assert newest(3) == ["d", "c", "b"]  # opened, not written


def test_a_run_that_lies_elsewhere_now_shows_its_records_from_there(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path / "here")
    ask(store, "writer-1", "three")
    point(folder, "calling", seal(store, "calling", lambda _: Facts.of({"called": True}), "writer-1"))
    first = Opened(folder, store)
    first.update()
    expected = totals(first)
    first.index.close()
    shutil.move(tmp_path / "here", tmp_path / "there")
    run = Opened(tmp_path / "there" / "runs" / "trial", Store(tmp_path / "there" / "store"))
    run.update()
    assert totals(run) == expected
    with run.reading() as db:
        for kind in ("problems", "lessons", "answers", "calls"):
            found = whole(db, page(db, Query(kind)).rows[-1]["id"], run.spelling())
            assert found is not None, kind
    run.index.close()


def test_the_viewer_that_is_left_keeps_the_index_up_to_date(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    first, second = Opened(folder, store), Opened(folder, store)
    first.update()
    second.update()
    assert (first.index.writes, second.index.writes) == (True, False)
    before = totals(second)
    first.index.close()
    point(folder, "late", seal(store, "late", lambda out: out.write("problems", [kite(1)]) and None))
    first.update()  # it has ended
    assert totals(second) == before
    second.update()
    assert totals(second)["problems"] == before["problems"] + 1
    second.index.close()


def test_a_store_that_is_not_the_runs_is_said_and_the_index_stays(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    run = Opened(folder, store)
    run.update()
    before = totals(run)
    run.index.close()
    run = Opened(folder, Store(tmp_path / "another"))
    with pytest.raises(UsageError, match=r"is no longer in `.*another"):
        run.update()
    assert totals(run) == before
    run.index.close()


def kite(n: int) -> Problem:
    return Problem.make(f"In the last decade Gus made 100000 kites and {n} more. How many?", "seed", "late")


@pytest.mark.parametrize("typed", ["decade", "100000", "facade"])
def test_a_word_that_may_begin_an_id_is_found_as_a_word_too(typed: str, tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    point(folder, "late", seal(store, "late", lambda out: out.write("problems", [kite(1), kite(2)]) and None))
    run = Opened(folder, store)
    run.update()
    with run.reading() as db:
        assert page(db, Query("problems", typed)).n == (0 if typed == "facade" else 2)
        assert sum(n for _, n in facets(db, Query("problems", typed)).get("source", ())) == (
            0 if typed == "facade" else 2
        )
        id_of = kite(1).id
        assert [r["name"] for r in page(db, Query("problems", id_of[:12])).rows] == [id_of]
    run.index.close()


ASKED = [Exercise(problem_id=f"p{i}", question=f"{i} + 1?", reference=str(i + 1), label="teacher") for i in range(2)]


def tries(problem: str, *texts: str, first: int = 0) -> list[Attempt]:
    return [
        Attempt.make(problem, first + d, text, "student-9", token_ids=None, finish_reason="stop")
        for d, text in enumerate(texts)
    ]


def practised(attempts: list[Attempt], outcomes: list[str] | None = None) -> Callable[[Output], None]:
    def make(out: Output) -> None:
        out.write("exercises", ASKED)
        out.write("attempts", attempts)
        if outcomes is not None:
            judged(attempts, outcomes)(out)

    return make


def judged(attempts: list[Attempt], outcomes: list[str], by: str = "rules") -> Callable[[Output], None]:
    def make(out: Output) -> None:
        said = [
            Verdict.of({"attempt_id": a.id, "problem_id": a.problem_id, "outcome": o, "by": by})
            for a, o in zip(attempts, outcomes, strict=True)
        ]
        out.write("verdicts", said)

    return make


@pytest.mark.parametrize("at_once", [True, False])
def test_the_verdict_of_a_sample_is_the_last_that_its_arm_came_to(at_once: bool, tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    some = tries("p0", "It is 7.", "So 7.")
    run = Opened(folder, store)
    point(folder, "practice 8", seal(store, "practice", practised(some), "eight"))
    point(folder, "judge 8", seal(store, "judge", judged(some, ["disagrees"] * 2), "eight"))
    if not at_once:
        run.update()
        with run.reading() as db:
            assert (
                page(db, Query("attempts", filters={"round": "8", "outcome": "disagrees", "agreement": "none"})).n == 2
            )
    point(folder, "reask 8", seal(store, "reask", practised(some, ["agrees"] * 2), "eight"))
    run.update()
    with run.reading() as db:
        rows = page(db, Query("attempts", filters={"round": "8"})).rows
    assert [(r["outcome"], r["agreement"], r.get("mistake")) for r in rows] == [("agrees", "all", None)] * 2
    run.index.close()


def test_samples_that_agree_are_counted_over_all_spells_of_a_round(tmp_path: Path) -> None:
    folder, store = make_run(tmp_path)
    one, two = tries("p0", "It is 7."), tries("p0", "It is 1.", first=1)
    for n, (attempts, outcome) in enumerate([(one, "disagrees"), (two, "agrees")], start=1):
        point(folder, f"practice 8.{n}", seal(store, "practice", practised(attempts), f"eight.{n}"))
        point(folder, f"judge 8.{n}", seal(store, "judge", judged(attempts, [outcome]), f"eight.{n}"))
    run = Opened(folder, store)
    run.update()
    with run.reading() as db:
        assert [r["agreement"] for r in page(db, Query("attempts", problem="p0")).rows] == ["some", "some"]
    run.index.close()
