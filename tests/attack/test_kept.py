"""What is kept and cannot be used: garbage, a folder in its place, a closed, read-only or full disk. One true cause each."""

import os
import resource
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from commanding import Done, call_in
from orcamath.errors import DataError
from orcamath.ports import Message, Reply, Request, Usage
from orcamath.store.artifacts import Store
from orcamath.store.budget import Budget, Price
from orcamath.store.leases import account_of
from orcamath.store.ledger import Ledger
from orcamath.view.calls import RememberedCalls, latest_calls, models_of, new_calls
from orcamath.view.find import Query, page, record_totals
from orcamath.view.opened import Opened
from viewing import served

GO_ON = ("run", "r.yaml", "--until", "teach")
LOOKING = [
    ("status", "r"),
    ("status", "r", "--json"),
    ("report", "r"),
    ("review", "r"),
    ("review", "r", "--bad", "0"),
    ("show", "0"),
    ("runs",),
    ("diff", "r", "r.yaml"),
    ("plan", "r.yaml"),
    ("fsck",),
    ("fsck", "r", "--json"),
    ("gc", "--dry-run"),
    ("export", "r", "lessons", "--out", "out.jsonl"),
]
LEDGER, BOOK, STAGES = "store/ledger/*.sqlite", "store/runs/*/budget.sqlite", "runs/r/stages.json"
KEPT = [
    LEDGER,
    BOOK,
    STAGES,
    "runs/r/run.json",
    "runs/r/recipe.yaml",
    "runs/r/state.json",
    "runs/r/log.txt",
    "store/runs/*/history.json",
    "store/artifacts/teach-*/manifest.json",
    "store/artifacts/teach-*/*.parquet",
    "store/artifacts/*.made.json",
]


def garbage(path: Path) -> None:
    path.write_bytes(b"no such thing \xff" * 600)


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def another_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def nested(path: Path) -> None:
    path.write_bytes(b'{"stages": ' + b"[" * 100_000)


def half_a_letter(path: Path) -> None:
    path.write_bytes(b'{"stages": [{"label": "\\ud800"}], "seal": "0"}\n')


def is_ours(done: Done) -> None:
    assert done.code in (0, 1, 2, 3, 4)
    assert "fault of orcamath" not in done.err, done.err
    assert "Traceback" not in done.err + done.out


@pytest.mark.parametrize(
    "spoil",
    [garbage, *(pytest.param(s, marks=pytest.mark.slow) for s in (half, empty, another_folder, nested, half_a_letter))],
)
@pytest.mark.parametrize("kept", KEPT)
def test_whatever_lies_there_is_one_message_and_fsck_finds_it(
    kept: str, spoil: Callable[[Path], None], here: Path
) -> None:
    spoilt = [*here.glob(kept)]
    assert spoilt
    for path in spoilt:
        spoil(path)
    noted = kept in ("runs/r/state.json", "runs/r/log.txt")  # for people: no stage reads them
    assert (call_in(here, "fsck").code == 1) == (not noted)
    for words in (*LOOKING, GO_ON):
        is_ours(call_in(here, *words))


@pytest.mark.parametrize("spoil", [garbage, half, empty, another_folder])
def test_a_book_that_cannot_be_read_is_never_a_full_purse(spoil: Callable[[Path], None], here: Path) -> None:
    (book,) = here.glob(BOOK)
    spoil(book)
    assert ("--new-book" in call_in(here, *GO_ON).err) == (spoil is not another_folder)
    assert call_in(here, *GO_ON).code != 0
    said = call_in(here, "status", "r").out
    assert ("spent      not known" in said) == (spoil is not empty)
    assert "asked or computed anew" not in call_in(here, "report", "r").err


def spend(book: Path) -> None:
    """Lease and spend in a process of its own, which is killed."""
    if (child := os.fork()) == 0:
        lease = Budget(book, 5.0).meter("teach", Price(1000.0, 1000.0))
        assert lease.reserve(Request((Message("user", "How many?"),))) is not None
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize("spoil", [garbage, half, empty, Path.unlink])
def test_a_log_that_is_lost_after_a_kill_takes_no_money_with_it(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    book = tmp_path / "budget.sqlite"
    spend(book)
    wanted = account_of(book).usd["teach"]
    spend(book)
    log = tmp_path / "budget.sqlite-wal"
    assert log.exists()
    spoil(log)
    budget = Budget(book, 5.0)
    assert budget.spent_usd() == pytest.approx(2 * wanted)
    budget.close()


@contextmanager
def someone_else(folder: Path) -> Iterator[None]:
    """Be a user who has no right but to look, where this one is root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, _, _ in os.walk(folder):
            Path(path).chmod(0o755)


@pytest.fixture(scope="module")
def warm(ran: Path) -> None:
    """Import what the commands import, while it may be read."""
    for words in (*LOOKING, GO_ON):
        call_in(ran, *words)


def test_a_store_and_runs_that_are_read_only_are_looked_at_all_the_same(here: Path, warm: None) -> None:
    for path in [*here.rglob("*"), here]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with someone_else(here):
        for words in LOOKING:
            done = call_in(here, *words)
            is_ours(done)
            if words[0] in ("status", "review", "runs", "fsck"):
                assert done.code in (0, 2), done
            else:
                assert done.code in (0, 2) or "ermission denied" in done.err or "read-only" in done.err
            assert "damaged:" not in done.out
        done = call_in(here, *GO_ON)
        assert done.code == 1
        assert "ermission denied" in done.err


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file grow: every write fails, as on a full disk."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_is_named_and_nothing_is_called_damaged(here: Path) -> None:
    with no_room():
        looked = {words: call_in(here, *words) for words in (*LOOKING, GO_ON)}
    for words, done in looked.items():
        is_ours(done)
        assert "damaged" not in done.err
        if words[0] in ("status", "review", "runs", "fsck"):
            assert done.code in (0, 2), done
        else:
            assert done.code in (0, 2) or "disk is full" in done.err or "make room" in done.err, (words, done)
    assert looked[GO_ON].code == 4
    assert call_in(here, *GO_ON).code == 0


CLOSED = ["store/ledger", LEDGER, "store/artifacts", "store/artifacts/teach-*", "store/runs", BOOK, "runs/r", STAGES]


@pytest.mark.parametrize("closed", CLOSED)
def test_what_may_not_be_looked_into_is_not_called_whole(closed: str, here: Path, warm: None) -> None:
    for path in here.glob(closed):
        path.chmod(0)
    with someone_else(here):
        done = call_in(here, "fsck")
        is_ours(done)
        assert done.code == 1
        assert "ermission" in done.out + done.err or "the rights" in done.out
        for words in LOOKING:
            is_ours(call_in(here, *words))


@pytest.fixture
def looked_at(here: Path) -> Iterator[Opened]:
    opened = Opened(here / "runs/r", Store(here / "store"))
    opened.update()
    yield opened
    opened.index.close()


@pytest.mark.parametrize("spoil", [garbage, half, empty, Path.unlink])
def test_an_index_of_the_viewer_that_is_damaged_is_made_anew(spoil: Callable[[Path], None], looked_at: Opened) -> None:
    with looked_at.reading() as db:
        whole = record_totals(db)
    spoil(looked_at.index.path)
    looked_at._kept = threading.local()  # another thread's first look
    with pytest.raises(DataError, match=r"view\.sqlite` is damaged .*is made anew"), looked_at.reading() as db:
        record_totals(db)
    looked_at.update()
    with looked_at.reading() as db:
        assert record_totals(db) == whole


@pytest.mark.parametrize(("kept", "kind"), [(LEDGER, "calls"), ("store/artifacts/*/problems.parquet", "problems")])
@pytest.mark.parametrize("spoil", [garbage, half, empty, Path.unlink])
def test_what_the_viewer_cannot_read_is_one_message(
    kept: str, kind: str, spoil: Callable[[Path], None], here: Path, looked_at: Opened, caplog
) -> None:
    with looked_at.reading() as db:
        name = page(db, Query(kind)).rows[0]["name"]
    for path in here.glob(kept):
        spoil(path)
    with served(looked_at) as viewer:
        record = viewer.ask(f"api/record?kind={kind}&name={name}")
        assert record.status == 500 or spoil is half
        for answer in (record, *map(viewer.ask, (f"api/story?id={name}", "api/live", "api/doubts?list=judges"))):
            assert answer.status in (200, 400) or "`orcamath fsck`" in answer.json()["error"]
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("value", [7, 0.5, "text", b"\xff"])
@pytest.mark.parametrize(
    "column", ["models.fingerprint", "prefixes.body", "prompts.body", "calls.reply", "calls.draw", "calls.key"]
)
def test_whatever_a_column_holds_the_viewer_tells_of_the_call(column: str, value: object, tmp_path: Path) -> None:
    request = Request((Message("user", "2 + 2?"),))
    with closing(Ledger(tmp_path)) as ledger:
        ledger.put(request, "m", Reply(request.key("m"), "4", "stop", Usage(1, 1)))
    (path,) = tmp_path.glob("*.sqlite")
    table, _, name = column.partition(".")
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE {table} SET {name} = ?", (value,))
        db.commit()
    calls = RememberedCalls(tmp_path, frozenset({"m"}))
    (call,) = latest_calls(calls, 5)
    assert call.reply.text == "4" or "is damaged" in call.reply.text
    assert len([entry for group in new_calls(path, *models_of(calls, path)) for entry in group]) <= 1
    with closing(Ledger(tmp_path)) as ledger:
        assert all(isinstance(model, str) for model in ledger.counts())


def test_a_shard_that_fails_deep_inside_is_named_whatever_is_asked_of_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger._own().execute("DROP TABLE calls")
    for look in (
        ledger.counts,
        lambda: list(ledger.entries()),
        lambda: list(ledger.damaged()),
        lambda: ledger.has(b"x"),
    ):
        with pytest.raises(Exception, match=r"shard-0\.sqlite` is damaged") as e:
            look()
        assert not isinstance(e.value, sqlite3.Error)
