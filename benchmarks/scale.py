"""What grows with the data and what does not: the same stages at 50,000, 100,000 and 200,000 seeds.

    python benchmarks/scale.py --json [--sizes 50000 100000 200000] [--only ask again …] [--replay 1000000] [--workers 1 2 4]

`ask` (Ask-Me-Anything against a writer in this process, through the ledger), `again` (the same stage anew, every call
remembered), `collect` (seeds and what was asked: four problems a seed), `gate` (a lesson a seed, against 1,319 questions),
`preferences` (four samples a seed), `export` (the hub's form), each in a process of its own. Of each: CPU seconds and peak
memory by size; `extra_mb`, what the largest took more than the smallest; `r2` of CPU seconds against size by a straight line;
and for the ledger `bytes_per_call` and `scan_s_per_million`, the CPU seconds in which a million remembered calls are found
again. `--replay N` fills the ledger with the calls of N seeds (`remember`) and does `again` over them.

`workers`: CPU seconds of 1,000 calls to a testing server by that many Ray actors, Ray's own processes counted; null without
Ray. The stages themselves, and what they are fed with, are in `scale_stages.py`.
"""

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from apart import figures_of, served
from figures import report, resident
from scale_stages import MEASURED, NEEDS, ORDER, Bench


def by_actors(n: int, url: str) -> float:
    """Return the CPU seconds of 1,000 calls by so many actors: theirs, Ray's and the driver's."""
    import psutil

    from orcamath.assemble import open_chat, train_part
    from orcamath.cluster.engine import RayEngine
    from orcamath.cluster.settings import EngineSettings
    from orcamath.ports import Message, Request
    from orcamath.settings import ModelSettings
    from orcamath.store.ledger import Ledger, Remembered

    settings = ModelSettings(model="m", base_url=url, concurrency=64, api_key_env=None)

    def spent() -> float:
        me = psutil.Process()
        return sum(t.user + t.system for p in (me, *me.children(recursive=True)) for t in (p.cpu_times(),))

    def requests(first: int, calls: int) -> Iterator[Request]:
        return (Request((Message("user", str(i)),)) for i in range(first, first + calls))

    engine, calls = RayEngine(EngineSettings(workers=n), f"scale-{os.getpid()}", open_chat, train_part), 4_000
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        model = Remembered(engine.spread(settings, open_chat(settings)), ledger)
        assert model.fill(requests(0, 200)) == []  # actors are up
        before = spent()
        assert model.fill(requests(200, calls)) == []
        found = spent() - before
        ledger.close()
    engine.close()
    return found / calls * 1000


def workers(some: list[int]) -> dict[str, float] | None:
    """Measure every number of actors against one server; None without Ray."""
    if importlib.util.find_spec("ray") is None:
        return None
    with served("--reply", "#### 4") as url:
        return {str(n): round(figures_of(__file__, "--actors", str(n), url)["cpu_s"], 2) for n in some}


def once(name: str, n: int, root: Path) -> dict[str, Any]:
    """Do one thing in this process; returns its figures, CPU seconds and peak memory in MB among them."""
    bench = Bench(root, n)
    began = time.process_time()
    found = getattr(bench, name)() or {}
    cpu = time.process_time() - began
    return {
        "cpu_s": round(cpu, 2),
        "peak_mb": round(resident("VmHWM") * 1000, 1),
        **found,
    }


def at_size(n: int, only: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Run the stages asked for, and those they need, over n seeds; returns the figures of those asked for."""
    needed = {*only, *(need for name in only for need in NEEDS[name])}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in (name for name in ORDER if name in needed):
            found[name] = figures_of(__file__, "--one", name, str(n), folder)
            sys.stderr.write(f"{name} {n:,}: {json.dumps(found[name])}\n")
    return {name: found[name] for name in found if name in only}


def told_of(by_size: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return one stage's figures by size, and what they come to."""
    few, many = min(by_size), max(by_size)
    sizes, cpu = np.array(list(by_size), float), np.array([found["cpu_s"] for found in by_size.values()])
    figures: dict[str, Any] = {str(n): found for n, found in by_size.items()}
    figures["extra_mb"] = round(by_size[many]["peak_mb"] - by_size[few]["peak_mb"], 1)
    spread = float(((cpu - cpu.mean()) ** 2).sum())
    if len(sizes) > 2 and spread:
        off = float(((cpu - np.polyval(np.polyfit(sizes, cpu, 1), sizes)) ** 2).sum())
        figures["r2"] = round(1 - off / spread, 4)
    return figures


def options(parser: argparse.ArgumentParser) -> None:
    """Which sizes and stages."""
    parser.add_argument("--sizes", type=int, nargs="+", default=[50_000, 100_000, 200_000])
    parser.add_argument("--only", nargs="*", default=list(MEASURED), choices=MEASURED)
    parser.add_argument(
        "--replay",
        type=int,
        metavar="N",
        help="again over N seeds as well, their calls remembered before (1000000: hours)",
    )
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--one", nargs=3, metavar=("NAME", "N", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--actors", nargs=2, metavar=("N", "URL"), help=argparse.SUPPRESS)


def measure(a: argparse.Namespace) -> dict[str, Any]:
    """Run one stage at one size, or all."""
    if a.one is not None:
        return once(a.one[0], int(a.one[1]), Path(a.one[2]))
    if a.actors is not None:
        return {"cpu_s": by_actors(int(a.actors[0]), a.actors[1])}
    found = {n: at_size(n, a.only) for n in a.sizes}
    figures = {name: told_of({n: found[n][name] for n in a.sizes}) for name in a.only}
    if a.replay:
        figures["replay"] = at_size(a.replay, ["remember", "again"])
    return {**figures, "workers": workers(a.workers) if a.workers else None}


if __name__ == "__main__":
    report(__doc__, options, measure)
