"""Files that are almost right: every mutation ends a command in a result or in one message, soon, and in little memory.

What is mutated: files of users (rows in every form, recipes, recorded replies, prompts, marks), a model's folder and a GGUF file,
and all that a run and a store keep. Each command is called in this process; `view` is served in it and asked for every page.
"""

import gzip
import io
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, get_type_hints
from urllib.parse import quote

import pyarrow.json as pj
import pyarrow.parquet as pq
import pytest

from commanding import Done, call, call_in
from in_memory import scratch
from orcamath.cli import data, models, runs
from orcamath.commands.ending import told
from orcamath.errors import OrcamathError
from orcamath.store.artifacts import Store
from orcamath.view.doubts import LISTS
from orcamath.view.kinds import RECORD_KINDS
from orcamath.view.opened import Opened
from orcamath.view.server import FILES, GET
from pace import within
from tiny_gguf import made as tiny_model
from tiny_gguf import write as write_gguf
from tiny_student import tiny_folder
from viewing import served

ROWS = b'{"question": "Tom has 2 apples and buys 3. How many?", "answer": "5", "gold": "5", "response": "#### 5"}\n' * 3
CSV = b'question,answer,gold,response\n"a, b?",5,5,It is 5\nx,1/2,0.5,"so\n1/2"\n'
RECIPE = b"""name: r
seeds: {sources: [{name: file, path: seeds.jsonl}], limit: 2}
teacher: {backend: textbook}
ask_me_anything: null
suggester_editor: null
learn: {beta: 0.1}
iterations: [{}]
"""
ANSWERED = RECIPE.replace(b"backend: textbook", b"backend: recorded, model: replies.jsonl")
REPLIES = b'{"messages": [["user", "u"]], "replies": ["4", {"text": "5", "prompt_tokens": 3, "token_ids": [1]}]}\n' * 2
PROMPT = b"You solve problems.\n\n{{problem}}\n"
SOLVED = b'{"question": "Tom has 2 apples and buys 3. How many?", "solution": "2 + 3", "answer": "#### 5"}\n' * 3
MARKS = b'{"id": "a", "mark": "bad", "note": "no", "at": 1.5}\n' * 2
JUDGE = ["--judge", "rules", "--store", "store"]
RUN = ["--runs", "here/runs", "--store", "here/store"]
INIT = ["--teacher", "m", "--out", "o.yaml"]
OURS = ["--store", "store", "--runs", "here/runs"]
ASK = ["2 + 2?", "--max-new-tokens", "2", *OURS]


class Kind(NamedTuple):
    """A file (below the folder that the test works in), and the commands that read it."""

    file: str
    content: bytes | None
    """None: what lies there in a fresh copy."""
    commands: list[list[str]]


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pj.read_json(io.BytesIO(ROWS)), file)
    return file.getvalue()


LOOK = [
    [*words, *RUN]
    for words in (["status", "r"], ["report", "r"], ["review", "r"], ["fsck"], ["show", "0", "--run", "r"], ["runs"])
]
VIEW = ["view", *RUN]
LOOK.append(VIEW)
CARRY = [["push", "r", "here/cloud", *RUN], ["pull", "here/cloud", "r", "--runs", "made/runs", "--store", "made/store"]]
UNTIL_SEEDS = ["--until", "seeds", "--runs", "made/runs", "--store", "made/store"]
MEASURE = ["--judge", "rules", "--limit", "2", "--max-new-tokens", "2", *OURS]
ON_SEEDS = ["evaluate", "tiny", "--on", "b=seeds.jsonl", *MEASURE]
GO_ON = [["run", "here/r.yaml", "--until", "teach", *RUN], ["plan", "here/r.yaml", *RUN]]
KINDS = [
    Kind("rows.jsonl", ROWS, [["judge", "rows.jsonl", *JUDGE], ["init", "--seeds", "rows.jsonl", *INIT]]),
    Kind("rows.json", b"[" + ROWS.strip().replace(b"\n", b",") + b"]", [["judge", "rows.json", *JUDGE]]),
    Kind("rows.csv", CSV, [["judge", "rows.csv", *JUDGE], ["init", "--seeds", "rows.csv", *INIT]]),
    Kind("rows.jsonl.gz", gzip.compress(ROWS, mtime=0), [["judge", "rows.jsonl.gz", *JUDGE]]),
    Kind("rows.parquet", parquet(), [["judge", "rows.parquet", *JUDGE]]),
    *(
        Kind(name, content, [["evaluate", "tiny", "--on", f"b={name}", *MEASURE]])
        for name, content in (("bench.jsonl", ROWS), ("bench.csv", CSV), ("bench.parquet", parquet()))
    ),
    Kind("shots.jsonl", SOLVED, [[*ON_SEEDS, "--few-shot", "1", "--shots", "shots.jsonl"]]),
    Kind("sets/gsm8k_test.jsonl", SOLVED, [["evaluate", "tiny", "--on", "gsm8k", "--data", "sets", *MEASURE]]),
    Kind("train.jsonl", ROWS, [["check", "train.jsonl", "--against", "seeds.jsonl"]]),
    Kind("seeds.jsonl", ROWS, [["run", "first.yaml", *UNTIL_SEEDS], ["plan", "first.yaml", *OURS]]),
    Kind("r.yaml", RECIPE, [["plan", "r.yaml", *OURS], ["run", "r.yaml", *UNTIL_SEEDS]]),
    Kind("other.yaml", RECIPE, [["diff", "other.yaml", "first.yaml", *OURS], ["diff", "r", "other.yaml", *RUN]]),
    Kind("replies.jsonl", REPLIES, [["doctor", "answered.yaml", *OURS]]),
    Kind("solver.md", PROMPT, [["plan", "r.yaml", *OURS, "--set", "teach.prompt=solver.md"]]),
    Kind("here/runs/r/marks.jsonl", MARKS, [["review", "r", *RUN], GO_ON[0], VIEW]),
    *(
        Kind(f"tiny/{name}", None, [["ask", "tiny", *ASK], ["check-model", "tiny", *OURS]])
        for name in (
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "generation_config.json",
            "model.safetensors",
        )
    ),
    Kind("tiny.gguf", None, [["ask", "tiny.gguf", *ASK], ["check-model", "tiny.gguf", *OURS]]),
    Kind("here/runs/r/view.sqlite", None, [VIEW]),
    Kind("here/cloud/runs/r/*.json", None, CARRY),
    Kind("here/cloud/objects/*/*", None, CARRY),
    *(
        Kind(
            f"here/{name}",
            None,
            [*LOOK, *GO_ON, CARRY[0], ["gc", "--dry-run", *RUN], ["export", "r", "lessons", "--out", "o.jsonl", *RUN]],
        )
        for name in (
            "runs/r/stages.json",
            "runs/r/run.json",
            "runs/r/recipe.yaml",
            "runs/r/state.json",
            "runs/r/log.txt",
            "store/artifacts/teach-*/manifest.json",
            "store/artifacts/teach-*/*.parquet",
            "store/ledger/*.sqlite",
            "store/runs/*/budget.sqlite",
            "store/runs/*/history.json",
        )
    ),
]
ATTEMPTS = [(kind, args) for kind in KINDS for args in kind.commands]
OFTEN = [(0.05 if args[0] in ("ask", "check-model", "view") else 1 / len(kind.commands)) for kind, args in ATTEMPTS]
"""A model, and a hundred pages, take their time."""
NO_FILE = {"schema", "version"}
CLEAR = Path("/proc/self/clear_refs")
WRITTEN = {"out"}
PIECES = [
    b"[",
    b"{",
    b"]",
    b"}",
    b'"',
    b"\\ud800",
    b"\xff",
    b"\x00",
    b"\x1b[2J",
    b"1e999",
    b"-",
    b"9" * 400,
    b"null",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!x ",
    b"\n",
    b",",
    b":",
    b"  ",
    b"NaN",
    b"../",
    b"[]",
    b"{}",
    b"true",
    b"\xe2\x80\xae",
]


def mutated(content: bytes, rng: random.Random) -> bytes:
    out = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        i, length = rng.randrange(len(out) + 1), rng.randint(1, 40)
        match rng.randrange(5):
            case 0 if out:
                out[i % len(out)] ^= 1 << rng.randrange(8)
            case 1:
                out[i:i] = rng.choice(PIECES)
            case 2:
                del out[i : i + length]
            case 3:
                j = rng.randrange(len(out) + 1)
                out[i:i] = out[j : j + length]
            case _:
                out[i : i + length // 5] = rng.choice(PIECES)
    return bytes(out)


QUICK = [pytest.param(100, seed, marks=pytest.mark.timeout(1800)) for seed in range(5)]
SLOW = [pytest.param(500, seed, marks=[pytest.mark.slow, pytest.mark.timeout(3600)]) for seed in range(5, 25)]
"""10,000 together, in pieces that can be run one by one."""


@pytest.fixture(scope="module")
def laid_out(ran: Path) -> Iterator[Path]:
    """Lend a folder in which everything is as it should be, and every command was called once: imports are no growth."""
    with scratch() as folder:
        write_all(folder, ran)
        before = Path.cwd()
        os.chdir(folder)
        try:
            for kind, args in {args[0]: (kind, args) for kind, args in ATTEMPTS}.values():
                attempt(kind, bytes, args)
        finally:
            os.chdir(before)
        yield folder


def write_all(folder: Path, ran: Path) -> None:
    """Write everything as it should be; `there` is what `here` is restored from."""
    shutil.copytree(ran, folder / "there")
    (folder / "there/runs/r/marks.jsonl").write_bytes(MARKS)
    indexed = Opened(folder / "there/runs/r", Store(folder / "there/store"))
    indexed.update()
    indexed.index.close()
    shutil.copytree(folder / "there", folder / "here")
    assert call_in(folder, *CARRY[0]).code == 0
    shutil.copytree(folder / "here/cloud", folder / "there/cloud")
    (folder / "sets").mkdir()
    tiny_folder(folder / "tiny")
    write_gguf(tiny_model("llama"), "llama", folder / "tiny.gguf")
    texts = {"seeds.jsonl": ROWS, "first.yaml": RECIPE, "answered.yaml": ANSWERED}
    given = ((k.file, k.content) for k in KINDS if k.content is not None and not k.file.startswith("here/"))
    for name, content in [*texts.items(), *given]:
        (folder / name).write_bytes(content)


def view() -> Done:
    """Open the run, ask for every page and list and for the first record of each kind: what fails is said in JSON."""
    said = []
    try:
        opened = Opened(Path("here/runs/r"), Store(Path("here/store")))
    except OrcamathError as e:
        return Done(1, "", str(e))
    with served(opened) as viewer:
        try:
            opened.update()
        except Exception as e:
            said.append(told(e))
        pages = [*FILES, "report.html", "raw/1", "raw/2", *(f"api/{name}" for name in GET)]
        pages += [f"api/doubts?list={name}" for name in LISTS]
        for kind in RECORD_KINDS:
            pages += [f"api/facets?kind={kind}", f"api/records?kind={kind}&q=Tom"]
            names = [quote(str(r["name"])) for r in viewer.ask(f"api/records?kind={kind}").json().get("rows", ())]
            pages += [f"api/{page}{name}" for name in names[:1] for page in (f"record?kind={kind}&name=", "story?id=")]
        for page in pages:
            answer = viewer.ask(page)
            if answer.status >= 400 and ("api/" in page or answer.status == 400):
                said.append(answer.json()["error"])
            else:
                assert answer.status in (200, 404, 500), page
    return Done(0, "", "\n".join(said))


def restore(spoilt: Path, whole: Path) -> None:
    """Make a folder as it was: a command may have mended something, or set it aside. What is the same is left alone."""

    def same(one: Path, other: Path) -> bool:
        if not (one.is_file() and other.is_file()):
            return one.is_dir() and other.is_dir()
        a, b = one.stat(), other.stat()
        return (a.st_mtime_ns, a.st_size) == (b.st_mtime_ns, b.st_size)

    for path in sorted(spoilt.rglob("*"), reverse=True):
        if not same(path, whole / path.relative_to(spoilt)):
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)  # a reader may just close its log
    for path in sorted(whole.rglob("*")):
        back = spoilt / path.relative_to(whole)
        if path.is_dir():
            back.mkdir(exist_ok=True)
        elif not back.exists():
            shutil.copy2(path, back)


def attempt(kind: Kind, change: Callable[[bytes], bytes], args: list[str]) -> float:
    """Change a file, call a command, make all as it was; returns the CPU seconds of the command."""
    (path, *_) = sorted(Path().glob(kind.file))
    whole = path.read_bytes()
    spoilt = change(whole)
    path.write_bytes(spoilt)
    began = time.process_time()
    done = view() if args is VIEW else call(*args)
    took_s = time.process_time() - began
    assert done.code in (0, 1, 2, 3, 4), (args, kind.file, spoilt[:2000])
    assert "fault of orcamath" not in done.err, (args, kind.file, spoilt[:2000], done.err)
    assert "Traceback" not in done.err, (args, kind.file, spoilt[:2000])
    for made in ("o.yaml", "o.jsonl"):
        Path(made).unlink(missing_ok=True)
    shutil.rmtree("made", ignore_errors=True)
    if kind.file.startswith("here/"):
        restore(Path("here"), Path("there"))
    else:
        path.write_bytes(whole)
    return took_s


def peak_bytes(*, anew: bool = False) -> int:
    """Return the most memory that this process had at once; `anew` forgets, on Linux, what it had before."""
    if not CLEAR.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if anew:
        CLEAR.write_text("5")
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(told["VmHWM"].split()[0]) * 1024


@pytest.mark.parametrize(("n", "seed"), [*QUICK, *SLOW])
def test_no_mutation_is_a_traceback_a_hang_or_a_flood(n: int, seed: int, laid_out: Path, monkeypatch) -> None:
    monkeypatch.chdir(laid_out)
    rng = random.Random(seed)
    before = peak_bytes(anew=True)
    for _ in range(n):
        ((kind, args),) = rng.choices(ATTEMPTS, OFTEN)
        assert within(attempt(kind, lambda content: mutated(content, rng), args), 5.0), (args, kind.file)
        assert peak_bytes() - before < 500_000_000, (args, kind.file)


def test_every_command_that_takes_a_file_is_in_the_table() -> None:
    """Commands, and those of their options that name a file or a folder."""
    tried: dict[str, set[str]] = {}
    for _, args in ATTEMPTS:
        tried.setdefault(args[0], set()).update(args)
    commands = [c for group in (runs, models, data) for c in group.app.registered_commands]
    assert commands
    for command in commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        assert (name in tried) != (name in NO_FILE), name
        for option, hint in get_type_hints(command.callback, include_extras=True).items():
            told = getattr(hint, "__metadata__", [None])[0]
            if name in tried and ("Path" in str(hint) or getattr(told, "metavar", None) == "FILE"):
                flags = getattr(told, "param_decls", None) or [f"--{option.replace('_', '-')}"]
                assert option in WRITTEN or type(told).__name__ == "ArgumentInfo" or tried[name] & set(flags), option
