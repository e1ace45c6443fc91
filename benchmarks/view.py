"""The viewer over 200,000 problems and their lessons: first page, search, filters, one record, one story; the server's memory.

The run is written by the script itself: problems of a vocabulary of 12,000 made-up words, six children a seed, a lesson each, an
attempt and a verdict on a tenth. The server is a process of its own. Printed, of each kind of request: its wall time and the CPU
time that the server took for it (the worst of its questions, each asked five times), and the server's peak resident memory.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from figures import report, resident
from sealing import sealed

CHILDREN = 6
TRIES = 5


def words() -> list[str]:
    """Return made-up words, the first far more frequent than the last when drawn by `draw`."""
    dice = random.Random(1)
    pieces = ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "pan", "ler", "min", "dor", "fel"]
    return ["".join(dice.choice(pieces) for _ in range(dice.randint(2, 4))) for _ in range(12_000)]


def question(i: int, vocabulary: list[str]) -> str:
    """Write one problem of about 230 characters."""
    dice = random.Random(i)

    def some(n: int) -> str:
        return " ".join(vocabulary[int(len(vocabulary) * dice.random() ** 4)] for _ in range(n))

    a, b, c = (dice.randint(2, 99) for _ in range(3))
    return (
        f"{some(2).capitalize()} has {a} {some(2)} and buys {b} more {some(3)}. Then {some(9)} for {c} days, while {some(6)}. "
        f"How many {some(3)} are left at the end of {some(4)}?"
    )


def write_run(root: Path, n: int) -> None:
    """Write a run of `n` problems with a store of its own."""
    from orcamath.records import Attempt, Exercise, Lesson, Problem, Verdict
    from orcamath.store.artifacts import Store
    from orcamath.store.run_folder import RunFolder

    vocabulary, store = words(), Store(root / "store")
    n_seeds = n // (1 + CHILDREN)

    def seeds() -> Iterator[Problem]:
        for i in range(n_seeds):
            yield Problem.make(question(i, vocabulary), "seed", f"set{i % 11}", answer=str(i), answer_from="gold")

    def grown() -> Iterator[Problem]:
        for seed in seeds():
            yield seed
            for k in range(CHILDREN):
                text = question(n + int(seed.id[:8], 16) + k, vocabulary)
                origin = "ask_me_anything" if k < 4 else "suggester_editor"
                yield Problem.make(text, origin, seed.source, parents=(seed.id,), round=1)

    def lessons() -> Iterator[Lesson]:
        for i, p in enumerate(grown()):
            work = " ".join(f"Step {k}: {question(i + k, vocabulary)[:110]}" for k in range(4))
            yield Lesson.make(p, f"{work}\n#### {i}", str(i), "teacher", verified=("gold", "unverified")[i % 2])

    some = [p for i, p in enumerate(grown()) if i % 10 == 0]
    posed = [Exercise(problem_id=p.id, question=p.question, reference="1", label="teacher") for p in some]
    tries = [
        Attempt.make(p.id, 0, question(i, vocabulary), "student", token_ids=None, finish_reason="stop")
        for i, p in enumerate(some)
    ]
    verdicts = [
        Verdict(attempt_id=t.id, problem_id=t.problem_id, outcome=("agrees", "disagrees")[i % 2], by="rules")
        for i, t in enumerate(tries)
    ]
    made = [
        ("seeds", sealed(store, "seeds", problems=seeds())),
        ("collect", sealed(store, "collect", problems=grown())),
        ("teach", sealed(store, "teach", lessons=lessons())),
        ("practice 2", sealed(store, "practice", exercises=posed, attempts=tries, verdicts=verdicts)),
    ]
    with RunFolder(root / "runs" / "big") as folder:
        folder.write_text("recipe.yaml", "name: big\n")
        stages = [{"label": label, "artifact": a.path.name, "seconds": 1.0, "reused": False} for label, a in made]
        folder.write_json("stages.json", {"stages": stages, "students": []})


class Server:
    """A viewer in a process of its own."""

    def __init__(self, root: Path) -> None:
        command = [sys.executable, "-m", "orcamath", "view", "big", "--no-browser"]
        self.process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def ask(self, path: str, /, **asked: Any) -> tuple[Any, float, float]:
        """Return the answer, wall seconds and the server's CPU seconds."""
        cpu, began = self.cpu(), time.perf_counter()
        with urllib.request.urlopen(f"{self.address}api/{path}?{urlencode(asked)}") as answer:
            found = json.loads(answer.read())
        return found, time.perf_counter() - began, self.cpu() - cpu

    def cpu(self) -> float:
        """Return the CPU seconds that the server has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        """Return the server's peak resident memory."""
        return resident("VmHWM", self.process.pid) * 1000

    def wait_for_index(self) -> float:
        """Wait until everything is indexed; returns CPU seconds taken since the start."""
        while True:
            found, _, _ = self.ask("live")
            if not found["index"]["parts_left"] and found["totals"]["verdicts"] and found["totals"]["attempts"]:
                return self.cpu()
            time.sleep(1.0)

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


def measured(server: Server) -> dict[str, Any]:
    """Ask every kind of question and return the worst of each."""
    common = words()[0]
    child = server.ask("records", kind="problems", origin="suggester_editor")[0]["rows"][0]["name"]
    looked_for = (common, "how many", f"{common} {words()[40]}", '"more than"', words()[9000], "days whi")
    asked: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "first page": [("records", {"kind": kind}) for kind in ("problems", "lessons", "attempts")],
        "search": [("records", {"kind": kind, "q": q}) for kind in ("problems", "lessons") for q in looked_for],
        "filter": [
            ("records", {"kind": "problems", "origin": "ask_me_anything", "source": "set3"}),
            ("records", {"kind": "lessons", "verified": "gold", "q": common}),
        ],
        "sort": [
            ("records", {"kind": "problems", "order": "longest"}),
            ("records", {"kind": "lessons", "order": "newest"}),
        ],
        "page 2,000": [("records", {"kind": "problems", "offset": 100_000})],
        "counts of filters": [("facets", {"kind": "problems"}), ("facets", {"kind": "lessons", "q": common})],
        "a record": [("record", {"kind": "problems", "name": child})],
        "a story": [("story", {"id": child})],
        "live": [("live", {})],
    }
    found = {}
    for name, questions in asked.items():
        wall, cpu = [], []
        for path, values in questions:
            times = [server.ask(path, **values)[1:] for _ in range(TRIES)]
            wall.append(sorted(w for w, _ in times)[TRIES // 2])
            cpu.append(sum(c for _, c in times) / TRIES)
        found[name] = {
            "wall_ms": round(1000 * max(wall)),
            "cpu_ms": round(1000 * max(cpu)),
            "questions": len(questions),
        }
    return found


def options(parser: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="keep the run here and use it again")


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Write a run, have it indexed, look at it with a fresh server."""
    with tempfile.TemporaryDirectory() as temporary:
        root = args.folder or Path(temporary)
        if not (root / "runs/big/stages.json").exists():
            root.mkdir(parents=True, exist_ok=True)
            write_run(root, args.n)
        for path in (root / "runs/big").glob("view.sqlite*"):
            path.unlink()
        server = Server(root)
        try:
            indexed = server.wait_for_index()
            building = server.peak_mb()
        finally:
            server.close()
        size = (root / "runs/big/view.sqlite").stat().st_size
        server = Server(root)
        try:
            requests = measured(server)
            serving = server.peak_mb()
        finally:
            server.close()
    return {
        "n_problems": args.n,
        "index_cpu_s": round(indexed, 1),
        "index_mb": round(size / 1e6),
        "peak_mb_building": round(building),
        "peak_mb_serving": round(serving),
        "requests": requests,
    }


if __name__ == "__main__":
    report(__doc__, options, measure)
