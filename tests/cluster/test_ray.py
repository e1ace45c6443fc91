"""Ray for real: two raylets on this machine, and workers, nodes and drivers that are gone in the middle of a fill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from socket import socket
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest

from orcamath.assemble import Assembled, open_chat, train_part
from orcamath.classroom.textbook import open_chat as open_textbook
from orcamath.cluster.engine import RayEngine
from orcamath.cluster.ray_errors import reason
from orcamath.cluster.settings import EngineSettings
from orcamath.errors import CapReached, DataError, ModelError, RecipeError, TeacherRefused
from orcamath.ports import Message, Request
from orcamath.recipe_file import load
from orcamath.running import run_recipe
from orcamath.settings import ModelSettings
from orcamath.store import run_state
from orcamath.store.artifacts import Store
from orcamath.store.budget import Budget
from orcamath.store.ledger import Ledger, Remembered
from orcamath.store.run_folder import RunFolder
from orcamath.store.run_state import read_state
from orcamath.store.under_way import stage_under_way
from orcamath.testing.faults import Faults
from orcamath.testing.server import Call, of_chat, serve
from orcamath.workshop import UntilReached
from small_cluster import STORE, actors

ray: Any = pytest.importorskip("ray", reason="the extra `ray` is not installed (`make test-cluster` installs it)")
pytestmark = [pytest.mark.cluster, pytest.mark.enable_socket]
N = 400
AT_ONCE = 16
WINDOW = 64
"""Replies that a ledger or a message may hold before they are durable, and known to the driver."""


@pytest.fixture
def engine(cluster: Any, tmp_path: Path) -> Iterator[RayEngine]:
    engine = RayEngine(EngineSettings(address=cluster.address, workers=2), uuid4().hex, open_chat, train_part)
    yield engine
    engine.dismiss()


def slow(_: Call) -> str:
    time.sleep(0.02)
    return "#### 4"


def served(url: str, **settings: Any) -> ModelSettings:
    return ModelSettings(
        model="m", base_url=url, api_key_env=None, concurrency=2 * AT_ONCE, options={"pause_s": 0.05}, **settings
    )


def ask(n: int) -> list[Request]:
    return [Request((Message("user", str(i)),)) for i in range(n)]


def remembered(engine: RayEngine, settings: ModelSettings, ledger: Ledger) -> Remembered:
    return Remembered(engine.spread(settings, open_chat(settings)), ledger)


class At:
    """Progress that does something once, when so many calls are done."""

    def __init__(self, n: int, what: Callable[[], None]) -> None:
        self.n, self.what, self.done = n, what, 0

    def begin(self, what: str, total: int | None) -> None: ...

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:
        self.done += n
        if self.done >= self.n:
            self.n = 1 << 60
            self.what()

    def end(self) -> None: ...


def kill_one() -> None:
    os.kill(min(actors("Worker")), signal.SIGKILL)


def test_a_killed_worker_costs_its_calls_in_flight(engine: RayEngine, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with serve(slow, threads=64) as server:
        model = remembered(engine, served(server.base_url), ledger)
        assert model.fill(ask(N), At(100, kill_one)) == []
        assert server.stats["distinct"] == N
        assert server.stats["calls"] <= N + AT_ONCE + WINDOW
    assert all(model.reply(r) is not None for r in ask(N))
    ledger.close()


def test_a_worker_that_dies_between_two_fills_costs_nothing(engine: RayEngine, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with serve(slow, threads=64) as server:
        model = remembered(engine, served(server.base_url), ledger)
        assert model.fill(ask(40)) == []
        kill_one()
        assert model.fill(ask(80)) == []
        assert server.stats["calls"] == 80
    ledger.close()


def fill_while_a_node_is_lost(engine: RayEngine, cluster: Any, ledger: Ledger, then: int = 0) -> None:
    """Ask with a node gone in the middle and not back before the end; `then`: so many more afterwards, without it as well."""
    lost = next(iter(cluster.worker_nodes))
    try:
        with serve(slow, threads=64) as server:
            model = remembered(engine, served(server.base_url), ledger)
            assert model.fill(ask(N), At(100, lambda: cluster.remove_node(lost, allow_graceful=False))) == []
            assert server.stats["distinct"] == N
            assert server.stats["calls"] <= N + AT_ONCE + WINDOW
            assert model.fill(ask(N + then)) == []
    finally:
        cluster.add_node(num_cpus=1, **STORE)
        ledger.close()


def test_a_lost_node_costs_its_calls_in_flight(engine: RayEngine, cluster: Any, tmp_path: Path) -> None:
    fill_while_a_node_is_lost(engine, cluster, Ledger(tmp_path / "ledger"))


def test_what_a_lost_driver_did_not_take_is_taken_by_the_next(engine: RayEngine, tmp_path: Path) -> None:
    """The driver stops in the middle and its ledger is lost: what the nodes have is not asked again."""

    def stop() -> None:
        raise KeyboardInterrupt

    first, second = Ledger(tmp_path / "first"), Ledger(tmp_path / "second")
    with serve(slow, threads=64) as server:
        with pytest.raises(KeyboardInterrupt):
            remembered(engine, served(server.base_url), first).fill(ask(N), At(150, stop))
        engine.dismiss()
        so_far = server.stats["calls"]
        assert 150 <= so_far < N
        assert remembered(engine, served(server.base_url), second).fill(ask(N)) == []
        assert server.stats["calls"] <= N + 2 * AT_ONCE
    first.close()
    second.close()


def test_the_cap_holds_across_workers(engine: RayEngine, tmp_path: Path) -> None:
    cap = 0.015  # all the calls come to 0.024, and one is reserved for at 0.011
    budget = Budget(tmp_path / "book", cap)
    engine.keep_books(budget, cap, {})
    prices = {"price": [10.0, 10.0]}
    with serve(slow, threads=64) as server:
        ledger = Ledger(tmp_path / "ledger")
        settings = served(server.base_url)
        settings = settings.model_copy(update={"options": settings.options | prices})
        model = remembered(engine, settings, ledger)
        with stage_under_way("teach", budget), pytest.raises(CapReached, match=r"budget\.cap_usd"):
            model.fill(ask(N))
        answered = server.stats["calls"]
        assert 0 < answered < N
        assert sum(ledger.counts().values()) == answered  # all that was paid for is kept
        ledger.close()
    assert 0 < budget.spent_usd("teach") <= cap
    budget.close()


def test_what_a_worker_cannot_open_or_reach_is_said_here(
    engine: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with serve(slow, models=("other",)) as server, pytest.raises(TeacherRefused, match="`model`"):
        remembered(engine, served(server.base_url), ledger).fill(ask(40))
    with serve(slow) as server:
        monkeypatch.setenv("ORCAMATH_TEST_KEY", "only-here")  # the driver's environment is not the nodes'
        keyed = served(server.base_url).model_copy(update={"api_key_env": "ORCAMATH_TEST_KEY"})
        with pytest.raises(RecipeError, match="ORCAMATH_TEST_KEY"):
            remembered(engine, keyed, ledger).fill(ask(4))
    ledger.close()


@contextmanager
def taken(n: int) -> Iterator[None]:
    """Keep whole CPUs of the cluster busy."""

    class Holder:  # of a function, so that it goes to the nodes by value
        def here(self) -> None: ...

    holders = [ray.remote(Holder).options(num_cpus=1).remote() for _ in range(n)]
    ray.get([holder.here.remote() for holder in holders])
    try:
        yield
    finally:
        for holder in holders:
            ray.kill(holder)


def wide(cluster: Any, monkeypatch: pytest.MonkeyPatch, wait_s: float) -> RayEngine:
    """An engine whose workers take a node each."""
    monkeypatch.setattr("orcamath.cluster.engine.WITHOUT", 1.0)
    return RayEngine(EngineSettings(cluster.address, workers=2, wait_s=wait_s), uuid4().hex, open_chat, train_part)


def test_no_place_at_all_is_said_and_not_waited_for(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = wide(cluster, monkeypatch, 4)
    with taken(2), serve(slow) as server, pytest.raises(ModelError, match="--wait-workers"):
        remembered(engine, served(server.base_url), Ledger(tmp_path / "ledger")).fill(ask(4))
    engine.dismiss()


def test_who_has_a_place_begins_and_the_others_come_later(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine, ledger = wide(cluster, monkeypatch, 30), Ledger(tmp_path / "ledger")
    with serve(slow, threads=64) as server:
        model = remembered(engine, served(server.base_url), ledger)
        with taken(1):
            assert model.fill(ask(60)) == []
            assert "1 of 2 workers found no place yet" in caplog.text
        assert model.fill(ask(400)) == []
        assert server.stats["calls"] == 400
    engine.dismiss()
    ledger.close()


def test_a_worker_whose_place_went_with_its_node_is_not_waited_for(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = wide(cluster, monkeypatch, 60)
    try:
        fill_while_a_node_is_lost(engine, cluster, Ledger(tmp_path / "ledger"), then=40)
    finally:
        engine.dismiss()


def test_blocks_are_worked_on_in_order_and_those_of_a_lost_node_again(engine: RayEngine, cluster: Any) -> None:
    lost, base = next(iter(cluster.worker_nodes)), 7

    def work(n: int) -> tuple[int, int]:
        time.sleep(0.05)
        return n, base * n

    try:
        came = []
        for found in engine.machines.in_blocks(work, range(60)):
            came.append(found)
            if len(came) == 10:
                cluster.remove_node(lost, allow_graceful=False)
    finally:
        cluster.add_node(num_cpus=1, **STORE)
    assert came == [(n, 7 * n) for n in range(60)]

    def broken(n: int) -> int:
        raise DataError(f"block {n}")

    with pytest.raises(DataError, match="block 0"):
        list(engine.machines.in_blocks(broken, range(3)))


def made(
    root: Path,
    overrides: list[str],
    cluster: EngineSettings | None,
    beside: Callable[[Path], Any] = nullcontext,
    until: str = "judge 2",
) -> dict[str, bytes]:
    """Run a small classroom through a round of practice, `beside` something; returns every stage's tables, weights, balance."""
    with RunFolder(root / "run") as folder:
        with beside(folder.path), pytest.raises(UntilReached):
            run_recipe(
                load("classroom", overrides),
                folder,
                Store(root / "store"),
                until=until,
                quiet=True,
                cluster=cluster,
            )
        stages = folder.read_json("stages.json")["stages"]
    found = {}
    for s in stages:
        artifact = root / "store" / "artifacts" / s["artifact"]
        for kind in ("*.parquet", "*.safetensors"):
            found |= {f"{s['label']}/{path.name}": path.read_bytes() for path in sorted(artifact.rglob(kind))}
        balance = json.loads((artifact / "manifest.json").read_text())["balance"]
        assert balance["asked"] == balance["parsed"] + balance["failed"]
        found[f"{s['label']}/balance"] = json.dumps(balance, sort_keys=True).encode()
    return found


def test_a_recipe_makes_the_same_data_and_samples_on_a_cluster(cluster: Any, tmp_path: Path, small: list[str]) -> None:
    here = made(tmp_path / "here", small, None)
    there = made(tmp_path / "there", small, EngineSettings(cluster.address, workers=2))
    assert here.keys() == there.keys()
    assert {"ask/problems.parquet", "teach/lessons.parquet", "practice 2/attempts.parquet"} <= here.keys()
    assert [name for name in here if here[name] != there[name]] == []


def a_worker() -> bool:
    return _kill("Worker")


def a_training_process() -> bool:
    return _kill("RayTrainWorker")


def _kill(kind: str) -> bool:
    there = actors(kind)
    if there:
        os.kill(min(there), signal.SIGKILL)
    return bool(there)


class Loses:
    """Loses something in the middle of each of some stages, once a stage; what loses it tells whether it was there."""

    def __init__(self, stages: dict[str, Callable[[], bool]]) -> None:
        self.waiting, self.lost, self.over = dict(stages), set[str](), Event()

    @contextmanager
    def __call__(self, folder: Path) -> Iterator[None]:
        thread = Thread(target=self._run, args=(folder,))
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()

    def _run(self, folder: Path) -> None:
        while not self.over.wait(0.02):
            state = read_state(folder)
            if state is None or state.label not in self.waiting or state.n == 0 or not self.waiting[state.label]():
                continue
            del self.waiting[state.label]
            self.lost.add(state.label)


@pytest.mark.timeout(900)
def test_a_recipe_that_loses_a_worker_in_every_kind_of_stage_makes_the_same_data(
    cluster: Any, tmp_path: Path, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_state, "WRITE_EVERY_S", 0.0)  # the killer reads how far a stage is
    textbook = of_chat(open_textbook(ModelSettings(backend="textbook")))
    stages = dict.fromkeys(("ask", "edit", "teach", "evaluate M1", "practice 2", "judge 2"), a_worker)
    loses = Loses(stages | {"learn 2": a_training_process})
    with serve(textbook, Faults(latency_s=0.3)) as server:
        teacher = ["backend=openai_compatible", "model=m", f"base_url={server.base_url}", "concurrency=4", "options={}"]
        judge = [f"judge_model.{one}" for one in (*teacher, "api_key_env=null")]
        two = ["learn.processes=2", "learn.checkpoint_steps=2"]
        told = [*small, *(f"teacher.{one}" for one in teacher), "teacher.api_key_env=null", "student.options.chunk=2"]
        told += [*judge, "judge.name=model", *two]
        here = made(tmp_path / "here", told, None, until="learn 2")
        once = server.stats["calls"]
        there = made(tmp_path / "there", told, EngineSettings(cluster.address, workers=2), loses, until="learn 2")
        again = server.stats["calls"] - once
    assert loses.lost == {*stages, "learn 2"}
    assert [name for name in here if here[name] != there.get(name)] == []
    in_flight, told_late = 4, 8  # calls at once, and what the others bring in the quarter of a second before a message
    assert again <= once + 4 * (in_flight + told_late) < 2 * once


def test_a_recipe_that_loses_a_node_for_good_makes_the_same_data(
    cluster: Any, tmp_path: Path, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_state, "WRITE_EVERY_S", 0.0)
    textbook = of_chat(open_textbook(ModelSettings(backend="textbook")))

    def a_node() -> bool:
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        return True

    loses = Loses({"teach": a_node})
    with serve(textbook, Faults(latency_s=0.3)) as server:
        teacher = ["backend=openai_compatible", "model=m", f"base_url={server.base_url}", "concurrency=4", "options={}"]
        told = [*small, *(f"teacher.{one}" for one in teacher), "teacher.api_key_env=null"]
        here = made(tmp_path / "here", told, None)
        try:
            there = made(tmp_path / "there", told, EngineSettings(cluster.address, workers=2), loses)
        finally:
            cluster.add_node(num_cpus=1, **STORE)
    assert loses.lost == {"teach"}
    assert [name for name in here if here[name] != there.get(name)] == []


@pytest.mark.usefixtures("cluster")
def test_what_killed_a_worker_is_said_without_rays_numbers() -> None:
    class Dies:  # of a function, so that it goes to the nodes by value
        def die(self) -> None:
            os._exit(7)

        def fail(self) -> None:
            raise ValueError("no such thing")

    actor = ray.remote(Dies).options(num_cpus=0).remote()
    with pytest.raises(ray.exceptions.RayTaskError) as failed:
        ray.get(actor.fail.remote())
    assert reason(failed.value) == "no such thing"
    with pytest.raises(ray.exceptions.RayActorError) as died:
        ray.get(actor.die.remote())
    said = reason(died.value)
    assert "exit" in said.lower()
    assert "actor_id" not in said
    assert "\n" not in said


def test_a_ray_clients_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="--address auto"):
        RayEngine(EngineSettings("ray://somewhere:10001"), "run", open_chat, train_part)


def test_a_cluster_that_wants_a_token_is_reached_by_its_address_where_the_token_lies(tmp_path: Path) -> None:
    """Ray brings it to `auto` by itself, and to no other address; what begins with a run asks for one and leaves it there."""
    with socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    program = str(Path(sys.executable).parent / "ray")
    environment = {k: v for k, v in os.environ.items() if k not in ("RAY_AUTH_MODE", "RAY_ADDRESS")}
    environment |= {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0"}
    subprocess.run([program, "get-auth-token", "--generate"], env=environment, check=True, capture_output=True)
    start = [program, "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=1"]
    start += ["--object-store-memory=100000000", "--include-dashboard=false"]
    asked = f"""
from orcamath.cluster.engine import connected
from orcamath.cluster.settings import EngineSettings
with connected(EngineSettings("127.0.0.1:{port}")) as ray:
    print("reached", ray.cluster_resources()["CPU"])
"""
    with subprocess.Popen(start, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as head:
        try:
            assert head.stdout is not None
            assert any("Ray runtime started" in line for line in head.stdout)
            done = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True)
            assert "reached 1.0" in done.stdout, done.stderr[-2000:]
        finally:
            head.terminate()


def test_a_worker_that_cannot_open_its_model_does_not_keep_the_others_from_it(
    cluster: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A node with another version, another model, no key: the others go on, and the log says why."""
    once = tmp_path / "once"

    def open_there(settings: ModelSettings) -> Any:
        try:
            once.mkdir()
        except FileExistsError:
            return open_chat(settings)
        raise ModelError("another model is here")

    engine = RayEngine(EngineSettings(cluster.address, workers=2), uuid4().hex, open_there, train_part)
    ledger = Ledger(tmp_path / "ledger")
    with serve(slow, threads=64) as server:
        assert remembered(engine, served(server.base_url), ledger).fill(ask(40)) == []
    assert "is left out: another model is here" in caplog.text
    engine.dismiss()
    ledger.close()


def test_models_are_opened_by_the_driver_as_ever(tmp_path: Path) -> None:
    tools = Assembled(Store(tmp_path))
    assert tools.chat(ModelSettings(backend="textbook")).chat.chunk is None
    tools.ledger.close()
