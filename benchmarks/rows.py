"""What one row costs, at real sizes: CPU µs a row and peak memory of everything that goes through all rows.

    [ORCAMATH_TEST_DATA=DIR] python benchmarks/rows.py [--n 10000 100000] [--only collect check …] [--rounds 3]

`collect` (duplicates searched), `alike` (clusters of near-identical fillings of one template), `check` (all looks, against
1,319 questions), `judge` (rules, on answers with a marker), `preferences` (of four samples a problem), `export` (the hub's form),
`report` and `status` (of a run of n lessons). Each is a process of its own, as often as `--rounds`. Given are the median, least
and most CPU time: of commands from start to end, of all else without the start and the making of rows; and the largest resident
memory of the process, in which `alike`, `check` and `judge` hold their rows (about 1 kB each).
Questions are put together from sentences of GSM8K where ORCAMATH_TEST_DATA has it, else from made-up words.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import contamination
from apart import figures_of
from figures import report, resident
from sealing import sealed
from view import write_run

TESTS = 1_319


def texts(n: int) -> list[str]:
    """Return n questions of about 46 words."""
    return list(contamination.texts(n, 0))


class Used(NamedTuple):
    """CPU seconds, and the largest resident memory of the process in MB."""

    cpu_s: float
    peak_mb: float


def timed(work: Callable[[], object]) -> Used:
    """Do `work` in this process."""
    began = time.process_time()
    work()
    return Used(time.process_time() - began, resident("VmHWM") * 1000)


def collecting(n: int, root: Path) -> Used:
    """Search n problems for duplicates, and write them."""
    from orcamath.records import Problem
    from orcamath.stages.collect import CollectSettings, collect
    from orcamath.store.artifacts import Store

    store, rows = Store(root), contamination.texts(n, 0)
    made = sealed(store, "seeds", problems=(Problem.make(t, "seed", "own") for t in rows))
    settings = CollectSettings()
    return timed(lambda: store.stage("collect", 1, settings, [made], lambda out: collect(out, settings, [made])))


def alike(n: int, _: Path) -> Used:
    """Cluster n fillings of one template."""
    from orcamath.records import Problem
    from orcamath.sources.clusters import Sketches

    text = "Ann has {} apples and buys {} more at the shop on the corner. How many apples has she by then?"
    rows = [Problem.make(text.format(i, i % 7), "seed", "own") for i in range(n)]
    sketches = Sketches()

    def cluster() -> None:
        for row in rows:
            sketches.add(row, None)
        sketches.cluster()

    return timed(cluster)


def checking(n: int, root: Path) -> Used:
    """Search n rows for 1,319 test questions by every look."""
    from orcamath.contamination.check import check_files

    rows = texts(n + TESTS)
    files = {"tests": rows[:TESTS], "training": rows[TESTS:]}
    for name, some in files.items():
        (root / f"{name}.jsonl").write_text("".join(json.dumps({"question": t}) + "\n" for t in some))
    return timed(lambda: check_files([root / "training.jsonl"], [root / "tests.jsonl"]))


def judging(n: int, _: Path) -> Used:
    """Judge n worked answers by rules, half of them wrong."""
    from orcamath.judges.rules import make
    from orcamath.judges.settings import JudgeSettings
    from orcamath.ports import Comparison

    judge, questions, working = make(JudgeSettings(), None), texts(n), contamination.texts(n, 1)
    rows = [
        Comparison(question, str(i), f"{work} So there are {i + i % 2}.\n#### {i + i % 2}")
        for i, (question, work) in enumerate(zip(questions, working, strict=True))
    ]
    return timed(lambda: list(judge(rows)))


def preferring(n: int, root: Path) -> Used:
    """Make preferences of four samples each of n / 4 problems."""
    from orcamath.records import Attempt, Exercise, Verdict
    from orcamath.stages.preferences import PreferSettings, prefer
    from orcamath.store.artifacts import Store

    store = Store(root)

    def exercises() -> Iterator[Exercise]:
        for i, text in enumerate(contamination.texts(n // 4, 0)):
            yield Exercise(
                problem_id=f"{i:032x}", question=text, reference="1", label="teacher", solution="1 = 1\n#### 1"
            )

    def tries() -> Iterator[Attempt]:
        for i in range(n // 4):
            for k in range(4):
                text = f"so it is {k}\n#### {k}"
                yield Attempt.make(f"{i:032x}", k, text, "student", token_ids=None, finish_reason="stop")

    said = ("disagrees", "agrees", "disagrees", "disagrees")
    verdicts = (Verdict(attempt_id=t.id, problem_id=t.problem_id, outcome=said[t.draw], by="rules") for t in tries())
    made = sealed(store, "judge", exercises=exercises(), attempts=tries(), verdicts=verdicts)
    settings = PreferSettings()
    return timed(lambda: store.stage("preferences", 1, settings, [made], lambda out: prefer(out, settings, made, made)))


def of_run(n: int, root: Path, command: list[str]) -> Used:
    """Write a run of n lessons that are trained on as they are, and call one command on it: a process each."""
    writer = multiprocessing.get_context("spawn").Process(target=write_gated, args=(root, n))
    writer.start()
    writer.join()
    called = subprocess.Popen([sys.executable, "-m", "orcamath", *command], cwd=root, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(called.pid, 0)
    if status:
        sys.exit(f"`orcamath {' '.join(command)}` failed")
    return Used(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


def write_gated(root: Path, n: int) -> None:
    """Write a run whose lessons have passed the gate as they are."""
    write_run(root, n)
    stages = json.loads((path := root / "runs/big/stages.json").read_text())
    del stages["seal"]
    stages["stages"].append({**next(s for s in stages["stages"] if s["label"] == "teach"), "label": "gate"})
    path.write_text(json.dumps(stages))


WORK: dict[str, Callable[[int, Path], Used]] = {
    "collect": collecting,
    "alike": alike,
    "check": checking,
    "judge": judging,
    "preferences": preferring,
    "export": lambda n, root: of_run(n, root, ["export", "big", "lessons", "--as", "hub", "--out", "set"]),
    "report": lambda n, root: of_run(n, root, ["report", "big"]),
    "status": lambda n, root: of_run(n, root, ["status", "big"]),
}
ALONE = {"export", "report", "status"}
"""Commands: their time is that of the whole process."""


def options(parser: argparse.ArgumentParser) -> None:
    """Which sizes and rooms."""
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--only", nargs="*", default=list(WORK), choices=WORK)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("NAME", "N"), help=argparse.SUPPRESS)


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Do everything as often as asked, each in a process of its own."""
    if args.one is not None:
        with tempfile.TemporaryDirectory() as folder:
            return WORK[args.one[0]](int(args.one[1]), Path(folder))._asdict()
    return {name: {str(n): dict(_figures(name, n, args.rounds)) for n in args.n} for name in args.only}


def _figures(name: str, n: int, rounds: int) -> Iterator[tuple[str, object]]:
    told = [figures_of(__file__, "--one", name, str(n)) for _ in range(rounds)]
    spent = [t["cpu_s"] for t in told]
    middle, least, most = statistics.median(spent), min(spent), max(spent)
    if name in ALONE:
        yield "cpu_s", [round(x, 2) for x in (middle, least, most)]
    else:
        yield "cpu_us_a_row", [round(x / n * 1e6, 1) for x in (middle, least, most)]
    yield "peak_mb", round(max(t["peak_mb"] for t in told))


if __name__ == "__main__":
    report(__doc__, options, measure)
