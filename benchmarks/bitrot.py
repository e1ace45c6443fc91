"""One flipped bit in anything that is kept: noticed, without effect, or silent.

A classroom run is made up to its lessons (textbook teacher), and beside it what only longer runs leave: a student, a checkpoint
with the one before, reference log-probs, a batch. Then one random bit is flipped in a copy, what is kept there is read as a
run reads it, and compared with what was written. `noticed`: an error that says so, or a warning and then the right thing (the
stage made anew, the checkpoint before, a call that is asked again). `harmless`: all that is read is as it was. `silent`: it is
not, and nobody said anything. Not counted, since no stage reads them: log.txt, metrics.jsonl, event files, report.html.
"""

import argparse
import logging
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import torch
from torch.optim import AdamW

from figures import report
from orcamath import classroom
from orcamath.assemble import Assembled
from orcamath.backends.batch_files import Desk
from orcamath.commands.asked import RunAsked
from orcamath.commands.runs import run_in_folder
from orcamath.errors import OrcamathError
from orcamath.ports import Message, Request, Usage
from orcamath.report.arms import arms_of
from orcamath.store.artifacts import Output, Store
from orcamath.store.budget import Budget, Price
from orcamath.store.history import named_in
from orcamath.store.ledger import Ledger
from orcamath.store.run_folder import RunFolder
from orcamath.store.seals import number_of, sealed_number
from orcamath.store.sqlite_errors import FAILED, connect
from orcamath.store.tables import SCHEMAS
from orcamath.student.checkpoint import resume, save_checkpoint
from orcamath.student.facts import TrainedFacts
from orcamath.student.model import contents
from orcamath.workshop import UntilReached

RECIPE = """
name: rot
seeds: {sources: [{name: classroom, split: train, options: {n: 12, seed: 0}}]}
benchmarks: {sources: [{name: classroom, split: test, options: {n: 8, seed: 0}}]}
teacher: {backend: textbook}
suggester_editor: {rounds: 1}
collect: {near: false}
budget: {cap_usd: 5}
"""


class Kind(NamedTuple):
    """Files of one kind below the root, and how a run reads them."""

    files: Callable[[Path], list[Path]]
    read: Callable[[Path], Any]


class _Warned(logging.Handler):
    """Counts warnings: they are how damage that is mended at once is told."""

    n = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.n += record.levelno >= logging.WARNING


def _globbed(*patterns: str) -> Callable[[Path], list[Path]]:
    return lambda root: sorted(p for pattern in patterns for p in root.glob(pattern) if p.is_file())


def _stages(root: Path) -> Any:
    """Return every table of every stage, its facts and books."""
    store, found = Store(root / "store"), {}
    for path in sorted(store.artifacts.glob("[a-z]*-*/")):
        stage, _, name = path.name.rpartition("-")
        artifact = store.find(stage, name)
        if artifact is None:
            found[path.name] = None
            continue
        rows = {t: [r.row() for r in artifact.read(SCHEMAS[t].record, t)] for t in artifact.manifest["tables"]}
        found[path.name] = (artifact.manifest, rows, artifact.seconds)
    return found


def _student(root: Path) -> Any:
    store = Store(root / "store")
    (path,) = store.artifacts.glob("imitate-*/")
    found = store.find("imitate", path.name.rpartition("-")[2])
    assert found is not None
    tools = Assembled(store)
    try:
        return tools.model_of(found).content
    finally:
        tools.close()


def _calls(root: Path) -> Any:
    with closing(Ledger(root / "store" / "ledger")) as ledger:
        keys = orjson.loads((root / "keys.json").read_bytes())
        return [ledger.get(bytes.fromhex(key)) for key in keys]


def _log_probs(root: Path) -> Any:
    with closing(connect(root / "store/reference/reference.sqlite")) as db:
        rows = [db.execute("SELECT value FROM logprobs WHERE key=?", (b"%016d" % i,)).fetchone() for i in range(200)]
    return [None if row is None else number_of(b"%016d" % i, row[0]) for i, row in enumerate(rows)]


def _checkpoint(root: Path) -> Any:
    model, optimizer = _tiny()
    begun = resume(root / "checkpoints", model, optimizer)
    assert begun is not None
    return begun, [p.tolist() for p in model.parameters()]


def _tiny() -> tuple[torch.nn.Module, AdamW]:
    torch.manual_seed(0)
    model = torch.nn.Linear(16, 8)
    return model, AdamW(model.parameters())


def _book(root: Path) -> Any:
    (path,) = (root / "store/runs").glob("*/budget.sqlite")
    with closing(Budget(path, 5.0)) as budget:
        return [budget.spent_usd(s) for s in (None, "ask", "teach")], budget.doubts()


def _batches(root: Path) -> Any:
    desk, found = Desk(root / "batches"), []
    for intent in desk.intents():
        lines = desk.lines(intent)
        if intent.status == "intended" and lines is None:
            desk.drop(intent, "cannot be read")  # as a run does
        found.append((intent, desk.results(intent), lines))
    return found


def _run(root: Path) -> Any:
    folder = RunFolder(root / "runs/rot")
    arms = [(a.pointers, a.recipe) for a in arms_of(folder.path)]
    return arms, folder.read_json("run.json"), sorted(named_in(root / "store"))


KINDS: dict[str, Kind] = {
    "tables": Kind(_globbed("store/artifacts/*/*.parquet"), _stages),
    "manifests": Kind(_globbed("store/artifacts/*/manifest.json", "store/artifacts/*.made.json"), _stages),
    "students": Kind(_globbed("store/artifacts/imitate-*/model/*"), _student),
    "ledger": Kind(_globbed("store/ledger/*.sqlite"), _calls),
    "reference log-probs": Kind(_globbed("store/reference/*.sqlite"), _log_probs),
    "checkpoints": Kind(_globbed("checkpoints/*2/*"), _checkpoint),
    "books": Kind(_globbed("store/runs/*/budget.sqlite"), _book),
    "batches": Kind(_globbed("batches/*"), _batches),
    "run folders and histories": Kind(
        _globbed("runs/rot/stages.json", "runs/rot/run.json", "runs/rot/recipe.yaml", "store/runs/*/*.json"), _run
    ),
}


def made(root: Path) -> None:
    """Make everything that is kept."""
    (root / "rot.yaml").write_text(RECIPE)
    with suppress(UntilReached):
        run_in_folder(str(root / "rot.yaml"), RunAsked(root / "runs", root / "store", until="teach"))
    store = Store(root / "store")
    with closing(Ledger(store.root / "ledger")) as ledger:
        keys = [entry.request.key(entry.fingerprint).hex() for entry in ledger.entries()]
    (root / "keys.json").write_bytes(orjson.dumps(keys))

    def train(out: Output) -> TrainedFacts:
        shutil.copytree(Path(str(classroom.__file__)).parent / "base", out.folder / "model")
        return TrainedFacts(contents=contents(out.folder / "model"))

    store.stage("imitate", 1, None, [], train)
    (store.root / "reference").mkdir()
    with closing(sqlite3.connect(store.root / "reference/reference.sqlite")) as db:
        db.execute("CREATE TABLE logprobs (key BLOB PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID")
        rows = [(key := b"%016d" % i, sealed_number(key, -i * 0.37)) for i in range(200)]
        db.executemany("INSERT INTO logprobs VALUES (?,?)", rows)
        db.commit()
    model, optimizer = _tiny()
    for step in (1, 2):
        model(torch.ones(16)).sum().backward()
        optimizer.step()
        save_checkpoint(root / "checkpoints", step, model, optimizer, {"losses": [0.5] * step, "n_tokens": 7 * step})
    (book,) = (store.root / "runs").glob("*/budget.sqlite")
    with closing(Budget(book, 5.0)) as budget:
        request = Request((Message("user", "How many?"),))
        for i in range(60):
            lease = budget.meter(("ask", "teach")[i % 2], Price(1.0, 2.0))
            held = lease.reserve(request)
            assert held is not None
            lease.settle(held, Usage(9 + i, i), sent=True)
    desk = Desk(root / "batches")
    lines = [orjson.dumps({"custom_id": f"{i:032x}", "body": {"text": "How many?" * 9}}) for i in range(40)]
    desk.intend(lines, [f"{i:032x}" for i in range(40)])
    response = {"status_code": 200, "body": {"choices": [{"message": {"content": "four" * 20}}]}}
    results = [orjson.dumps({"custom_id": f"{i:032x}", "response": response}) for i in range(40, 80)]
    desk.keep_results(desk.intend(lines, [f"{i:032x}" for i in range(40, 80)]), b"\n".join(results), "completed")


@contextmanager
def flipped(root: Path, path: Path, rng: random.Random) -> Iterator[Path]:
    """Lend a copy in which one bit of one file is another one."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(root, copy)
        target = copy / path.relative_to(root)
        content = bytearray(target.read_bytes())
        bit = rng.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        target.write_bytes(bytes(content))
        yield copy


def outcome(kind: Kind, copy: Path, want: Any, warned: _Warned) -> str:
    """Read a copy and say how its flip showed."""
    before = warned.n
    try:
        found = kind.read(copy)
    except (OrcamathError, *FAILED):
        return "noticed"
    if warned.n > before:
        return "noticed"
    if found == want:
        return "harmless"
    lost = isinstance(want, list) and all(f is None or f == w for f, w in zip(found, want, strict=False))
    return "noticed" if lost else "silent"  # a call or number that is not found is asked for, or computed, again


def options(parser: argparse.ArgumentParser) -> None:
    """How many flips."""
    parser.add_argument("--flips", type=int, default=1_200)
    parser.add_argument("--seed", type=int, default=0)


def measure(a: argparse.Namespace) -> dict[str, object]:
    """Flip bits, as many in files of each kind."""
    rng, warned = random.Random(a.seed), _Warned()
    log = logging.getLogger("orcamath")
    log.addHandler(warned)
    log.propagate = False
    by_kind: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
    silent: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "whole"
        root.mkdir()
        made(root)
        wants = {name: kind.read(root) for name, kind in KINDS.items()}
        for i in range(a.flips):
            name = list(KINDS)[i % len(KINDS)]
            path = rng.choice(KINDS[name].files(root))
            with flipped(root, path, rng) as copy:
                how = outcome(KINDS[name], copy, wants[name], warned)
            by_kind[name][how] += 1
            if how == "silent":
                silent.append(str(path.relative_to(root)))
    total = sum(by_kind.values(), Counter[str]())
    return {
        "flips": total.total(),
        "silent": total["silent"],
        "noticed": total["noticed"],
        "harmless": total["harmless"],
        "by_kind": {name: dict(sorted(counts.items())) for name, counts in by_kind.items()},
        "silent_in": silent,
    }


if __name__ == "__main__":
    report(__doc__, options, measure)
