"""Files that are almost right: every mutation ends a command in a result or in one message, soon, and in little memory.

What is mutated: files of users (rows in every form, recipes, recorded replies, prompts, marks), a model's folder and a GGUF file,
and all that a run and a store keep. Each command is called in this process; `view` is served in it and asked for every page.
"""

import gzip
import io
import random
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pyarrow.json as pj
import pyarrow.parquet as pq
import pytest

from commanding import Done, call
from orcamath.commands.ending import told
from orcamath.errors import OrcamathError
from orcamath.store.artifacts import Store
from orcamath.view.doubts import LISTS
from orcamath.view.kinds import RECORD_KINDS
from orcamath.view.opened import Opened
from orcamath.view.server import FILES, GET
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
MARKS = b'{"id": "a", "mark": "bad", "note": "no", "at": 1.5}\n' * 2
JUDGE = ["--judge", "rules", "--store", "store"]
RUN = ["--runs", "here/runs", "--store", "here/store"]
INIT = ["--teacher", "m", "--out", "o.yaml"]
ASK = ["2 + 2?", "--max-new-tokens", "2", "--store", "store"]


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
    for words in (["status", "r"], ["report", "r"], ["review", "r"], ["fsck"], ["show", "0", "--run", "r"])
]
LOOK.append(["view"])
UNTIL_SEEDS = ["--until", "seeds", "--runs", "made/runs", "--store", "made/store"]
MEASURE = ["--judge", "rules", "--limit", "2", "--max-new-tokens", "2", "--store", "store"]
GO_ON = [["run", "here/r.yaml", "--until", "teach", *RUN], ["plan", "here/r.yaml", "--store", "here/store"]]
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
    Kind("train.jsonl", ROWS, [["check", "train.jsonl", "--against", "seeds.jsonl"]]),
    Kind("seeds.jsonl", ROWS, [["run", "first.yaml", *UNTIL_SEEDS], ["plan", "first.yaml", "--store", "store"]]),
    Kind("r.yaml", RECIPE, [["plan", "r.yaml", "--store", "store"], ["run", "r.yaml", *UNTIL_SEEDS]]),
    Kind("other.yaml", RECIPE, [["diff", "other.yaml", "first.yaml", "--store", "store"]]),
    Kind("replies.jsonl", REPLIES, [["doctor", "answered.yaml"]]),
    Kind("solver.md", PROMPT, [["plan", "r.yaml", "--store", "store", "--set", "teach.prompt=solver.md"]]),
    Kind("here/runs/r/marks.jsonl", MARKS, [["review", "r", *RUN], GO_ON[0], ["view"]]),
    *(
        Kind(f"tiny/{name}", None, [["ask", "tiny", *ASK], ["check-model", "tiny"]])
        for name in (
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "generation_config.json",
            "model.safetensors",
        )
    ),
    Kind("tiny.gguf", None, [["ask", "tiny.gguf", *ASK], ["check-model", "tiny.gguf"]]),
    Kind("here/runs/r/view.sqlite", None, [["view"]]),
    *(
        Kind(
            f"here/{name}",
            None,
            [*LOOK, *GO_ON, ["gc", "--dry-run", *RUN], ["export", "r", "lessons", "--out", "o.jsonl", *RUN]],
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
OFTEN = [0.1 if args[0] in ("ask", "check-model", "view") else 1 / len(kind.commands) for kind, args in ATTEMPTS]
"""A model, and a hundred pages, take their time."""
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


SLOW = [pytest.param(500, s, marks=[pytest.mark.slow, pytest.mark.timeout(3600)]) for s in range(2, 22)]
"""10,000 together, in pieces that can be run one by one."""


def laid_out(folder: Path, ran: Path) -> None:
    """Write everything as it should be; `there` is what `here` is restored from."""
    shutil.copytree(ran, folder / "there")
    (folder / "there/runs/r/marks.jsonl").write_bytes(MARKS)
    indexed = Opened(folder / "there/runs/r", Store(folder / "there/store"))
    indexed.update()
    indexed.index.close()
    shutil.copytree(folder / "there", folder / "here")
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
            if answer.status >= 400 and "api/" in page:
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
            path.rmdir() if path.is_dir() else path.unlink()
    for path in sorted(whole.rglob("*")):
        back = spoilt / path.relative_to(whole)
        if path.is_dir():
            back.mkdir(exist_ok=True)
        elif not back.exists():
            shutil.copy2(path, back)


@pytest.mark.parametrize(("n", "seed"), [pytest.param(500, 0, marks=pytest.mark.timeout(1800)), *SLOW])
def test_no_mutation_is_a_traceback_a_hang_or_a_flood(
    n: int, seed: int, ran: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    laid_out(tmp_path, ran)
    rng = random.Random(seed)

    def attempt(kind: Kind, change: Callable[[bytes], bytes], args: list[str]) -> float:
        (path, *_) = sorted(Path().glob(kind.file))
        whole = path.read_bytes()
        spoilt = change(whole)
        path.write_bytes(spoilt)
        began = time.process_time()
        done = view() if args == ["view"] else call(*args)
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

    for kind in KINDS:  # what is imported once is no growth
        attempt(kind, bytes, kind.commands[-1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(n):
        ((kind, args),) = rng.choices(ATTEMPTS, OFTEN)
        assert attempt(kind, lambda content: mutated(content, rng), args) < 5.0, (args, kind.file)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 500_000_000
