"""Ctrl-C: the first settles what is under way and keeps it, the second leaves at once. A canary key is on no disk."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orcamath.ports import Message, Request
from orcamath.store.ledger import Ledger
from orcamath.testing import Faults, serve, stub

FILL = """
import sys
from pathlib import Path
from orcamath.backends.openai_compatible import open_chat
from orcamath.ports import Message, Request
from orcamath.settings import ModelSettings
from orcamath.store.ledger import Ledger, Remembered
chat = open_chat(ModelSettings(model="m", base_url=sys.argv[1], concurrency=8, timeout_s=60))
model = Remembered(chat, Ledger(Path(sys.argv[2])))
print("ready", flush=True)
try:
    model.fill(Request((Message("user", f"question {i}"),)) for i in range(1000))
except KeyboardInterrupt:
    model.ledger.close()
    print("interrupted", flush=True)
"""


def start(url: str, folder: Path) -> "subprocess.Popen[str]":
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", FILL, url, str(folder)]
    fill = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert fill.stdout is not None
    assert fill.stdout.readline() == "ready\n"
    return fill


def until(done, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_first_interrupt_keeps_every_call_that_was_under_way(tmp_path: Path) -> None:
    with serve(stub(), Faults(latency_s=0.3)) as server:
        fill = start(server.base_url, tmp_path)
        until(lambda: server.counts["calls"] >= 8)
        fill.send_signal(signal.SIGINT)
        said, error = fill.communicate(timeout=20)
        assert said == "interrupted\n", error
        assert "Ctrl-C again leaves at once" in error
        ledger = Ledger(tmp_path)
        assert ledger.counts()["m@-"] == server.stats["completions"] < 100
        ledger.close()


def test_the_second_interrupt_leaves_at_once(tmp_path: Path) -> None:
    with serve(stub(), Faults(hang=1.0)) as server:
        fill = start(server.base_url, tmp_path)
        until(lambda: server.counts["calls"] >= 1)
        fill.send_signal(signal.SIGINT)
        assert fill.stderr is not None
        assert "waiting for 1 calls under way; Ctrl-C again leaves at once" in fill.stderr.readline()
        fill.send_signal(signal.SIGINT)
        said, _ = fill.communicate(timeout=10)  # it would wait for 30 s, and the call for 60 s
        assert said == "interrupted\n"


PRESS = """
import signal, sys
from pathlib import Path
from orcamath.backends.openai_compatible import open_chat
from orcamath.ports import Message, Request
from orcamath.settings import ModelSettings
from orcamath.store.ledger import Ledger, Remembered
where, known = sys.argv[3], int(sys.argv[4])
chat = open_chat(ModelSettings(model="m", base_url=sys.argv[1], concurrency=4, timeout_s=60))
model = Remembered(chat, Ledger(Path(sys.argv[2])))
pulled = 0

class Counted:
    n = 0
    def advance(self, n, *, spent_usd=0.0):
        self.n += n
        if where == "kept" and self.n == 40:
            signal.raise_signal(signal.SIGINT)

def requests(n):
    global pulled
    for i in range(n):
        pulled = i + 1
        if where == "pulled" and i == 30:
            signal.raise_signal(signal.SIGINT)
        yield Request((Message("user", f"question {i}"),))
    if where == "all pulled":
        signal.raise_signal(signal.SIGINT)

model.fill(Request((Message("user", f"question {i}"),)) for i in range(known))
try:
    model.fill(requests(40), Counted())
    print("went on")
except KeyboardInterrupt:
    print("interrupted", pulled, model.ledger.counts()["m@-"])
"""


@pytest.mark.parametrize(
    ("where", "known", "pulled"),
    [
        ("pulled", 40, 31),  # all is remembered: nothing to wait for
        ("all pulled", 40, 40),
        ("all pulled", 0, 40),
        ("kept", 0, 40),  # the last reply was handed on: the loop does not turn again
        ("kept", 39, 40),
    ],
)
def test_an_interrupt_is_never_lost(tmp_path: Path, where: str, known: int, pulled: int) -> None:
    with serve(stub()) as server:
        command = [sys.executable, "-c", PRESS, server.base_url, str(tmp_path), where, str(known)]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
        assert done.stdout.split() == ["interrupted", str(pulled), str(server.stats["completions"])], done.stderr


@pytest.mark.parametrize("command", ["ask", "judge"])
def test_a_command_that_asks_and_is_interrupted_says_what_is_kept_and_ends_with_130(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "2 + 2?", "gold": "4", "response": "who knows"}\n')
    with serve(stub(), Faults(latency_s=1.0)) as server:
        words = {
            "ask": ["ask", f"m@{server.base_url}", "question"],
            "judge": ["judge", "a.jsonl", "--judge", "model", "--model", "m", "--base-url", server.base_url],
        }
        begun = subprocess.Popen(
            [sys.executable, "-m", "orcamath", *words[command]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd=tmp_path,
        )
        until(lambda: server.counts["calls"] >= 1, 60.0)
        begun.send_signal(signal.SIGINT)
        said, error = begun.communicate(timeout=60)
        assert (begun.returncode, said) == (130, ""), error
        assert error.splitlines()[-1].startswith("interrupted; all that was finished is kept")
        ledger = Ledger(tmp_path / "store" / "ledger")
        assert ledger.counts() == {"m@-": 1}
        ledger.close()


def test_a_key_is_in_no_file_of_a_run(tmp_path: Path, monkeypatch) -> None:
    from orcamath.backends.openai_compatible import open_chat
    from orcamath.settings import ModelSettings
    from orcamath.store.ledger import Remembered

    canary = "sk-canary-9f8e7d6c"
    monkeypatch.setenv("CANARY", canary)
    with serve(lambda _: f"you sent {canary}", key=canary) as server:
        settings = ModelSettings(model="m", base_url=server.base_url, api_key_env="CANARY")
        model = Remembered(open_chat(settings), Ledger(tmp_path))
        request = Request((Message("user", "q"),))
        assert model.fill([request]) == []
        assert model.reply(request).text == "you sent ***"  # type: ignore[union-attr]
        model.ledger.close()  # type: ignore[attr-defined]
    assert canary not in settings.model_dump_json()
    assert not any(canary.encode() in f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())
