"""One fill of many model calls over two raylets: our crew (`RayEngine.spread`) and Ray Data's actors (`ray_data_chat.py`).

    python benchmarks/ray_data_fill.py [--calls 1000] [--repeats 3] [--sides ours data-64] [--troubles worker node poison]

Both are the port `Chat` behind `Remembered`, both have two workers with the same calls at once and a ledger shard each, on
its node's own disk, and both ask a stub in a process of its own whose answers take a lognormal time (median `--median-ms`,
σ 1), drawn by the request's number: the same ones for all. `data-N`: Ray Data with blocks of N requests; our crew takes eight
times what a worker has under way, 64 here. Sides take turns.

Of each side without trouble: seconds of a first fill of 32 calls; then of a whole fill, seconds to its first reply, calls a
second from there to the last, CPU seconds a thousand calls of driver, raylets and workers together and of the driver alone,
and how much the driver grew. With trouble in the middle (a worker is killed, a raylet is lost, one request kills whoever is
asked it): whether the fill came to its end, calls that reached the server beyond one a request, requests without a reply,
seconds. Needs the extra `ray`, pandas, and Linux.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import orjson

from figures import report, resident
from orcamath.assemble import open_chat, train_part
from orcamath.cluster.engine import RayEngine
from orcamath.cluster.settings import EngineSettings
from orcamath.ports import Chat, Message, Replies, Request
from orcamath.settings import ModelSettings
from orcamath.store.ledger import Ledger, Remembered
from orcamath.testing.server import Call, MisbehavingServer, serve

N_WORKERS, SMALL = 2, 32
POISON, SERVE, WORKERS = "poison", "--be-the-stub", ("ray::Worker", "ray::MapWorker")
TROUBLES, SIDES = ("worker", "node", "poison"), ("ours", "data-16", "data-64", "data-256")
TROUBLED = ("ours", "data-64", "data-256")
STORE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80_000_000}


class Deadly:
    """A Chat that kills its process where it is asked the one request."""

    chunk: int | None = None

    def __init__(self, settings: ModelSettings) -> None:
        self.chat = open_chat(settings)
        self.fingerprint = self.chat.fingerprint

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Ask, up to that request."""

        def until_poisoned() -> Iterator[Request]:
            for request in requests:
                if POISON in request.messages[0].content:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield request

        return self.chat(until_poisoned())


class Place(NamedTuple):
    """What trials run on."""

    cluster: Any
    disks: Path
    url: str
    at_once: int
    limit_s: int

    def said(self) -> dict[str, Any]:
        """Return the server's books."""
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/stats") as answer:
            return orjson.loads(answer.read())  # type: ignore[no-any-return] # the server's own

    def add_node(self) -> None:
        """Add the raylet that may be lost; what lay on the disk of one before is gone with it."""
        own = tempfile.mkdtemp(dir=self.disks)
        self.cluster.add_node(env_vars={"TMPDIR": own}, **STORE)


class Watch:
    """Progress: when the first reply came; and something is done once, in the middle, beside the driver."""

    def __init__(self, at: int = sys.maxsize, what: Callable[[], object] = lambda: None) -> None:
        self.at, self.n, self.first = at, 0, 0.0
        self.doing = threading.Thread(target=what)

    def begin(self, *_: object) -> None:
        """Nothing."""

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:  # noqa: ARG002 (a port)
        """Count, and do it."""
        self.first = self.first or time.perf_counter()
        self.n += n
        if self.n >= self.at:
            self.at = sys.maxsize
            self.doing.start()

    end = begin


@contextmanager
def opened(side: str, place: Place, opening: Callable[[ModelSettings], Chat]) -> Iterator[Chat]:
    """Lend one side's model."""
    settings = ModelSettings(model="m", base_url=place.url, api_key_env=None, concurrency=place.at_once)
    if side == "ours":
        engine = RayEngine(EngineSettings(place.cluster.address, workers=N_WORKERS), uuid4().hex, opening, train_part)
        yield engine.spread(settings, opening(settings))
        engine.dismiss()
        return
    from ray_data_chat import Pool, RayDataChat

    one = settings.model_copy(update={"concurrency": max(1, place.at_once // N_WORKERS)})
    pool = Pool(opening, one, N_WORKERS, uuid4().hex)
    chat = RayDataChat(pool, opening(settings).fingerprint, int(side.removeprefix("data-")))
    yield chat
    chat.close()


def asked(n: int, poisoned: bool = False) -> list[Request]:
    """Return requests that no trial asked before; their numbers say how long each takes."""
    trial = uuid4().hex
    texts = [f"{i} {trial}" for i in range(n)]
    if poisoned:
        texts[n // 2] += f" {POISON}"
    return [Request((Message("user", text),)) for text in texts]


def plain(side: str, place: Place, n: int) -> dict[str, float]:
    """Fill a little, then much: what starts does so in the first one, unless it has to start each time."""
    with tempfile.TemporaryDirectory() as folder, opened(side, place, open_chat) as chat:
        ledger = Ledger(Path(folder))
        model = Remembered(chat, ledger)
        began = time.perf_counter()
        assert model.fill(asked(SMALL)) == []
        small = time.perf_counter() - began
        watch, before, rss, began = Watch(), cpu_s(), resident("VmRSS"), time.perf_counter()
        assert model.fill(asked(n), watch) == []
        ended = time.perf_counter()
        cpu = {name: seconds - before.get(name, 0.0) for name, seconds in cpu_s().items()}
        ledger.close()
    return {
        "small_s": small,
        "first_s": watch.first - began,
        "rate": (n - 1) / (ended - watch.first),
        "rate_whole": n / (ended - began),
        "cpu_per_1000": sum(cpu.values()) / n * 1000,
        "of_driver": cpu["self"] / n * 1000,
        "grown_mb": 1000 * (resident("VmRSS") - rss),
    }


def troubled(side: str, place: Place, trouble: str, n: int) -> dict[str, float]:
    """Fill with trouble in the middle, for as long as the limit lets."""
    lost = next(iter(place.cluster.worker_nodes))
    troubles: dict[str, Callable[[], object]] = {
        "worker": kill_one,
        "node": partial(place.cluster.remove_node, lost, allow_graceful=False),
        "poison": lambda: None,  # it is among the requests
    }
    requests = asked(n, poisoned=trouble == "poison")
    before, began = place.said().get("calls", 0), time.perf_counter()
    backend = Deadly if trouble == "poison" else open_chat
    with tempfile.TemporaryDirectory() as folder, opened(side, place, backend) as chat:
        ledger = Ledger(Path(folder))
        model, watch = Remembered(chat, ledger), Watch(n // 2, troubles[trouble])
        try:
            with at_most(place.limit_s):
                model.fill(requests, watch)
            ended = True
        except Exception as e:  # whatever ends the fill is what is measured here
            sys.stderr.write(f"{side}, {trouble}: {type(e).__name__}: {str(e)[:300]}\n")
            ended = False
        seconds = time.perf_counter() - began
        missing = sum(model.reply(request) is None for request in requests)
        ledger.close()
    if trouble == "node":
        watch.doing.join()
        place.add_node()
    waste = place.said().get("calls", 0) - before - n + (trouble == "poison")
    return {"ended": float(ended), "waste": waste, "missing": missing, "seconds": seconds}


def kill_one() -> None:
    """Kill the worker that has the lowest process number."""
    mine = [int(p.name) for p in descendants() if (p / "cmdline").read_text().startswith(WORKERS)]
    os.kill(min(mine), signal.SIGKILL)


def descendants() -> list[Path]:
    """Return the process folders of all that began with this one, but for the stub."""
    parents: dict[str, list[Path]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(stat.read_text().rpartition(")")[2].split()[1], []).append(stat.parent)
    found = [p for p in parents.get(str(os.getpid()), []) if SERVE.encode() not in (p / "cmdline").read_bytes()]
    for folder in found:
        found += parents.get(folder.name, [])
    return found


def cpu_s() -> dict[str, float]:
    """Return the CPU seconds of this process and of each descendant that lives."""
    found = {}
    for folder in [*descendants(), Path("/proc/self")]:
        with suppress(OSError):
            ticks = sum(map(int, (folder / "stat").read_text().rpartition(")")[2].split()[11:13]))
            found[folder.name] = ticks / os.sysconf("SC_CLK_TCK")
    return found


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the block when it takes longer."""

    def over(*_: object) -> None:
        raise TimeoutError(f"not at its end after {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def placed(args: argparse.Namespace) -> Iterator[Place]:
    """Lend two raylets, each with a disk of its own, and the stub."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0"}
    import ray
    from ray.cluster_utils import Cluster

    command = [sys.executable, __file__, SERVE, str(args.median_ms)]
    with tempfile.TemporaryDirectory() as disks, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        head = {"env_vars": {"TMPDIR": tempfile.mkdtemp(dir=disks)}, "include_dashboard": False, **STORE}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            assert stub.stdout is not None
            place = Place(cluster, Path(disks), stub.stdout.readline().strip(), args.at_once, args.limit_s)
            place.add_node()
            ray.init(address=cluster.address, log_to_driver=False, logging_level=40)
            yield place
        finally:
            ray.shutdown()
            cluster.shutdown()
            stub.terminate()


def served(median_ms: float) -> None:
    """Be the stub until ended."""

    def respond(call: Call) -> str:
        number = call.messages[0].content.split()[0]
        time.sleep(median_ms / 1000 * random.Random(number).lognormvariate(0, 1))
        return "#### 4"

    with serve(respond, threads=64, kind=MisbehavingServer) as server:
        print(server.base_url, flush=True)
        signal.pause()


def folded(trials: list[dict[str, float]]) -> dict[str, Any]:
    """Return the median and the ends of each figure."""
    return {name: [round(f([t[name] for t in trials]), 2) for f in (statistics.median, min, max)] for name in trials[0]}


def options(parser: argparse.ArgumentParser) -> None:
    """How much of what."""
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sides", nargs="*", default=SIDES, help="without trouble")
    parser.add_argument("--troubled", nargs="*", default=TROUBLED, help="sides that have trouble")
    parser.add_argument("--troubles", nargs="*", default=TROUBLES, choices=TROUBLES)
    parser.add_argument("--at-once", type=int, default=16, help="calls at once, all workers together")
    parser.add_argument("--median-ms", type=float, default=50.0)
    parser.add_argument("--limit-s", type=int, default=180, help="of a fill with trouble")


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Let the sides take turns."""
    trials: dict[str, list[dict[str, float]]] = {}

    def note(name: str, found: dict[str, float]) -> None:
        trials.setdefault(name, []).append(found)
        sys.stderr.write(f"{name}: { {k: round(v, 2) for k, v in found.items()} }\n")

    with placed(args) as place:
        for _ in range(args.repeats):
            for side in args.sides:
                note(side, plain(side, place, args.calls))
            for trouble in args.troubles:
                for side in args.troubled:
                    note(f"{side}, {trouble}", troubled(side, place, trouble, args.calls))
    return {
        "calls": args.calls,
        "repeats": args.repeats,
        "median, least, most": {k: folded(v) for k, v in trials.items()},
    }


if __name__ == "__main__":
    if sys.argv[1:2] == [SERVE]:
        served(float(sys.argv[2]))
    report(__doc__, options, measure)
