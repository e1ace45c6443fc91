"""Files that are almost right: every mutation ends a command in a result or in one message, soon, and in little memory."""

import random
import resource
import time
from pathlib import Path

import pytest

from commanding import call

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
JUDGE = ["--judge", "rules", "--store", "store"]
COMMANDS: list[tuple[str, bytes, list[str]]] = [
    ("rows.jsonl", ROWS, ["judge", "rows.jsonl", *JUDGE]),
    ("rows.json", b"[" + ROWS.strip().replace(b"\n", b",") + b"]", ["judge", "rows.json", *JUDGE]),
    ("rows.csv", CSV, ["judge", "rows.csv", *JUDGE]),
    ("train.jsonl", ROWS, ["check", "train.jsonl", "--against", "seeds.jsonl"]),
    ("r.yaml", RECIPE, ["plan", "r.yaml", "--store", "store"]),
    ("other.yaml", RECIPE, ["diff", "other.yaml", "first.yaml", "--store", "store"]),
]
PIECES = [
    b"[", b"{", b"]", b"}", b'"', b"\\ud800", b"\xff", b"\x00", b"\x1b[2J", b"1e999", b"-", b"9" * 400, b"null", b"&a ", b"*a",
    b"<<: ",
    b"!!x ", b"\n", b",", b":", b"  ", b"NaN", b"../", b"[]", b"{}", b"true", b"\xe2\x80\xae",
]  # fmt: skip


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


SLOW = pytest.param(10_000, 9, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])


@pytest.mark.parametrize(("n", "seed"), [*((100, s) for s in range(5)), SLOW])
def test_no_mutation_is_a_traceback_a_hang_or_a_flood(n: int, seed: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(seed)
    for name, content in (("seeds.jsonl", ROWS), ("first.yaml", RECIPE), *((name, c) for name, c, _ in COMMANDS)):
        Path(name).write_bytes(content)
    for _, _, args in COMMANDS:  # what is imported once is no growth
        assert call(*args).code in (0, 1), args
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(n):
        name, content, args = rng.choice(COMMANDS)
        spoilt = mutated(content, rng)
        Path(name).write_bytes(spoilt)
        began = time.process_time()
        done = call(*args)
        assert time.process_time() - began < 5.0, (args, spoilt)
        assert done.code in (0, 1, 2, 3, 4), (args, spoilt)
        assert "fault of orcamath" not in done.err, (args, spoilt, done.err)
        assert "Traceback" not in done.err, (args, spoilt)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 500_000_000
