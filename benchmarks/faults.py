"""A teacher that fails: the same sealed data as from one that does not, and no item lost without a reason.

Ask-Me-Anything, Suggester & Editor and teaching run on classroom seeds against the textbook behind the misbehaving server,
in a process of its own. First without faults; then with one call in five failing on the wire (a key at most `max_tries` − 1
times): every sealed file must be byte for byte the same (`equal_to_fault_free`). Then with content faults as well:
`unaccounted` counts calls and results missing in the books, and seeds that are neither parent of a kept problem nor rejected.
"""

import argparse
import json
import tempfile
import time
import urllib.request
from hashlib import blake2b
from pathlib import Path
from typing import Any

from apart import served
from figures import report
from orcamath.agents.ask_me_anything import AskSettings
from orcamath.backends.openai_compatible import open_chat
from orcamath.classroom import seeds as classroom
from orcamath.records import Problem, Rejected
from orcamath.settings import ModelSettings
from orcamath.sources.source import SourceSettings
from orcamath.stages.ask import ask
from orcamath.stages.edit import EditSettings, edit
from orcamath.stages.teach import TeachSettings, teach
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.ledger import Ledger, Remembered
from orcamath.testing import Faults

MAX_TRIES = 4


def grow(folder: Path, faults: Faults, n: int) -> tuple[list[Artifact], dict[str, Any]]:
    """Make the teacher's data with a server that has these faults; returns the stages and the server's books."""
    said = json.dumps(faults.plain())
    with served("--backend", "textbook", "--faults", said) as url:
        options = {"first_backoff_s": 0.01, "pause_s": 0.02}
        settings = ModelSettings(
            model="m", base_url=url, concurrency=32, timeout_s=2.0, max_tries=MAX_TRIES, options=options
        )
        store, ledger = Store(folder), Ledger(folder / "ledger")
        teacher = Remembered(open_chat(settings), ledger)
        stages = run(store, teacher, n)
        ledger.close()
        with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as answer:
            return stages, json.load(answer)


def run(store: Store, teacher: Remembered, n: int) -> list[Artifact]:
    """The teacher's half of the recipe, without the gate."""

    def gather(out: Output) -> None:
        source = SourceSettings(name="classroom", options={"n": n})
        out.balance.results = out.balance.kept = out.write("problems", classroom.read(source))

    seeds = store.stage("seeds", 1, None, [str(n)], gather)
    asking, editing, teaching = AskSettings(), EditSettings(), TeachSettings()
    asked = store.stage("ask", 1, asking, [seeds, teacher], lambda out: ask(out, asking, seeds, teacher))
    edited = store.stage("edit", 1, editing, [seeds, teacher], lambda out: edit(out, editing, seeds, teacher))
    taught = store.stage("teach", 1, teaching, [asked, teacher], lambda out: teach(out, teaching, asked, teacher))
    return [seeds, asked, edited, taught]


def contents(stages: list[Artifact]) -> dict[str, str]:
    """Return the hash of every sealed file."""
    return {
        f"{a.path.name}/{f.name}": blake2b(f.read_bytes(), digest_size=16).hexdigest()
        for a in stages
        for f in sorted(a.path.rglob("*"))
        if f.is_file()
    }


def unaccounted(stages: list[Artifact]) -> int:
    """Count what is in no book."""
    seeds, asked, edited, taught = stages
    missing = 0
    for a in stages:
        b = a.balance
        missing += abs(b["asked"] - b["parsed"] - b["failed"]) + abs(
            b["results"] - b["kept"] - sum(b["rejected"].values())
        )
    for made in (asked, edited):
        seen = {p for problem in made.read(Problem) for p in problem.parents} | {r.item for r in made.read(Rejected)}
        missing += sum(s.id not in seen for s in seeds.read(Problem))
    problems = {p.id for p in asked.read(Problem)}
    lessons = {row["problem_id"] for row in _rows(taught)} | {r.item for r in taught.read(Rejected)}
    return missing + len(problems - lessons)


def _rows(taught: Artifact) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(taught.path / "lessons.parquet", columns=["problem_id"]).to_pylist()
    return rows


def options(parser: argparse.ArgumentParser) -> None:
    """How many seed problems, and the seed of the faults."""
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)


def measure(a: argparse.Namespace) -> dict[str, object]:
    """Run the stages without faults, with faults of the wire, and with those of content as well."""
    with tempfile.TemporaryDirectory() as folder:
        began, root = time.perf_counter(), Path(folder)
        clean, asked = grow(root / "clean", Faults(), a.seeds)
        wire = Faults(seed=a.seed, max_per_key=MAX_TRIES - 1, retry_after_s=0.02).every_wire(0.2)
        faulty, spoilt = grow(root / "faulty", wire, a.seeds)
        both = {
            **wire.plain(),
            **{k: v for k, v in Faults().every_content(0.2).plain().items() if v and k != "retry_after_s"},
        }
        broken, last = grow(root / "broken", Faults(**both), a.seeds)  # type: ignore[arg-type]
        n_faults = sum(spoilt.get(name, 0) for name in wire.plain())
        return {
            "seeds": a.seeds,
            "calls": asked["calls"],
            "equal_to_fault_free": contents(clean) == contents(faulty),
            "wire_faulted_share": round(n_faults / spoilt["calls"], 3),
            "unaccounted": unaccounted(clean) + unaccounted(faulty) + unaccounted(broken),
            "rejected_with_content_faults": sum(s.count("rejected") for s in broken),
            "lessons": [stages[-1].count("lessons") for stages in (clean, faulty, broken)],
            "content_faults": {
                k: v for k, v in last.items() if k in ("truncated", "empty", "refused", "absurd", "nonsense")
            },
            "seconds": round(time.perf_counter() - began, 1),
        }


if __name__ == "__main__":
    report(__doc__, options, measure)
