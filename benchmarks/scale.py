"""What grows with the data and what does not: the same stages at 50,000, 100,000 and 200,000 seeds.

    python benchmarks/scale.py --json [--sizes 50000 100000 200000] [--only ask again …] [--replay 1000000] [--workers 1 2 4]

`ask` (Ask-Me-Anything against a writer in this process, through the ledger), `again` (the same stage anew, every call
remembered), `collect` (seeds and what was asked: four problems a seed), `gate` (a lesson a seed, against 1,319 questions),
`preferences` (four samples a seed), `export` (the hub's form), each in a process of its own. Of each: CPU seconds and peak
memory by size; `extra_mb`, what the largest took more than the smallest; `r2` of CPU seconds against size by a straight line;
and for the ledger `bytes_per_call` and `scan_s_per_million`, the CPU seconds in which a million remembered calls are found
again. `--replay N` does `ask` and `again` once more, over N seeds.

`workers`: CPU seconds of 1,000 calls to a testing server by that many Ray actors, Ray's own processes counted; null without
Ray. No two seeds have the same numbers; names, things and verbs are made-up words, of which there are 3,800.
"""

import argparse
import importlib.util
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import contamination
from figures import report

TESTS = 1_319
SAMPLES = 4
SEED = (
    "{name} has {a} {thing} in a {place} and {verb} {b} {thing} more on the way home. "
    "How many {thing} does {name} have now?"
)
TOLD = re.compile(
    r"(?P<name>\w+) has (?P<a>\d+) (?P<thing>\w+) in a (?P<place>\w+) and (?P<verb>\w+) (?P<b>\d+) \w+ more on the way home"
)
STATEMENT = (
    "{name} has {a} {thing} in a {place} and {verb} {b} {thing} more on the way home, "
    "so that {name} has {c} {thing} now."
)
REPLY = f"""<statement>{STATEMENT}</statement>
<target>{{a}}</target>
<question>{{name}} has some {{thing}} in a {{place}} and {{verb}} {{b}} {{thing}} more on the way home. {{name}} has {{c}}
{{thing}} now. How many {{thing}} were in the {{place}} at first?</question>
<target>{{b}}</target>
<question>{{name}} has {{a}} {{thing}} in a {{place}} and {{verb}} some more on the way home. {{name}} has {{c}} {{thing}} now.
How many {{thing}} came on the way home?</question>
<target>{{c}}</target>
<question>{SEED}</question>"""


def told(n: int) -> Iterator[dict[str, Any]]:
    """Yield what is told in each of n seeds: no two have the same numbers."""
    words = contamination.made_up_words(4_000, random.Random(0))[200:]  # behind the stop words
    for i in range(n):
        name, thing, place, verb = (words[(i + 1) * step % len(words)] for step in (7, 11, 13, 17))
        a, b = 2 + i % 1009, 3 + i % 1013
        yield {"name": name.capitalize(), "thing": thing, "place": place, "verb": verb, "a": a, "b": b, "c": a + b}


class Writer:
    """A model in this process that answers as asked, with different text for every seed."""

    fingerprint, chunk = "scale", None

    def __call__(self, requests: Iterable[Any]) -> Iterator[Any]:
        """Answer each by the last problem that was told."""
        from orcamath.ports import Reply, Usage

        for request in requests:
            *_, seed = TOLD.finditer(request.messages[-1].content)
            values = {**seed.groupdict(), "c": int(seed["a"]) + int(seed["b"])}
            yield Reply(request.key(self.fingerprint), REPLY.format(**values), usage=Usage(600, 200))


class Bench:
    """One size's store, and the stages in it by name."""

    def __init__(self, root: Path, n: int) -> None:
        from orcamath.store.artifacts import Store

        self.store, self.root, self.n = Store(root), root, n

    def made(self, name: str, make: Callable[[Any], Any] = lambda _: None, *inputs: Any, settings: Any = None) -> Any:
        """Return a stage's result, made by `make` where it is not there."""
        return self.store.stage(name, 1, settings, [str(self.n), *inputs], make)

    def prepare(self) -> None:
        """Write the seeds."""
        from orcamath.records import Problem

        rows = (
            Problem.make(SEED.format(**t), "seed", "scale", answer=str(t["c"]), answer_from="gold")
            for t in told(self.n)
        )
        self.made("seeds", lambda out: wrote(out.write("problems", rows)))

    def ask(self) -> dict[str, Any]:
        """Have the writer make problems of all seeds."""
        with self.writer() as writer:
            made = self.asked("ask", writer)
        n_bytes = sum(f.stat().st_size for f in (self.root / "ledger").iterdir())
        return {"kept": made.balance["kept"], "bytes_per_call": round(n_bytes / self.n)}

    def again(self) -> dict[str, Any]:
        """Find every call in the ledger, then make the stage anew of what is remembered."""
        from orcamath.agents.ask_me_anything import AskSettings, make
        from orcamath.records import Problem

        agent, seeds = make(AskSettings()), self.made("seeds")
        with self.writer() as writer:
            began = time.process_time()
            assert writer.fill(agent.request(seed, 0) for seed in seeds.read(Problem)) == []
            scanned = time.process_time() - began
            assert self.asked("again", writer).balance["kept"] == self.asked("ask", writer).balance["kept"]
        return {"scan_s_per_million": round(scanned / self.n * 1e6, 1)}

    def collect(self) -> dict[str, Any]:
        """Put seeds and their children together."""
        from orcamath.stages.collect import CollectSettings, collect

        parts, settings = [self.made("seeds"), self.asked("ask", None)], CollectSettings()
        made = self.made("collect", lambda out: collect(out, settings, parts))
        return {"problems": sum(p.count("problems") for p in parts), "kept": made.balance["kept"]}

    def gate(self) -> dict[str, Any]:
        """Search the lessons for benchmark questions."""
        from orcamath.stages.gate import GateSettings, gate

        taught, tests, settings = self.made("teach"), self.made("benchmarks"), GateSettings()
        made = self.made("gate", lambda out: gate(out, settings, taught, tests, []))
        return {"lessons": taught.count("lessons"), "kept": made.balance["kept"]}

    def preferences(self) -> dict[str, Any]:
        """Make preferences of the judged samples."""
        from orcamath.stages.preferences import PreferSettings, prefer

        judged, settings = self.made("judge"), PreferSettings()
        made = self.made("preferences", lambda out: prefer(out, settings, judged, judged))
        return {"samples": judged.count("attempts"), "kept": made.balance["kept"]}

    def export(self) -> dict[str, Any]:
        """Write the lessons in the hub's form."""
        from orcamath.export.whole import export_table

        return {"rows": export_table({"gate": self.made("gate")}, "lessons", "hub", self.root / "set").n}

    def lessons(self) -> None:
        """Write a lesson for every seed, and the questions of a benchmark."""
        from orcamath.records import Lesson, Problem

        source, tests = self.made("collect"), contamination.texts(TESTS, 1)

        def taught(out: Any) -> None:
            rows = (p for p, _ in zip(source.read(Problem), range(self.n), strict=False))
            out.keep(out.write("lessons", (Lesson.make(p, "So it is.\n#### 1", "1", "scale") for p in rows)))

        self.made("teach", taught)
        self.made(
            "benchmarks", lambda out: wrote(out.write("problems", (Problem.make(t, "seed", "tests") for t in tests)))
        )

    def samples(self) -> None:
        """Write judged samples of a problem for every seed."""
        from orcamath.records import Attempt, Exercise, Verdict

        def tries() -> Iterator[Any]:
            for i in range(self.n):
                for k in range(SAMPLES):
                    text = f"so it is {k}\n#### {k}"
                    yield Attempt.make(f"{i:032x}", k, text, "student", token_ids=None, finish_reason="stop")

        def judged(out: Any) -> None:
            fixed: dict[str, Any] = {"reference": "1", "label": "teacher", "solution": "1 = 1\n#### 1"}
            rows = ((f"{i:032x}", SEED.format(**t)) for i, t in enumerate(told(self.n)))
            out.write("exercises", (Exercise(problem_id=i, question=text, **fixed) for i, text in rows))
            out.write("attempts", tries())
            said = ("disagrees", "agrees", "disagrees", "disagrees")
            out.write(
                "verdicts",
                (Verdict(attempt_id=t.id, problem_id=t.problem_id, outcome=said[t.draw], by="rules") for t in tries()),
            )

        self.made("judge", judged)

    def asked(self, name: str, writer: Any) -> Any:
        """Return what was made of the seeds, under a name."""
        from orcamath.agents.ask_me_anything import AskSettings
        from orcamath.stages.ask import ask

        seeds, settings = self.made("seeds"), AskSettings()
        return self.made(name, lambda out: ask(out, settings, seeds, writer), seeds, settings=settings)

    def writer(self) -> Any:
        """Lend the writer with the ledger in front of it."""
        from contextlib import contextmanager

        from orcamath.store.ledger import Ledger, Remembered

        @contextmanager
        def lent() -> Iterator[Remembered]:
            ledger = Ledger(self.root / "ledger")
            yield Remembered(Writer(), ledger)
            ledger.close()

        return lent()


def wrote(_: int) -> None:
    """A stage returns nothing."""


MEASURED = ("ask", "again", "collect", "gate", "preferences", "export")
ORDER = ("prepare", "ask", "again", "collect", "lessons", "gate", "samples", "preferences", "export")
NEEDS = {
    "ask": {"prepare"},
    "again": {"prepare", "ask"},
    "collect": {"prepare", "ask"},
    "gate": {"prepare", "ask", "collect", "lessons"},
    "preferences": {"samples"},
    "export": {"prepare", "ask", "collect", "lessons", "gate"},
}


def by_actors(n: int, url: str) -> float:
    """Return the CPU seconds of 1,000 calls by so many actors: theirs, Ray's and the driver's."""
    import psutil

    from orcamath.assemble import open_chat
    from orcamath.cluster.crew import RayEngine
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

    engine, calls = RayEngine(EngineSettings(workers=n), f"scale-{os.getpid()}", open_chat), 4_000
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
    command = [sys.executable, "-m", "orcamath.testing", "--reply", "#### 4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().strip()
            return {str(n): round(apart(["--actors", str(n), url])["cpu_s"], 2) for n in some}
        finally:
            server.terminate()


def once(name: str, n: int, root: Path) -> dict[str, Any]:
    """Do one thing in this process; returns its figures, CPU seconds and peak memory in MB among them."""
    bench = Bench(root, n)
    began = time.process_time()
    found = getattr(bench, name)() or {}
    cpu = time.process_time() - began
    return {
        "cpu_s": round(cpu, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        **found,
    }


def apart(arguments: list[str]) -> dict[str, Any]:
    """Call this benchmark in a process of its own."""
    command = [sys.executable, __file__, "--json", *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    found: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, env=env).stdout)
    return found


def at_size(n: int, only: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Run the stages asked for, and those they need, over n seeds; returns the figures of those asked for."""
    needed = {*only, *(need for name in only for need in NEEDS[name])}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in (name for name in ORDER if name in needed):
            found[name] = apart(["--one", name, str(n), folder])
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
    parser.add_argument("--replay", type=int, metavar="N", help="ask and again over N seeds as well (1000000: hours)")
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
        figures["replay"] = at_size(a.replay, ["ask", "again"])
    return {**figures, "workers": workers(a.workers) if a.workers else None}


if __name__ == "__main__":
    report(__doc__, options, measure)
