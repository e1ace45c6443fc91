"""Artifacts are whole or absent, named by what made them; books must add up; a run folder has one holder."""

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orcamath.commands.keeping import collect_garbage
from orcamath.errors import BrokenBalance, Damaged, DataError, RunBusy, SchemaTooNew, WireDown
from orcamath.ports import Message, Reply, Request, Sampling, Usage
from orcamath.records import Problem, Rejected, Settings, digest, outside_digest
from orcamath.store.artifacts import Output, Store
from orcamath.store.ledger import Ledger, Remembered
from orcamath.store.run_folder import RunFolder
from orcamath.store.tables import among, read_columns, read_table, write_table


class Knobs(Settings):
    temperature: float = 0.5
    threads: int = outside_digest(1)


def problems(n: int) -> list[Problem]:
    return [Problem.make(f"What is {i} plus 1?", "seed", "test", answer=str(i + 1)) for i in range(n)]


def write(n: int = 3):
    def make(out: Output) -> None:
        out.balance.results = out.balance.kept = out.write("problems", problems(n))

    return make


def test_a_stage_is_made_once_and_then_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.stage("seeds", 1, Knobs(), [], write())
    again = store.stage("seeds", 1, Knobs(), [], lambda _: pytest.fail("made twice"))
    assert not first.reused
    assert again.reused
    assert list(again.read(Problem)) == problems(3)


@pytest.mark.parametrize(
    ("version", "settings", "inputs", "same"),
    [
        (1, Knobs(), [], True),
        (1, Knobs(threads=9), [], True),
        (2, Knobs(), [], False),
        (1, Knobs(temperature=0.6), [], False),
        (1, Knobs(), ["other"], False),
    ],
)
def test_a_digest_names_what_made_a_thing_and_nothing_else(tmp_path, version, settings, inputs, same) -> None:
    store = Store(tmp_path)
    first = store.stage("seeds", 1, Knobs(), [], write())
    assert (store.stage("seeds", version, settings, inputs, write()).digest == first.digest) is same


def test_equal_records_make_equal_bytes(tmp_path: Path) -> None:
    a = Store(tmp_path / "a").stage("seeds", 1, None, [], write(5000))
    b = Store(tmp_path / "b").stage("seeds", 1, None, [], write(5000))
    for name in ("problems.parquet", "manifest.json"):
        assert (a.path / name).read_bytes() == (b.path / name).read_bytes()


@pytest.mark.parametrize("ending", [DataError("mine.csv:2"), KeyboardInterrupt(), ZeroDivisionError(), None])
@pytest.mark.parametrize("checkpoint", [True, False])
def test_what_ends_a_stage_early_leaves_nothing_half_made_but_checkpoints(
    tmp_path: Path, ending: BaseException | None, checkpoint: bool
) -> None:
    store = Store(tmp_path)

    def crash(out: Output) -> None:
        out.write("problems", problems(2))
        if checkpoint:
            (out.scratch / "steps" / "step-00000001").mkdir(parents=True)
        if ending is not None:
            raise ending
        out.calls.failures.append("timed out")

    with pytest.raises(WireDown if ending is None else type(ending)):
        store.stage("seeds", 1, None, [], crash)
    assert list(store.artifacts.iterdir()) == []
    assert [p.name.partition("-")[0] for p in store.scratch.glob("*/")] == (["seeds"] if checkpoint else [])
    assert "0 folders" in collect_garbage(tmp_path / "runs", tmp_path, dry=True)
    made = store.stage("seeds", 1, None, [], write())
    assert not made.reused
    assert made.count("problems") == 3


def test_wire_failures_keep_a_stage_from_being_sealed(tmp_path: Path) -> None:
    def fail(out: Output) -> None:
        out.calls.failures.append("timed out after 2 s")

    store = Store(tmp_path)
    with pytest.raises(WireDown, match="timed out after 2 s"):
        store.stage("teach", 1, None, [], fail)
    assert store.stage("teach", 1, None, [], write()).count("problems") == 3


@pytest.mark.parametrize(
    "books", [{"asked": 3, "parsed": 1, "failed": 1}, {"results": 2, "kept": 1}, {"results": 1, "kept": 2}]
)
def test_books_that_do_not_add_up_stop_the_run(tmp_path: Path, books: dict[str, int]) -> None:
    def make(out: Output) -> None:
        for name, n in books.items():
            setattr(out.balance, name, n)

    with pytest.raises(BrokenBalance, match="≠"):
        Store(tmp_path).stage("teach", 1, None, [], make)


def test_rejects_are_kept_with_their_reason(tmp_path: Path) -> None:
    def make(out: Output) -> None:
        out.reject(Rejected(item="x", reason="no_question", text="Tom has 3 apples."))

    made = Store(tmp_path).stage("edit", 1, None, [], make)
    assert made.balance["rejected"] == {"no_question": 1}
    assert [r.text for r in made.read(Rejected)] == ["Tom has 3 apples."]


def test_a_stage_balances_by_what_it_says_of_each_item(tmp_path: Path) -> None:
    def make(out: Output) -> None:
        out.parsed()
        out.reject(Rejected(item="x", reason="refused"), of_call=True)
        for _ in range(3):
            out.owe()
        out.keep(2, owed=True)
        out.reject(Rejected(item="y", reason="too_long"), owed=True)
        out.keep()

    books = Store(tmp_path).stage("teach", 1, None, [], make).balance
    assert (books["asked"], books["parsed"], books["failed"]) == (2, 1, 1)
    assert (books["results"], books["kept"], books["rejected"]) == (4, 3, {"too_long": 1})


def test_what_is_handed_on_and_lost_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(BrokenBalance, match="1 results were handed on"):
        Store(tmp_path).stage("teach", 1, None, [], lambda out: out.owe())


def test_a_newer_file_is_refused_by_name_and_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = store.stage("seeds", 1, None, [], write())
    manifest = json.loads((made.path / "manifest.json").read_text())
    (made.path / "manifest.json").write_text(json.dumps(manifest | {"manifest_version": 99}))
    with pytest.raises(SchemaTooNew, match="manifest"):
        store.stage("seeds", 1, None, [], write())


OLD = Path(__file__).parents[1] / "golden" / "store-0.1.0" / "store" / "artifacts"


@pytest.mark.parametrize("path", sorted(OLD.glob("*/problems.parquet")), ids=lambda p: p.parent.name.split("-")[0])
def test_columns_are_what_the_records_hold_of_a_table_of_any_version(path: Path, tmp_path: Path) -> None:
    records = list(read_table(path, Problem))
    write_table(tmp_path / "new.parquet", "problems", records)
    names = ("origin", "parents", "confirmed", "question")
    wanted = [tuple(getattr(p, name) for name in names) for p in records]
    for table in (path, tmp_path / "new.parquet"):
        assert [(a, tuple(b), c, d) for a, b, c, d in read_columns(table, Problem, *names)] == wanted
    some = {p.id for p in records[::2]}
    assert list(read_table(path, Problem, among("id", some))) == records[::2]
    with pytest.raises(DataError, match="not Rejected"):
        list(read_columns(path, Rejected, "reason"))


def test_a_torn_table_is_named(tmp_path: Path) -> None:
    made = Store(tmp_path).stage("seeds", 1, None, [], write())
    (made.path / "problems.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(Damaged, match=r"problems\.parquet"):
        list(made.read(Problem))


def test_a_second_run_in_one_folder_is_told_who_holds_it(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run"), pytest.raises(RunBusy, match=rf"process {os.getpid()}.*--wait"):
        RunFolder(tmp_path / "run").__enter__()
    with RunFolder(tmp_path / "run"):
        pass  # free again


def test_a_line_is_added_behind_one_that_a_crash_cut_short(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as folder:
        (tmp_path / "metrics.jsonl").write_text('{"step": 0}\n{"step": 1, "lo')
        folder.metric(step=2)
        folder.metric(step=3)
    assert (tmp_path / "metrics.jsonl").read_text().splitlines()[-2:] == ['{"step": 2}', '{"step": 3}']


def test_a_killed_holder_leaves_the_folder_free(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from orcamath.store.run_folder import RunFolder\n"
        f"held = RunFolder(Path({str(tmp_path)!r})).__enter__(); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunBusy):
            RunFolder(tmp_path).__enter__()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with RunFolder(tmp_path):
        pass


class Echo:
    """A model that answers with the question and counts what it was asked."""

    fingerprint = "echo-1"

    def __init__(self, chunk: int | None = None) -> None:
        self.chunk = chunk
        self.asked: list[str] = []

    def __call__(self, requests):
        for r in requests:
            self.asked.append(r.messages[0].content)
            failed = "lose me" in r.messages[0].content and len(self.asked) < 5
            yield Reply(
                r.key(self.fingerprint),
                f"echo {r.messages[0].content}",
                usage=Usage(1, 2),
                error="connection reset" if failed else None,
            )


def ask(text: str, draw: int = 0, temperature: float = 0.0) -> Request:
    return Request((Message("user", text),), sampling=Sampling(temperature), draw=draw)


def test_a_call_is_asked_once_and_remembered_across_processes(tmp_path: Path) -> None:
    model = Echo()
    ledger = Ledger(tmp_path)
    assert Remembered(model, ledger).fill([ask("a"), ask("b"), ask("a")]) == []
    ledger.close()
    again = Remembered(model, Ledger(tmp_path))
    again.fill([ask("b"), ask("a"), ask("c")])
    assert model.asked == ["a", "b", "c"]
    assert again.reply(ask("b")).text == "echo b"
    assert again.reply(ask("d")) is None


def test_a_failure_of_the_wire_is_not_remembered(tmp_path: Path) -> None:
    model = Echo()
    chat = Remembered(model, Ledger(tmp_path))
    assert chat.fill([ask("lose me"), ask("a")]) == ["connection reset"]
    assert chat.reply(ask("lose me")) is None
    for _ in range(3):
        chat.fill([ask("lose me")])
    assert chat.reply(ask("lose me")).text == "echo lose me"


def test_a_model_with_chunks_gets_them_whole_or_not_at_all(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    model = Echo()
    Remembered(model, ledger).fill([ask("a"), ask("b"), ask("c")])
    chunked = Echo(chunk=2)
    Remembered(chunked, ledger).fill([ask(x) for x in "abcdef"])
    assert chunked.asked == ["c", "d", "e", "f"]  # a and b were known; c is asked again beside d


def test_keys_tell_models_draws_and_sampling_apart_but_not_greedy_draws() -> None:
    base = ask("a", temperature=0.7)
    keys = {r.key(f) for r, f in [(base, "x"), (base, "y"), (ask("a", 1, 0.7), "x"), (ask("a", 0, 0.8), "x")]}
    assert len(keys) == 4
    assert ask("a", 0).key("x") == ask("a", 3).key("x")
    assert Request(token_ids=(1, 2)).key("x") != Request(token_ids=(12,)).key("x")
    assert digest("a", "b") != digest("ab")


def test_what_a_request_says_is_kept_with_it_and_never_handed_to_a_changed_one() -> None:
    asked, fresh = ask("a", 1, 0.7), ask("a", 1, 0.7)
    said = asked.content()
    assert asked.content() is said
    assert (asked, hash(asked), repr(asked)) == (fresh, hash(fresh), repr(fresh))
    assert pickle.loads(pickle.dumps(asked)).key("x") == fresh.key("x")
    for other in (replace(asked, token_ids=(1,)), replace(asked, sampling=Sampling(0.8))):
        assert other.content() != said
