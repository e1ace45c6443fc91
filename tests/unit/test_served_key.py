"""`--api-key-env` of `evaluate`, `ask` and `judge`, against a server that takes one key only."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import orcamath as om
from commanding import call
from orcamath.testing import MisbehavingServer, serve
from orcamath.testing.server import Call

KEY, NAME = "of-the-tests-only", "SERVED_KEY"


def respond(call: Call) -> str:
    """Answer, and judge."""
    return "Error Analysis: none.\nFinal Verdict: Correct" if "judge_verdict" in str(call.messages) else "It is 4."


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MisbehavingServer]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv(NAME, KEY)
    row = {"question": "2 + 2?", "gold": "4", "answer": "4", "response": "the sum of both, as they say"}
    Path("rows.jsonl").write_text(json.dumps(row) + "\n")
    with serve(respond, key=KEY) as running:
        yield running


COMMANDS = (
    ("ask", "{model}@{url}", "2 + 2?"),
    ("ask", "{model}", "2 + 2?", "--base-url", "{url}"),
    ("evaluate", "{model}@{url}", "--on", "mine=rows.jsonl"),
    ("judge", "rows.jsonl", "--judge", "model", "--model", "{model}", "--base-url", "{url}"),
    ("judge", "rows.jsonl", "--judge", "model", "--model", "{model}@{url}"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_key_is_sent_that_is_in_the_variable_named(words: tuple[str, ...], server: MisbehavingServer) -> None:
    line = [word.format(model="m", url=server.base_url) for word in words]
    call(*line)  # without a key
    assert server.stats.get("completions", 0) == 0
    done = call(*line, "--api-key-env", NAME)
    assert (done.code, server.stats["completions"]) == (0, 1), done.err
    assert KEY not in done.out + done.err


@pytest.mark.parametrize(
    "words",
    [
        ("ask", "somewhere/here", "2 + 2?"),
        ("evaluate", "somewhere/here", "--on", "mine=rows.jsonl"),
        ("judge", "rows.jsonl"),
        ("judge", "rows.jsonl", "--judge", "model", "--model", "somewhere/here"),
    ],
    ids=" ".join,
)
def test_a_key_without_a_server_is_refused(words: tuple[str, ...], server: MisbehavingServer) -> None:
    done = call(*words, "--api-key-env", NAME)
    assert (done.code, "behind a server, and none is named" in done.err) == (2, True), done.err


def test_one_key_goes_to_one_host(server: MisbehavingServer) -> None:
    words = (
        "evaluate",
        f"m@{server.base_url}",
        "--on",
        "mine=rows.jsonl",
        "--judge-model",
        "j@https://host.example/v1",
    )
    done = call(*words, "--api-key-env", NAME)
    assert (done.code, server.stats.get("calls", 0)) == (2, 0)
    assert "`127.0.0.1` and `host.example`" in done.err
    broken = call("ask", "m@http://[::1", "2 + 2?", "--api-key-env", NAME)
    assert (broken.code, "none is named" in broken.err, "Traceback" in broken.err) == (2, False, False)


def test_a_key_written_out_in_the_place_of_its_name_is_refused(server: MisbehavingServer) -> None:
    done = call("ask", f"m@{server.base_url}", "2 + 2?", "--api-key-env", "sk-" + "abc-123")
    assert (done.code, "name of an environment variable" in done.err, "sk-abc" in done.err) == (2, True, False)


def test_the_key_is_sent_from_python_too(server: MisbehavingServer) -> None:
    rows = [json.loads(Path("rows.jsonl").read_text())]
    judged = om.judge(rows, judge="model", model=f"m@{server.base_url}", api_key_env=NAME, price=(0, 0))
    assert [r["outcome"] for r in judged.records] == ["agrees"]
    measured = om.evaluate(f"m@{server.base_url}", "mine=rows.jsonl", api_key_env=NAME, price=(0, 0))
    assert [r["outcome"] for r in measured.records] == ["agrees"]
