"""SIGKILL anywhere, run again: the same sealed bytes, and hardly a call paid twice.

A small classroom run is made once, its teacher behind the misbehaving server (in this process, which counts completions).
Then every stage is killed `--kills` times: all that comes before it is copied from the first run, `orcamath run --until STAGE`
is started and killed inside the stage (at a random moment; while it folds, that is, while its tables are being written; when
a checkpoint was just left), started again, and its sealed files are compared byte for byte. `wasted`: completions the server
made for a call it had already answered. `wasted_allowed`: concurrency plus one commit window.

With `--work FOLDER` the first run and every kill's outcome are kept there, and the same command goes on where it was broken
off. It stops where the code is no longer the one that the first run was made with: bytes of two versions say nothing.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import orcamath
from figures import report
from orcamath.classroom import textbook
from orcamath.settings import ModelSettings
from orcamath.store.ledger import COMMIT_N
from orcamath.store.placing import write_whole
from orcamath.testing import Faults, of_chat, serve

CONCURRENCY = 8
RECIPE = f"""
name: killed
seeds: {{sources: [{{name: classroom, split: train, options: {{n: 40, seed: 0}}}}]}}
benchmarks: {{sources: [{{name: classroom, split: test, options: {{n: 40, seed: 0}}}}]}}
teacher: {{backend: openai_compatible, model: stub-1, concurrency: {CONCURRENCY}}}
suggester_editor: {{rounds: 2}}
collect: {{near: false}}
teach: {{max_problems: 120}}
gate: {{policy: report}}
screens: [classroom]
student: {{base: classroom, options: {{chunk: 32}}}}
imitate: {{epochs: 2, batch_size: 16, learning_rate: 1.0e-3, schedule: linear, max_tokens: 320, checkpoint_steps: 3}}
practice: {{samples: 2, max_new_tokens: 64, max_problems: 40}}
learn: {{loss: kto, learning_rate: 1.0e-4, batch_size: 4, epochs: 2, max_tokens: 320, checkpoint_steps: 1}}
evaluate: {{max_new_tokens: 64}}
iterations: [{{}}]
"""
MOMENTS = ("anywhere", "fold", "checkpoint")
CODE, KILLED = "code.txt", "killed.json"
"""In the folder of work: the hash of the code that made the first run, and all kills."""


class Made(NamedTuple):
    """One stage of the first run."""

    label: str
    artifact: str
    seconds: float


class Kill(NamedTuple):
    """One stage killed and run again."""

    label: str
    nth: int
    moment: str
    differing: list[str]
    """Sealed files that are not what they were."""
    wasted: int
    """Calls paid twice."""
    missed: int
    """Attempts before it that came too late."""


def command(folder: Path, url: str, until: str | None) -> list[str]:
    """Return the command line of one run."""
    words = [
        sys.executable,
        "-m",
        "orcamath",
        "run",
        str(folder.parent / "killed.yaml"),
        "--set",
        f"teacher.base_url={url}",
    ]
    words += ["--runs", str(folder / "runs"), "--store", str(folder / "store")]
    return words + (["--until", until] if until else [])


def start(folder: Path, url: str, until: str | None) -> "subprocess.Popen[str]":
    """Start a run; its messages come line by line on stderr."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return subprocess.Popen(
        command(folder, url, until), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env
    )


def finish(folder: Path, url: str, until: str | None) -> None:
    """Run to the end; raises with the run's own words where it fails."""
    run = start(folder, url, until)
    _, said = run.communicate()
    if run.returncode != 0:
        raise SystemExit(f"the run ended with {run.returncode}:\n{said}")


def contents(artifact: Path) -> dict[str, str]:
    """Return the hash of every sealed file."""
    return {
        str(f.relative_to(artifact)): blake2b(f.read_bytes(), digest_size=16).hexdigest()
        for f in sorted(artifact.rglob("*"))
        if f.is_file()
    }


def kill_inside(folder: Path, url: str, stage: Made, moment: str, rng: random.Random) -> bool:
    """Start the stage and kill it inside; False where it was quicker."""
    run = start(folder, url, stage.label)
    name = stage.label.split(" ")[0]
    artifacts, scratch = folder / "store" / "artifacts", folder / "store" / "scratch"
    # in the store, or in the one beside it where the run's plan makes what needs no call
    while run.poll() is None and not any((folder / "store").rglob(f".{name}-*.making")):
        time.sleep(0.0005)
    until = time.monotonic() + rng.uniform(0, stage.seconds) * 0.8
    while run.poll() is None:
        if moment == "fold" and any((folder / "store").rglob(f".{name}-*.making/*")):
            break
        if moment == "checkpoint" and any(p.is_file() for p in scratch.glob(f"{name}-*/**/*")):
            break
        if moment == "anywhere" and time.monotonic() > until:
            break
        time.sleep(0.0005)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    return run.returncode == -signal.SIGKILL and not (artifacts / stage.artifact / "manifest.json").exists()


def trial(
    root: Path, first: Path, before: list[Made], stage: Made, moment: str, seed: int
) -> tuple[list[str], int] | None:
    """Kill one stage and run it again; returns the files that differ and the calls paid twice, None where the kill missed."""
    folder = root / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    artifacts = folder / "store" / "artifacts"
    artifacts.mkdir(parents=True)
    for made in before:
        shutil.copytree(first / "store" / "artifacts" / made.artifact, artifacts / made.artifact, dirs_exist_ok=True)
    with serve(of_chat(textbook.open_chat(ModelSettings(backend="textbook"))), Faults(latency_s=0.02)) as server:
        if not kill_inside(folder, server.base_url, stage, moment, random.Random(seed)):
            return None
        finish(folder, server.base_url, stage.label)
        wasted = server.stats["repeated"]
    want, have = contents(first / "store" / "artifacts" / stage.artifact), contents(artifacts / stage.artifact)
    return sorted(name for name in want.keys() | have.keys() if want.get(name) != have.get(name)), wasted


def stages_of(first: Path) -> list[Made]:
    """Return the stages of a finished run, in the order they were made."""
    stages = json.loads((first / "runs" / "killed" / "stages.json").read_text())["stages"]
    return [Made(s["label"], s["artifact"], s["seconds"]) for s in stages]


def moments_of(stage: Made, kills: int) -> list[str]:
    """Return when to kill a stage: anywhere, in its fold, and where it trains at a checkpoint."""
    trains = stage.label.split(" ")[0] in ("imitate", "learn")
    kinds = ["anywhere", "checkpoint" if trains else "fold"]
    return [kinds[i % 2] for i in range(kills)]


def same_code(root: Path) -> None:
    """Raise SystemExit where the package is not the one that the work was begun with."""
    files = sorted(p for p in Path(orcamath.__file__).parent.rglob("*") if p.is_file() and p.suffix != ".pyc")
    have = blake2b(b"".join(f"{p.name} {p.stat().st_size} ".encode() + p.read_bytes() for p in files)).hexdigest()
    if not (root / CODE).exists():
        (root / CODE).write_text(have)
    if (root / CODE).read_text() != have:
        raise SystemExit(
            f"`{root}` was begun with other code; name another folder, or run a clone that nobody works in"
        )


def make_first(root: Path) -> Path:
    """Run once undisturbed, or go on with that; returns its folder."""
    (root / "killed.yaml").write_text(RECIPE)
    with serve(of_chat(textbook.open_chat(ModelSettings(backend="textbook"))), Faults(latency_s=0.02)) as server:
        finish(root / "first", server.base_url, None)
    return root / "first"


def earlier(root: Path) -> list[Kill]:
    """Return the kills of a run that was broken off."""
    kept = root / KILLED
    return [Kill(**k) for k in json.loads(kept.read_text())] if kept.exists() else []


def kill(root: Path, first: Path, stages: list[Made], n: int, nth: int, wanted: str) -> Kill | None:
    """Kill stage `n` for the `nth` time at the moment wanted, or anywhere where that is always missed; None where all are."""
    for attempt in range(12):
        same_code(root)
        moment = wanted if attempt < 6 else "anywhere"
        found = trial(root, first, stages[:n], stages[n], moment, seed=1000 * n + 100 * nth + attempt)
        if found is not None:
            return Kill(stages[n].label, nth, moment, *found, missed=attempt)
    return None


def run(root: Path, kills: int, only: set[str]) -> dict[str, object]:
    """Make the first run, kill every stage that is still owed kills, and return the figures of all."""
    same_code(root)
    first = make_first(root)
    stages, done = stages_of(first), {(k.label, k.nth): k for k in earlier(root)}
    for n, stage in enumerate(stages):
        for nth, wanted in enumerate(moments_of(stage, kills)):
            if (only and stage.label not in only) or (stage.label, nth) in done:
                continue
            made = kill(root, first, stages, n, nth, wanted)
            if made is None:
                continue
            done[stage.label, nth] = made
            write_whole(root / KILLED, json.dumps([k._asdict() for k in done.values()], indent=1).encode())
            sys.stderr.write(
                f"{stage.label} killed ({made.moment}): {made.differing or 'identical'}, {made.wasted} wasted\n"
            )
    return figures(list(done.values()))


def figures(made: list[Kill]) -> dict[str, object]:
    """Count over all kills."""
    per_stage, at = Counter(k.label for k in made), Counter(k.moment for k in made)
    return {
        "kills": len(made),
        "identical": sum(not k.differing for k in made),
        "wasted_max": max((k.wasted for k in made), default=0),
        "wasted_allowed": CONCURRENCY + COMMIT_N,
        "per_stage_min": min(per_stage.values(), default=0),
        "per_stage": dict(per_stage),
        "moments": {m: at[m] for m in MOMENTS},
        "missed": sum(k.missed for k in made),
        "differing": [f"{k.label}: {name}" for k in made for name in k.differing],
    }


def options(parser: argparse.ArgumentParser) -> None:
    """How often each stage is killed, and which."""
    parser.add_argument("--kills", type=int, default=3, help="per stage")
    parser.add_argument("--only", nargs="*", default=(), help="labels of stages, such as `practice 2`")
    parser.add_argument("--work", help="folder in which the work is kept, to go on with")


def measure(a: argparse.Namespace) -> dict[str, object]:
    """Kill and resume, in the folder named or one of its own."""
    if a.work is not None:
        Path(a.work).mkdir(parents=True, exist_ok=True)
        return run(Path(a.work).resolve(), a.kills, set(a.only))
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), a.kills, set(a.only))


if __name__ == "__main__":
    report(__doc__, options, measure)
