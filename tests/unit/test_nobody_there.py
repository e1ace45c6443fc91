"""Nobody listens where a model is said to be served: every command says so, with what to do, and ends as a run would."""

import json
import socket
from pathlib import Path

import pytest

from commanding import call
from orcamath.commands import files
from orcamath.judges.file import Summary
from orcamath.store.under_way import Calls


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("ask m@{url} hello", "did not answer"),
        ("judge rows.jsonl --judge model --model m@{url} --out verdicts.jsonl", "no row is judged: 1 calls"),
    ],
)
def test_a_server_that_is_not_there_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    row = {"question": "What is 3 + 4?", "answer": "7", "response": "It is 8."}
    Path("rows.jsonl").write_text(json.dumps(row) + "\n")
    url = f"http://127.0.0.1:{free_port()}/v1"
    done = call(*command.format(url=url).split())
    assert done.code == 4, done.err
    assert says in done.err
    assert f"cannot connect to {url}" in done.err
    assert f"is a server running there? `curl {url}/models` tells" in done.err
    assert "wire-down" in done.err
    assert not Path("verdicts.jsonl").exists()


def test_rows_that_are_open_because_a_call_failed_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    calls = Calls("judge")
    for key in (b"k" * 16, b"l" * 16):
        calls.asked(key)
    summary = Summary(n=6, unjudged=1)
    files._tell_failures(calls, summary)
    assert capsys.readouterr().err == ""
    calls.failed(["HTTP 500"])
    files._tell_failures(calls, summary)
    assert "warning: 1 calls of the judge's model did not come through" in capsys.readouterr().err
