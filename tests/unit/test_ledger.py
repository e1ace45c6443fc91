"""The ledger: what was paid for is known from then on, in little room, through crashes and full disks."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcamath.errors import DataError, DiskFull, RunBusy, SchemaTooNew
from orcamath.ports import Message, Reply, Request, Sampling, Usage
from orcamath.store.ledger import LEDGER_VERSION, Ledger, Remembered
from orcamath.store.ledger_format import PAGE_BYTES, join, pack_reply, split_prompt, unpack_reply
from orcamath.store.sqlite_errors import connect, transaction
from pace import within

GOLDEN = Path(__file__).parents[1] / "golden" / "ledger"


def ask(text: str, draw: int = 0, temperature: float = 0.7) -> Request:
    return Request(
        (Message("system", "Task: solver"), Message("user", text)), sampling=Sampling(temperature), draw=draw
    )


def answer(request: Request, text: str, model: str = "m") -> Reply:
    return Reply(request.key(model), text, "stop", Usage(10, 3))


texts = st.text(max_size=200)
ids = st.lists(st.integers(0, 200_000), max_size=30).map(tuple)
requests = st.one_of(
    st.builds(
        Request,
        messages=st.lists(
            st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), min_size=1, max_size=4
        ).map(tuple),
        sampling=st.builds(
            Sampling, st.floats(0, 2), st.floats(0.1, 1), st.integers(1, 4096), st.lists(texts, max_size=2).map(tuple)
        ),
    ),
    st.builds(Request, token_ids=ids, draw=st.integers(0, 9)),
)


@settings(max_examples=60, deadline=None)
@given(
    requests,
    st.builds(
        Reply,
        st.just(b"k" * 16),
        st.text(st.characters(), max_size=200),  # surrogates too: models write anything
        st.sampled_from(["stop", "length", "refused"]),
        st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6)),
        st.none() | ids,
        st.none(),
        st.none() | texts,
    ),
)
def test_what_is_packed_comes_back(request, reply) -> None:
    parts = split_prompt(request)
    assert join(parts.prefix, parts.body, request.draw) == request
    assert unpack_reply(reply.key, pack_reply(reply, parts), parts.body if parts.is_text else b"") == reply


def test_replies_are_there_after_closing_and_in_another_process(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for i in range(100):
        ledger.put(ask(f"q {i}"), "m", answer(ask(f"q {i}"), f"a {i}"))
    ledger.close()
    again = Ledger(tmp_path)
    assert [again.get(ask(f"q {i}").key("m")).text for i in range(100)] == [f"a {i}" for i in range(100)]  # type: ignore[union-attr]
    assert again.get(ask("q 0").key("another model")) is None
    assert again.counts() == {"m": 100}
    again.close()


def test_a_closed_ledger_can_be_read_again_at_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.put(ask("q"), "m", answer(ask("q"), "a"))
    ledger.close()
    assert ledger.has(ask("q").key("m"))
    assert ledger.counts() == {"m": 1}
    ledger.close()


def test_a_call_of_a_killed_process_is_kept_once_a_commit_window_has_passed(tmp_path: Path) -> None:
    code = f"""
import os, time
from pathlib import Path
from orcamath.ports import *
from orcamath.store.ledger import COMMIT_S, Ledger
ledger = Ledger(Path({str(tmp_path)!r}))
request = Request((Message("user", "q"),))
ledger.put(request, "m", Reply(request.key("m"), "a"))
time.sleep(COMMIT_S * 10)
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    kept = Ledger(tmp_path).get(Request((Message("user", "q"),)).key("m"))
    assert kept is not None
    assert kept.text == "a"


def test_draws_share_their_prompt_and_prompts_their_prefix(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for i in range(30):
        for draw in range(4):
            ledger.put(ask(f"q {i}", draw), "m", answer(ask(f"q {i}", draw), f"a {draw}"))
    ledger.close()
    db = sqlite3.connect(tmp_path / "shard-0.sqlite")
    counts = [db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("prefixes", "prompts", "calls")]
    assert counts == [1, 30, 120]


def test_two_writers_take_a_shard_each_and_read_both(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    first.put(ask("one"), "m", answer(ask("one"), "1"))
    second.put(ask("two"), "m", answer(ask("two"), "2"))
    first.commit()
    second.commit()
    assert len(list(tmp_path.glob("shard-*.sqlite"))) == 2
    late = Ledger(tmp_path)
    assert late.has(ask("one").key("m"))
    assert late.has(ask("two").key("m"))
    with pytest.raises(RunBusy):
        late.forget(["m"])
    for ledger in (first, second, late):
        ledger.close()


def test_what_a_forgotten_model_said_is_gone_and_the_rest_stays(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for i in range(300):
        for model in ("teacher", "old student"):
            ledger.put(ask(f"q {i}" * 20), model, answer(ask(f"q {i}" * 20), f"a {i}" * 50, model))
    ledger.close()
    before = (tmp_path / "shard-0.sqlite").stat().st_size
    assert ledger.forget(["old student"]) == 300
    assert ledger.counts() == {"teacher": 300}
    assert ledger.get(ask("q 7" * 20).key("teacher")).text == "a 7" * 50  # type: ignore[union-attr]
    ledger.close()
    assert (tmp_path / "shard-0.sqlite").stat().st_size < before


@pytest.mark.parametrize("version", range(1, LEDGER_VERSION + 1))
def test_a_ledger_of_every_version_is_read_and_migrated(tmp_path: Path, version: int) -> None:
    shutil.copy(GOLDEN / f"version-{version}.sqlite", tmp_path / "shard-0.sqlite")
    ledger = Ledger(tmp_path)
    chat = Request(
        (Message("system", "Task: solver"), Message("user", "How many is 2 and 3?")),
        sampling=Sampling(0.7, 0.95, 64, ("\n\n",)),
        draw=1,
    )
    prompt = Request(token_ids=(1, 2, 300, 70000), sampling=Sampling(0.0, 1.0, 8))
    said = Reply(chat.key("gpt-x@1"), "2 + 3 = 5\n#### 5", "stop", Usage(20, 9), None, None, "thinking")
    sampled = Reply(prompt.key("weights-abc"), "five", "length", Usage(4, 2), (5, 70001))
    assert ledger.get(chat.key("gpt-x@1")) == said
    assert ledger.get(prompt.key("weights-abc")) == sampled
    assert [(e.fingerprint, e.request, e.reply) for e in sorted(ledger.entries())] == [
        ("gpt-x@1", chat, said),
        ("weights-abc", prompt, sampled),
    ]
    ledger.close()


def test_a_ledger_from_the_future_is_left_alone(tmp_path: Path) -> None:
    Ledger(tmp_path).put(ask("q"), "m", answer(ask("q"), "a"))
    db = sqlite3.connect(tmp_path / "shard-0.sqlite")
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(SchemaTooNew, match="upgrade"):
        Ledger(tmp_path).has(b"x" * 16)


def test_samples_take_at_most_a_kilobyte_and_solutions_three(tmp_path: Path) -> None:
    words = [f"w{i:03x}" for i in range(600)]  # about as repetitive as a solution is
    sample, solution = Ledger(tmp_path / "student"), Ledger(tmp_path / "teacher")
    for i in range(300):
        text = " ".join(words[(i * 7 + j * j) % 600] for j in range(200))
        prompt = Request(token_ids=tuple((i + j * 3) % 30_000 for j in range(80)), sampling=Sampling(0.7))
        for draw in range(4):
            request = Request(token_ids=prompt.token_ids, sampling=prompt.sampling, draw=draw)
            drawn = tuple((i * 31 + draw * 17 + j * j) % 32_000 for j in range(200))
            sample.put(request, "s", Reply(request.key("s"), text[: 900 - draw], "stop", Usage(80, 200), drawn))
        question = Request((Message("system", "Task: solver" * 200), Message("user", text)))
        solution.put(question, "t", Reply(question.key("t"), text * 2, "stop", Usage(500, 500)))
    sample.close()
    solution.close()
    assert (tmp_path / "student" / "shard-0.sqlite").stat().st_size / 1200 <= 1000
    assert (tmp_path / "teacher" / "shard-0.sqlite").stat().st_size / 300 <= 3000


# -- fill


class Model:
    """Answers everything, counts what it was sent, fails where told."""

    def __init__(self, chunk: int | None = None, fails: tuple[str, ...] = ()) -> None:
        self.fingerprint, self.chunk, self.fails = "m", chunk, fails
        self.asked: list[str] = []

    def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
        for r in requests:
            text = r.messages[-1].content
            self.asked.append(text)
            yield Reply(r.key("m"), error="down") if text in self.fails else answer(r, f"re {text}")


def test_only_what_is_not_known_is_asked_and_failures_are_asked_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    model = Model(fails=("b",))
    assert Remembered(model, ledger).fill([ask("a"), ask("b"), ask("a"), ask("c")]) == ["down"]
    assert model.asked == ["a", "b", "c"]
    model.fails, model.asked = (), []
    assert Remembered(model, ledger).fill([ask("a"), ask("b"), ask("c")]) == []
    assert model.asked == ["b"]


def test_a_chunk_is_asked_and_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    model = Model(chunk=3, fails=("e",))
    wanted = [ask(t) for t in "abcdefab"]
    assert Remembered(model, ledger).fill(wanted) == ["down"]
    known = [ledger.has(r.key("m")) for r in wanted]
    assert known == [True, True, True, False, False, False, True, True]
    model.fails, model.asked = (), []
    assert Remembered(model, ledger).fill(wanted) == []
    assert model.asked == list("def")


def test_a_crash_inside_a_chunk_keeps_none_of_it(tmp_path: Path) -> None:
    class Crashing(Model):
        def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
            for n, reply in enumerate(super().__call__(requests)):
                if n == 4:
                    raise KeyboardInterrupt
                yield reply

    ledger = Ledger(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        Remembered(Crashing(chunk=3), ledger).fill([ask(t) for t in "abcdef"])
    assert ledger.counts() == {"m": 3}


def test_an_interrupt_while_a_chunk_is_kept_keeps_none_of_it(tmp_path: Path) -> None:
    def interrupted() -> Iterator[tuple[Request, Reply]]:
        for t in "abc":
            yield ask(t), answer(ask(t), t)
        raise KeyboardInterrupt

    ledger = Ledger(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        ledger.put_together("m", interrupted())
    ledger.commit()
    assert ledger.counts() == {}
    ledger.put_together("m", [(ask(t), answer(ask(t), t)) for t in "abcd"])  # nothing of the first try is built upon
    ledger.close()
    assert {e.reply.text for e in Ledger(tmp_path).entries("m")} == set("abcd")


class Pressed:
    """SQLite's connection, and Ctrl-C during one statement: Python raises it as soon as that is done."""

    def __init__(self, db: sqlite3.Connection, during: str) -> None:
        self.db, self.during = db, during

    def __getattr__(self, name: str) -> object:
        return getattr(self.db, name)

    def execute(self, said: str, *values: object) -> sqlite3.Cursor:
        done = self.db.execute(said, *values)
        if said.startswith(self.during):
            self.during = "nothing more"
            raise KeyboardInterrupt
        return done


@pytest.mark.parametrize("during", ["BEGIN", "INSERT OR IGNORE INTO calls", "COMMIT"])
def test_an_interrupt_during_a_write_is_an_interrupt_and_the_ledger_goes_on(tmp_path: Path, during: str) -> None:
    ledger = Ledger(tmp_path)
    ledger.put(ask("a"), "m", answer(ask("a"), "a"))
    ledger.commit()
    ledger._writer = Pressed(ledger._writer, during)  # type: ignore[assignment, arg-type]

    def fill() -> None:
        try:
            ledger.put(ask("b"), "m", answer(ask("b"), "b"))
        finally:
            ledger.commit()

    with pytest.raises(KeyboardInterrupt):
        fill()
    for text in "bc":
        ledger.put(ask(text), "m", answer(ask(text), text))
    ledger.close()
    assert {e.reply.text for e in Ledger(tmp_path).entries("m")} == set("abc")


@pytest.mark.parametrize("during", ["BEGIN", "COMMIT", "nothing"])
def test_a_transaction_is_whole_or_nothing_and_leaves_nobody_waiting(tmp_path: Path, during: str) -> None:
    db, other = connect(tmp_path / "a.sqlite"), connect(tmp_path / "a.sqlite", timeout=0.0)

    def write() -> None:
        with transaction(Pressed(db, during)):  # type: ignore[arg-type]
            db.execute("CREATE TABLE t (a)")
            if during == "nothing":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert not db.in_transaction
    with transaction(other):
        other.execute("CREATE TABLE u (a)")
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert there == ({"t", "u"} if during == "COMMIT" else {"u"})


def test_a_transaction_that_sqlite_ended_itself_tells_why(tmp_path: Path) -> None:
    db = connect(tmp_path / "a.sqlite")

    def write() -> None:
        with transaction(db):
            db.execute("ROLLBACK")  # as SQLite does where there is no room
            raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(sqlite3.OperationalError, match="disk is full"):
        write()


@pytest.mark.parametrize("what", ["calls_key", "prompts"])
def test_damage_that_is_met_while_writing_is_one_message(tmp_path: Path, what: str) -> None:
    ledger = Ledger(tmp_path)
    for i in range(2000):
        ledger.put(ask(f"question {i}"), "m", answer(ask(f"question {i}"), "a"))
    ledger.close()
    shard = tmp_path / "shard-0.sqlite"
    with closing(sqlite3.connect(shard)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name=?", (what,)).fetchone()
    content = bytearray(shard.read_bytes())
    content[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    shard.write_bytes(content)
    ledger = Ledger(tmp_path)
    with pytest.raises(DataError, match=r"shard-0\.sqlite` is damaged .*orcamath fsck"):
        ledger.put(ask("new"), "m", answer(ask("new"), "a"))
    ledger.close()


def test_little_room_stops_sending_and_keeps_all_that_came(tmp_path: Path) -> None:
    """SQLite's own ceiling on a file stands in for a full disk."""
    ledger = Ledger(tmp_path, headroom_bytes=200_000)
    ledger.put(ask("first"), "m", answer(ask("first"), "a"))
    ledger.commit()
    assert ledger._writer is not None
    ledger._writer.execute("PRAGMA max_page_count=60")
    model = Model()
    text = os.urandom(600).hex()
    with pytest.raises(DiskFull, match="make room and run again"):
        Remembered(model, ledger).fill(ask(f"{i} {text}") for i in range(10_000))
    assert 50 < len(model.asked) < 1000
    assert all(ledger.has(ask(t).key("m")) for t in model.asked)
    ledger._writer.execute("PRAGMA max_page_count=100000")
    n = len(model.asked)
    assert Remembered(model, ledger).fill(ask(f"{i} {text}") for i in range(n + 20)) == []
    assert len(model.asked) == n + 20


def test_a_limit_on_file_size_is_seen_before_it_is_hit(tmp_path: Path) -> None:
    code = f"""
import os, resource, sys
from pathlib import Path
from orcamath.errors import DiskFull
from orcamath.ports import *
from orcamath.store.ledger import Ledger, Remembered
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
asked = []
class Model:
    fingerprint, chunk = "m", None
    def __call__(self, requests):
        for r in requests:
            asked.append(r.key("m"))
            yield Reply(r.key("m"), os.urandom(300).hex())
ledger = Ledger(Path({str(tmp_path)!r}), headroom_bytes=200_000)
try:
    Remembered(Model(), ledger).fill(Request((Message("user", f"q {{i}}"),)) for i in range(5000))
except DiskFull as e:
    lost = sum(not ledger.has(k) for k in asked)
    ledger.close()
    print(len(asked), lost)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    asked, lost = map(int, done.stdout.split())
    assert asked > 50
    assert lost == 0


def test_a_write_that_fails_is_one_clear_error(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.put(ask("first"), "m", answer(ask("first"), "a"))
    ledger.commit()
    assert ledger._writer is not None
    ledger._writer.execute("PRAGMA max_page_count=10")

    def write_on() -> None:
        for i in range(1000):
            ledger.put(ask(f"q {i}"), "m", answer(ask(f"q {i}"), os.urandom(400).hex()))

    with pytest.raises(DiskFull, match=r"cannot be written .*make room"):
        write_on()
    ledger.close()
    assert Ledger(tmp_path).has(ask("first").key("m"))


def test_looking_up_is_cheap(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    wanted = [ask(f"question {i}") for i in range(2000)]
    for r in wanted:
        ledger.put(r, "m", answer(r, "a" * 300))
    model = Model()
    began = time.process_time()
    assert Remembered(model, ledger).fill(wanted) == []
    assert all(ledger.get(r.key("m")) is not None for r in wanted)
    # CPU seconds per thousand; benchmarks/client_overhead.py has the figure
    assert within((time.process_time() - began) / 2, 0.2)  # 0.04 s
    assert model.asked == []
