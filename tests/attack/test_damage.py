"""One flipped bit anywhere in what is kept: noticed and mended, or without effect. Never other data in silence."""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orcamath.backends.batch_files import Desk
from orcamath.errors import Damaged, DataError, OrcamathError, RepliesDamaged, SchemaTooNew
from orcamath.ports import Message, Reply, Request, Sampling, Usage
from orcamath.records import Problem
from orcamath.store.artifacts import Output, Store
from orcamath.store.budget import Budget
from orcamath.store.ledger import Ledger, Remembered
from orcamath.store.ledger_format import Unreadable, pack_reply, split_prompt, unpack_reply
from orcamath.store.seals import read_sealed, seal, unseal, write_sealed


def flip(path: Path, bit: int) -> None:
    """In its place: some file systems wait for the disk where a file is emptied and written anew."""
    with path.open("r+b") as f:
        f.seek(bit // 8)
        (byte,) = f.read(1)
        f.seek(bit // 8)
        f.write(bytes([byte ^ 1 << bit % 8]))


PROBLEMS = [Problem.make(f"Tom has {i} apples and buys {i + 2}. How many?", "seed", "test") for i in range(40)]


def make(out: Output) -> None:
    out.balance.results = out.balance.kept = out.write("problems", PROBLEMS)


def stage(root: Path) -> list[Problem]:
    made = Store(root).stage("seeds", 1, None, [], make)
    assert made.count("problems") == len(PROBLEMS)
    return list(made.read(Problem))


@pytest.mark.parametrize("kind", ["book", "ledger"])
def test_no_flip_in_a_database_s_own_description_is_a_traceback(kind: str, tmp_path: Path) -> None:
    """What SQLite says of it may repeat a name that is no text any more."""
    request = Request((Message("user", "2 + 2?"),))

    def use() -> None:
        if kind == "book":
            Budget(tmp_path / "b.sqlite", 5.0).close()
            return
        with closing(Ledger(tmp_path)) as ledger:
            if ledger.get(request.key("m")) is None:
                ledger.put(request, "m", Reply(request.key("m"), "4", "stop", Usage(1, 1)))

    use()
    (path,) = tmp_path.glob("*.sqlite")
    content = path.read_bytes()
    said = range(content.index(b"CREATE TABLE") - 40, content.rindex(b"CREATE ") + 100)
    refused = 0
    for i in said[::3]:
        for log in tmp_path.glob("*.sqlite-*"):
            log.unlink()
        path.write_bytes(content[:i] + bytes([content[i] ^ 0x80]) + content[i + 1 :])
        try:
            use()
        except OrcamathError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("file", ["problems.parquet", "manifest.json"])
def test_a_stage_is_found_whole_or_made_anew(tmp_path: Path, file: str) -> None:
    stage(tmp_path)
    (folder,) = (tmp_path / "artifacts").glob("seeds-*[!n]")
    shutil.copytree(folder, tmp_path / "whole")
    n_bits = (folder / file).stat().st_size * 8
    for bit in random.Random(1).sample(range(n_bits), 12):
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "whole", folder)
        flip(folder / file, bit)
        try:
            assert stage(tmp_path) == PROBLEMS
        except SchemaTooNew:  # a bit of the version itself: refused, with both causes named
            assert file == "manifest.json"


def test_damage_is_noticed_where_a_table_is_read_and_the_next_run_mends_it(tmp_path: Path) -> None:
    made = Store(tmp_path).stage("seeds", 1, None, [], make)
    flip(made.path / "problems.parquet", 4000)
    with pytest.raises(Damaged, match=r"problems\.parquet.*set aside.*run again"):
        made.read(Problem)
    assert stage(tmp_path) == PROBLEMS


def test_a_page_is_held_against_its_checksum_also_where_nothing_was_sealed(tmp_path: Path) -> None:
    from orcamath.store.tables import read_table, write_table

    path = tmp_path / "round-1.parquet"
    write_table(path, "problems", PROBLEMS)
    flip(path, 400)
    with pytest.raises(DataError, match=r"round-1\.parquet` is damaged.*fsck"):
        list(read_table(path, Problem))


def ask(i: int) -> Request:
    messages = (Message("system", "Task: solver"), Message("user", f"Tom has {i} apples. How many are left?"))
    return Request(messages, sampling=Sampling(0.7))


class Counting:
    fingerprint, chunk = "counting", None

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, requests: Iterator[Request]) -> Iterator[Reply]:
        for r in requests:
            self.asked += 1
            text = f"Of the apples Tom has, {r.messages[1].content[8:10]} are left."
            yield Reply(r.key("counting"), text, "stop", Usage(9, 9))


def test_every_flip_in_a_reply_is_noticed() -> None:
    request = ask(7)
    parts = split_prompt(request)
    reply = Reply(
        request.key("m"), "Tom has 7 apples left.\n#### 7", "stop", Usage(11, 12), (1, 2, 70_000), None, "well"
    )
    packed = pack_reply(reply, parts)
    silent = []
    for bit in range(8 * len(packed)):
        content = bytearray(packed)
        content[bit // 8] ^= 1 << bit % 8
        try:
            read = unpack_reply(reply.key, bytes(content), parts.body)
        except Unreadable:
            continue
        if read != reply:
            silent.append(bit)
    assert silent == []
    with pytest.raises(Unreadable):
        unpack_reply(b"x" * 16, packed, parts.body)  # another call's reply


SPOIL: dict[str, str] = {
    "reply": "UPDATE calls SET reply = substr(reply, 1, 12) || x'00' || substr(reply, 14) WHERE id = 3",
    "cut off": "UPDATE calls SET reply = substr(reply, 1, length(reply) - 2) WHERE id = 3",
    "of another type": "UPDATE calls SET reply = CAST(reply AS TEXT) WHERE id = 3",
    "empty": "UPDATE calls SET reply = x'' WHERE id = 3",
    "prompt": "UPDATE prompts SET body = (SELECT body FROM prompts WHERE id = 4) WHERE id = 3",
    "prompt lost": "DELETE FROM prompts WHERE id = 3",
    "prefix": "UPDATE prefixes SET body = replace(body, 'Task: solver', 'Task: solved')",
}


@pytest.mark.parametrize("what", SPOIL)
def test_a_damaged_reply_is_forgotten_and_asked_again_in_the_same_run(tmp_path: Path, what: str) -> None:
    model, n = Counting(), 10
    ledger = Ledger(tmp_path / "ledger")
    chat = Remembered(model, ledger)

    def answer(out: Output) -> None:
        chat.fill(ask(i) for i in range(n))
        replies = [chat.reply(ask(i)) for i in range(n)]
        made = [Problem.make(r.text, "seed", "test") for r in replies if r is not None]
        out.balance.results = out.balance.kept = out.write("problems", made)

    first = list(Store(tmp_path / "a").stage("ask", 1, None, [], answer).read(Problem))
    ledger.close()
    db = sqlite3.connect(tmp_path / "ledger" / "shard-0.sqlite")
    db.execute(SPOIL[what])
    db.commit()
    db.close()
    again = list(Store(tmp_path / "b").stage("ask", 1, None, [], answer).read(Problem))
    assert again == first
    assert len(again) == n
    assert n <= model.asked <= 2 * n
    assert list(ledger.damaged()) == []
    ledger.close()


def test_a_damaged_reply_raises_where_no_stage_asks_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.put(ask(1), "m", Reply(ask(1).key("m"), "one"))
    ledger.commit()
    ledger._own().execute("UPDATE calls SET reply = x'0601020304'")
    with pytest.raises(RepliesDamaged, match=r"1 remembered replies.*asked again"):
        ledger.get(ask(1).key("m"))
    assert ledger.get(ask(1).key("m")) is None
    ledger.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda p: p.write_bytes(b"no database at all" * 500), "is damaged.*Move this one file away"),
        (lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]), "is damaged|cannot be"),
        (lambda p: p.write_bytes(p.read_bytes()[:8192] + b"\xff" * (p.stat().st_size - 8192)), "is damaged"),
    ],
    ids=["garbage", "half", "pages of garbage"],
)
def test_a_damaged_shard_is_one_message_and_no_other_file_is_blamed(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    ledger = Ledger(tmp_path)
    for i in range(300):
        ledger.put(ask(i), "m", Reply(ask(i).key("m"), f"{random.Random(i).random()} " * 20))
    ledger.close()
    spoil(tmp_path / "shard-0.sqlite")

    def read_all() -> None:
        for i in range(300):
            Ledger(tmp_path).get(ask(i).key("m"))

    with pytest.raises((DataError, RepliesDamaged), match=says + "|asked again"):
        read_all()


def test_no_flip_in_an_intent_is_believed_or_a_traceback(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    intent = desk.intend([b'{"custom_id": "aa"}'], ["aa"])
    path = tmp_path / f"{intent.nonce}.json"
    for bit in range(8 * path.stat().st_size):
        flip(path, bit)
        (read,) = desk.intents()
        assert (read.nonce, read.keys, read.status) == (intent.nonce, ["aa"], "intended")
        flip(path, bit)


STATE = {"stages": [{"label": "seeds", "seconds": 1.5}], "students": [], "é": "ü", "n": 7}

NESTED, HALF = b'{"a": ' + b"[" * 100_000, seal(STATE).replace('"seeds"', '"\\ud800"').encode()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", seal(STATE).encode()[:-9], NESTED, HALF])
def test_an_unreadable_state_file_is_absent_and_said_in_one_line(tmp_path: Path, content: bytes, caplog) -> None:
    path = tmp_path / "stages.json"
    path.write_bytes(content)
    assert read_sealed(path) is None
    assert [str(path) in r.message for r in caplog.records] == [True]


def test_no_flip_in_a_state_file_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "stages.json"
    write_sealed(path, STATE)
    assert read_sealed(path) == STATE
    text = path.read_bytes()
    for bit in range(8 * len(text)):
        content = bytearray(text)
        content[bit // 8] ^= 1 << bit % 8
        try:
            value = unseal(content.decode())
        except UnicodeDecodeError:
            continue
        assert value is None or value == STATE
