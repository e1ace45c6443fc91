"""Blocks dealt to workers that die, raise or repeat themselves: every call has one reply, and little is asked twice."""

import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from orcamath import __version__
from orcamath.assemble import open_chat
from orcamath.cluster.crew import shared_out
from orcamath.cluster.purse import DriverPurse, Leased
from orcamath.cluster.spread import MAX_DEATHS, MAX_IN_A_ROW, News, Spread
from orcamath.cluster.worker import NodeFull, Worker, shards_of
from orcamath.errors import CapReached, DiskFull, ModelError, OrcamathError, TeacherRefused
from orcamath.ports import Message, Reply, Request
from orcamath.settings import ModelSettings
from orcamath.store.budget import NANO, Budget, Price
from orcamath.store.under_way import stage_under_way
from orcamath.testing import serve, stub


def ask(text: str) -> Request:
    return Request((Message("user", text),))


class Model:
    """What the driver opened; it is never asked."""

    fingerprint = "m"

    def __init__(self, chunk: int | None = None) -> None:
        self.chunk = chunk

    def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
        raise AssertionError("the driver asks nothing itself")


class Double:
    """A crew in this process. `happens(worker, requests)` gives what becomes of a block, one news at a time."""

    def __init__(self, size: int, happens: Callable[[int, list[Request]], Iterator[News]]) -> None:
        self.ready, self.happens = set(range(size)), happens
        self.streams: dict[int, Iterator[News]] = {}
        self.asked: Counter[str] = Counter()
        self.blocks: list[int] = []
        self.done: bool | None = None

    def begin(self) -> None:
        self.done = None

    def give(self, worker: int, requests: list[Request]) -> None:
        assert worker not in self.streams
        self.blocks.append(len(requests))
        self.asked.update(r.messages[0].content for r in requests)
        self.streams[worker] = self.happens(worker, requests)

    def news(self) -> list[News]:
        worker = next(iter(self.streams))
        found = next(self.streams[worker])
        if found.over or found.died or found.raised:
            del self.streams[worker]
        return [found]

    def end(self, *, done: bool) -> None:
        self.done = done


def reply(request: Request) -> Reply:
    return Reply(request.key("m"), request.messages[0].content)


def answers(worker: int, requests: list[Request]) -> Iterator[News]:
    for r in requests:
        yield News(worker, (reply(r),))
    yield News(worker, over=True)


def texts(replies: Iterable[Reply]) -> list[str]:
    return sorted(r.text or f"failed: {r.error}" for r in replies)


WANTED = [f"{i:03}" for i in range(50)]


def test_every_call_has_its_reply_and_blocks_are_pulled_as_workers_are_free() -> None:
    crew = Double(3, answers)
    pulled = 0

    def requests() -> Iterator[Request]:
        nonlocal pulled
        for text in WANTED:
            pulled += 1
            yield ask(text)

    replies = Spread(Model(), lambda: crew, 8)(requests())
    first = next(replies)
    assert pulled == 3 * 8  # a window, not the whole list
    assert texts([first, *replies]) == WANTED
    assert set(crew.asked.values()) == {1}
    assert crew.done is True


def test_nobody_is_hired_for_nothing() -> None:
    """Weights are loaded, and servers started, by who is hired."""

    def hire() -> Double:
        raise AssertionError("nothing is asked")

    assert list(Spread(Model(), hire, 8)([])) == []


def test_equal_requests_are_answered_as_often_as_they_are_asked() -> None:
    crew = Double(1, answers)
    assert texts(Spread(Model(), lambda: crew, 8)([ask("a"), ask("b"), ask("a")])) == ["a", "a", "b"]


def test_of_a_dead_workers_block_only_what_did_not_come_is_asked_again() -> None:
    dead = []

    def dies_once(worker: int, requests: list[Request]) -> Iterator[News]:
        if not dead:
            dead.append(worker)
            for r in requests[:5]:
                yield News(worker, (reply(r),))
            yield News(worker, died="killed")
        yield from answers(worker, requests)

    crew = Double(2, dies_once)
    assert texts(Spread(Model(), lambda: crew, 8)(map(ask, WANTED))) == WANTED
    assert sum(crew.asked.values()) == len(WANTED) + 3
    assert crew.done is True


def test_one_call_that_kills_every_worker_is_one_failure() -> None:
    def dies_of_it(worker: int, requests: list[Request]) -> Iterator[News]:
        for r in requests:
            if r.messages[0].content == "017":
                yield News(worker, died="segmentation fault")
            yield News(worker, (reply(r),))
        yield News(worker, over=True)

    crew = Double(2, dies_of_it)
    found = texts(Spread(Model(), lambda: crew, 8)(map(ask, WANTED)))
    assert found[:-1] == [t for t in WANTED if t != "017"]
    assert found[-1] == f"failed: {MAX_DEATHS} workers died while they answered it; the last: segmentation fault"


def test_workers_that_die_whatever_they_are_asked_end_the_fill() -> None:
    crew = Double(2, lambda worker, _: iter([News(worker, died="no memory")]))
    with pytest.raises(ModelError, match="no memory"):
        list(Spread(Model(), lambda: crew, 8)(map(ask, WANTED)))
    assert len(crew.blocks) <= MAX_IN_A_ROW + 1
    assert crew.done is False


def test_chunks_go_whole_and_their_replies_are_held_back() -> None:
    dead: list[int] = []

    def dies_once(worker: int, requests: list[Request]) -> Iterator[News]:
        yield News(worker, tuple(map(reply, requests[:4])))
        if not dead:
            dead.append(worker)
            yield News(worker, died="killed")
        yield News(worker, tuple(map(reply, requests[4:])))
        yield News(worker, over=True)

    crew = Double(2, dies_once)
    assert texts(Spread(Model(chunk=10), lambda: crew, 999)(map(ask, WANTED))) == WANTED
    assert crew.blocks == [10] * 6  # the one that died with its worker whole again


def test_what_a_worker_raises_is_raised_here_and_nothing_more_goes_out() -> None:
    crew = Double(2, lambda worker, _: iter([News(worker, raised=TeacherRefused("no such model"))]))
    with pytest.raises(TeacherRefused, match="no such model"):
        list(Spread(Model(), lambda: crew, 8)(map(ask, WANTED)))
    assert len(crew.blocks) == 2
    assert crew.done is False


def test_closing_the_replies_ends_the_crew() -> None:
    crew = Double(2, answers)
    replies = Spread(Model(), lambda: crew, 8)(map(ask, WANTED))
    next(replies)
    replies.close()
    assert crew.done is False


TEXTBOOK = ModelSettings(backend="textbook")


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def opened(budget: Callable[..., object] | None = None) -> Worker:
    worker = Worker(open_chat, "run", __version__, ".", budget)
    worker.open(TEXTBOOK, open_chat(TEXTBOOK).fingerprint)
    return worker


def test_a_worker_finds_what_an_earlier_one_of_the_run_left_on_the_node(shards: Path) -> None:
    first = opened()
    kept = list(first.answer([ask("a"), ask("b")]))
    first.leave(done=False)  # the driver is gone
    second = opened()
    assert second._chat is not None
    fingerprint = second._chat.fingerprint
    second._chat = Model()  # raises where it is asked
    second._chat.fingerprint = fingerprint  # type: ignore[misc]
    assert list(second.answer([ask("a"), ask("b")])) == kept
    second.leave(done=True)
    assert not (shards_of("run")).exists()


def test_what_a_shard_has_is_handed_on_as_often_as_it_was_asked(shards: Path) -> None:
    first = opened()
    (once,) = [r for message in first.answer([ask("a")]) for r in message]  # type: ignore[union-attr]
    first.leave(done=False)
    second = opened()
    again = [r for message in second.answer([ask("a"), ask("a")]) for r in message]  # type: ignore[union-attr]
    assert again == [once, once]
    second.leave(done=True)


def test_a_node_that_takes_many_workers_along_does_not_end_the_fill() -> None:
    lost: set[int] = set()

    def goes_with_its_node(worker: int, requests: list[Request]) -> Iterator[News]:
        if worker < 30 and worker not in lost:
            lost.add(worker)
            yield News(worker, died="its node is gone")
        yield from answers(worker, requests)

    crew = Double(40, goes_with_its_node)
    wanted = [f"{i:03}" for i in range(400)]
    assert texts(Spread(Model(), lambda: crew, 8)(map(ask, wanted))) == wanted


def test_shards_of_somebody_else_are_not_read(shards: Path) -> None:
    folder = shards_of("run").parent
    folder.chmod(0o755)
    with pytest.raises(ModelError, match="mode 700"):
        shards_of("run")


@pytest.mark.parametrize(
    ("version", "fingerprint", "said"), [("0.0.9", "", "driver 0.0.9"), (__version__, "x", "another model")]
)
def test_a_node_with_another_version_or_model_is_refused(
    version: str, fingerprint: str, said: str, shards: Path
) -> None:
    with pytest.raises(ModelError, match=said):
        Worker(open_chat, "run", version, ".", None).open(TEXTBOOK, fingerprint)


def test_money_is_leased_from_the_driver_and_a_dead_workers_lease_is_spent(tmp_path: Path) -> None:
    purse = DriverPurse(tmp_path / "book", 1.0, {})
    far = Leased(lambda method, *a: getattr(purse, method)(*a))
    with stage_under_way("teach", far) as calls:
        lease = calls.lease(lambda: Price(10.0, 10.0))
        assert lease is not None
        held = lease.reserve(ask("x"))
        assert held
        lease.settle(held, None, sent=True)
        assert purse.budget.spent_usd() >= held / NANO
        assert far.reached("teach", 1.0, 7).args == purse.budget.reached("teach", 1.0, 7).args
        dead = far.meter("teach", Price(1.0, 1.0))
        assert far.grant(dead, 1_000_000) >= 1_000_000
    spent = purse.budget.spent_usd("teach")
    assert spent >= (held + 1_000_000) / NANO  # `dead` never gave back
    assert isinstance(far.reached("teach", 1.0, 0), CapReached)
    again = Budget(tmp_path / "book", 1.0)
    assert again.spent_usd() == pytest.approx(spent)


def test_a_worker_gives_back_what_it_did_not_spend_on_its_requests(shards: Path, tmp_path: Path) -> None:
    purse = DriverPurse(tmp_path / "book", 1.0, {})
    with serve(stub(), price=(10.0, 10.0)) as server:
        worker = Worker(open_chat, "run", __version__, ".", lambda method, *a: getattr(purse, method)(*a))
        worker.open(ModelSettings(model="m", base_url=server.base_url, options={"price": [10, 10]}), "m@-")
        worker.begin("teach", None)
        for n in (1, 2):
            (replies,) = worker.answer([ask(f"question {n}")])
            assert not isinstance(replies, OrcamathError)
            assert server.stats["completions"] == n
            assert purse.budget.spent_usd() == pytest.approx(server.billed_usd)
        worker.leave(done=True)
        assert purse.budget.spent_usd() == pytest.approx(server.billed_usd)


@pytest.mark.parametrize("whose", ["node", "driver"])
def test_a_full_disk_is_said_to_be_the_nodes_or_the_drivers(
    whose: str, shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full node is left out; where the driver cannot write its books, nothing more is sent."""

    def full(*_: object) -> object:
        raise DiskFull("no room")

    with serve(stub()) as server:
        worker = Worker(open_chat, "run", __version__, ".", full if whose == "driver" else None)
        worker.open(ModelSettings(model="m", base_url=server.base_url), "m@-")
        worker.begin("teach", None)
        if whose == "node":
            monkeypatch.setattr(worker.ledger, "put", full)
        said = [m for m in worker.answer([ask("question")]) if isinstance(m, OrcamathError)]
    (error,) = said
    assert isinstance(error, DiskFull)
    assert isinstance(error, NodeFull) == (whose == "node")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))


def test_limits_of_the_recipe_are_those_of_all_workers_together() -> None:
    options = {"requests_per_minute": 600, "n": 1}
    settings = ModelSettings(model="m", concurrency=64, options=options)
    shared = shared_out(settings, 4, 0)
    assert (shared.concurrency, shared.options) == (16, {"requests_per_minute": 150, "n": 1})


@pytest.mark.parametrize(("concurrency", "n"), [(64, 4), (5, 4), (4, 4), (7, 3), (1, 1)])
def test_calls_at_once_are_dealt_out_to_the_last_one(concurrency: int, n: int) -> None:
    settings = ModelSettings(model="m", concurrency=concurrency)
    assert sum(shared_out(settings, n, worker).concurrency for worker in range(n)) == concurrency


def test_a_worker_that_ends_without_a_reply_is_asked_again_and_then_it_is_a_failure() -> None:
    """A replacement on a node with another model answered under other keys: calls without reply and without failure."""

    def forgets(worker: int, requests: list[Request]) -> Iterator[News]:
        yield News(worker, tuple(reply(r) for r in requests if r.messages[0].content != "017"))
        yield News(worker, over=True)

    crew = Double(2, forgets)
    found = texts(Spread(Model(), lambda: crew, 8)(map(ask, WANTED)))
    assert found == [*(t for t in WANTED if t != "017"), f"failed: {MAX_DEATHS} workers ended without it"]
    assert crew.done is True


def test_who_is_not_ready_is_given_nothing_until_it_is() -> None:
    class Late(Double):
        """One worker dies and finds no place; another comes later."""

        def news(self) -> list[News]:
            if not self.streams:
                self.ready.add(2)
                return []
            return super().news()

    def dies(worker: int, requests: list[Request]) -> Iterator[News]:
        if worker < 2:
            crew.ready.discard(worker)
            yield News(worker, died="its node is gone")
        yield from answers(worker, requests)

    crew = Late(2, dies)
    assert texts(Spread(Model(), lambda: crew, 8)(map(ask, WANTED))) == WANTED
    assert crew.done is True


def test_a_worker_with_another_model_answers_nothing(shards: Path) -> None:
    worker = Worker(open_chat, "run", __version__, ".", None)
    with pytest.raises(ModelError, match="another model"):
        worker.open(TEXTBOOK, "x")
    with pytest.raises(AssertionError):
        next(worker.answer([ask("a")]))
