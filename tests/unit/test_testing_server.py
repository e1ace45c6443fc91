"""The misbehaving server: faults come at their rates, the same for the same request, and its books add up."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest

from orcamath.backends.openai_compatible import open_chat
from orcamath.ports import Message, Reply, Request, Sampling
from orcamath.settings import ModelSettings
from orcamath.testing import Call, Faults, of_chat, serve, stub
from orcamath.testing.__main__ import main as serve_alone
from orcamath.testing.batches import BatchDesk
from orcamath.testing.faults import CONTENT_FAULTS, WIRE_FAULTS


def ask(i: int) -> Request:
    return Request((Message("user", f"question {i}"),))


def test_faults_come_at_their_rates_and_never_more_than_allowed_to_one_request() -> None:
    faults = Faults(seed=7, max_per_key=2).every_wire(0.4)
    hits = [faults.wire(b"%d" % i, 0, 0) for i in range(4000)]
    for name in WIRE_FAULTS:
        assert hits.count(name) / 4000 == pytest.approx(0.05, abs=0.015)
    assert all(faults.wire(b"%d" % i, 5, 2) is None for i in range(100))
    assert hits == [faults.wire(b"%d" % i, 0, 0) for i in range(4000)]
    assert hits != [faults.wire(b"%d" % i, 1, 0) for i in range(4000)]


def test_content_faults_stay_with_their_request() -> None:
    faults = Faults().every_content(0.5)
    assert {faults.content(b"%d" % i) for i in range(200)} == {None, *CONTENT_FAULTS}


def test_rates_above_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 1"):
        Faults(hang=0.6, drop=0.6)


def test_it_bills_every_completion_also_those_that_got_lost() -> None:
    with serve(stub("x" * 40), Faults(drop=0.5, max_per_key=1), price=(1.0, 10.0)) as server:
        model = open_chat(ModelSettings(model="m", base_url=server.base_url, options={"first_backoff_s": 0.001}))
        assert len(list(model(ask(i) for i in range(40)))) == 40
        stats = server.stats
    assert stats["completions"] == 40 + stats["drop"]
    assert stats["repeated"] == stats["drop"] > 5
    expected = (stats["prompt_tokens"] * 1.0 + stats["completion_tokens"] * 10.0) / 1e6
    assert stats["billed_usd"] == pytest.approx(expected)


class Drawn:
    """A chat of ours whose answer shows the draw."""

    fingerprint = "drawn"
    chunk = None

    def __call__(self, requests):
        for r in requests:
            yield Reply(r.key("drawn"), f"draw {r.draw}, seed {r.seed()}")


def test_a_chat_of_ours_says_the_same_over_http() -> None:
    requests = [
        Request((Message("user", "q"),), sampling=Sampling(t, 0.9, 50, ("#",)), draw=d)
        for t in (0.0, 0.7)
        for d in range(4)
    ]
    straight = {reply.key: reply.text for reply in Drawn()(reversed(requests))}  # of the greedy ones the first counts
    with serve(of_chat(Drawn())) as server:
        model = open_chat(
            ModelSettings(model="m", base_url=server.base_url, concurrency=1, options={"fingerprint": "drawn"})
        )
        served = {r.key: r.text for r in model(requests)}
    assert served == straight
    assert len(served) == 5  # one greedy, four drawn


def test_it_runs_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "orcamath.testing", "--reply", "hello", "--models", "m"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            (reply,) = open_chat(ModelSettings(model="m", base_url=url))([ask(1)])
            assert reply.text == "hello"
            with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as answer:
                assert json.load(answer)["completions"] == 1
        finally:
            server.terminate()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["--faults", '{"drp": 0.1}'], "there is no fault `drp`; did you mean `drop`?"),
        (["--faults", "drop"], "`drop` is no JSON"),
        (["--faults", "[0.1]"], "is no mapping"),
        (["--faults", '{"drop": "often"}'], "`drop` is 'often': a number is due"),
        (["--faults", '{"drop": 0.7, "hang": 0.7}'], "must add up to at most 1"),
        (["--options", "careless"], "`careless` is no JSON"),
        (["--backend", "textbok"], "did you mean `textbook`?"),
        (["--backend", "textbook", "--options", '{"ters": true}'], "did you mean `terse`?"),
    ],
)
def test_what_is_wrong_on_its_command_line_is_said(typed: list[str], says: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["testing", *typed])
    with pytest.raises(SystemExit) as ended:
        serve_alone()
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(monkeypatch, capsys) -> None:
    with serve(stub()) as server:
        monkeypatch.setattr(sys, "argv", ["testing", "--port", server.base_url.split("/")[2].split(":")[1]])
        with pytest.raises(SystemExit):
            serve_alone()
    assert "cannot be served" in capsys.readouterr().err


class Batched(Drawn):
    """A chat that remembers how many calls it got at once, and cuts its second word off."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, requests):
        requests = list(requests)
        self.sizes.append(len(requests))
        for r in reversed(requests):
            yield Reply(r.key("drawn"), f"{r.messages[-1].content} and", "length")


def test_calls_that_wait_together_are_answered_together() -> None:
    chat = Batched()
    with serve(of_chat(chat, batch=16), threads=16) as server:
        model = open_chat(ModelSettings(model="m", base_url=server.base_url, concurrency=16))
        requests = [ask(i) for i in range(48)]
        served = {r.key: r for r in model(requests)}
    assert [served[r.key(model.fingerprint)].text for r in requests] == [f"question {i} and" for i in range(48)]
    assert {r.finish_reason for r in served.values()} == {"length"}
    assert sum(chat.sizes) == 48
    assert max(chat.sizes) > 4


def test_a_model_that_breaks_is_an_error_of_the_servers() -> None:
    def broken(requests):
        raise RuntimeError("out of memory")

    broken.fingerprint = "broken"  # type: ignore[attr-defined]
    with serve(of_chat(broken, batch=4), threads=4) as server:  # type: ignore[arg-type]
        options = {"first_backoff_s": 0.001}
        model = open_chat(ModelSettings(model="m", base_url=server.base_url, max_tries=2, options=options))
        (reply,) = model([ask(1)])
    assert reply.error


def get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.loads(answer.read())


def post(url: str, **body: Any) -> bytes:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return bytes(answer.read())


def test_it_lists_its_models_and_shows_one() -> None:
    with serve(stub(), models=("a", "b")) as server:
        assert [m["id"] for m in get(f"{server.base_url}/models")["data"]] == ["a", "b"]
        assert get(f"{server.base_url}/models/b")["id"] == "b"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(f"{server.base_url}/models/c")
    with serve(stub()) as server:
        assert [m["id"] for m in get(f"{server.base_url}/models")["data"]] == ["stub"]


def test_it_gives_several_answers_to_one_call() -> None:
    with serve(lambda call: f"seed {call.seed}") as server:
        ask_for = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "n": 3, "seed": 7}
        made = json.loads(post(f"{server.base_url}/chat/completions", **ask_for))
        assert [(c["index"], c["message"]["content"]) for c in made["choices"]] == [
            (0, "seed 7"),
            (1, "seed 8"),
            (2, "seed 9"),
        ]
        assert made["usage"]["completion_tokens"] == 3 * 2


@pytest.mark.parametrize("kind", ["chat/completions", "completions"])
def test_a_stream_says_the_same_piece_by_piece(kind: str) -> None:
    asked = {"messages": [{"role": "user", "content": "hi"}]} if kind.startswith("chat") else {"prompt": [1, 2]}
    with serve(stub("three plus four\n#### 7")) as server:
        lines = post(f"{server.base_url}/{kind}", model="m", stream=True, **asked).decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    choices = [c for e in events for c in e["choices"]]
    assert (
        "".join(c.get("delta", {}).get("content", "") + c.get("text", "") for c in choices) == "three plus four\n#### 7"
    )
    assert [c["finish_reason"] for c in choices][-1] == "stop"
    assert events[-1]["usage"]["completion_tokens"] > 0


def test_a_batch_tells_how_far_it_is() -> None:
    desk = BatchDesk(polls=4)
    rows = [{"custom_id": str(i), "body": {"n": i}} for i in range(8)]
    desk.files["f"] = b"\n".join(json.dumps(r).encode() for r in rows)
    made = json.loads(desk._make({"input_file_id": "f"}, lambda body: body).body)
    looked = [json.loads(desk._look(made["id"]).body)["request_counts"]["completed"] for _ in range(4)]
    assert looked == [2, 4, 6, 8]


def test_a_batch_counts_what_it_refused_as_failed() -> None:
    desk = BatchDesk(polls=2, lost=1, refuses=("top_p",))
    rows = [{"custom_id": str(i), "body": {"top_p": 1} if i % 2 else {"n": i}} for i in range(7)]
    desk.files["f"] = b"\n".join(json.dumps(r).encode() for r in rows)
    made = json.loads(desk._make({"input_file_id": "f"}, lambda body: body).body)
    looked = [json.loads(desk._look(made["id"]).body)["request_counts"] for _ in range(2)]
    assert looked == [{"total": 7, "completed": 2, "failed": 1}, {"total": 7, "completed": 3, "failed": 3}]


@pytest.mark.parametrize(
    ("sent", "texts", "stop"),
    [
        ({"prompt": "Once upon", "stop": "####"}, ("Once upon",), ("####",)),
        ({"prompt": ["Once upon"]}, ("Once upon",), ()),
        ({"messages": [{"role": "user", "content": "hi"}], "stop": ["a", "b"]}, ("hi",), ("a", "b")),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "stop": None}, ("hi",), ()),
        ({"messages": [{"role": "user", "content": "hi"}], "temperature": None, "max_tokens": None}, ("hi",), ()),
    ],
)
def test_one_string_may_stand_for_a_list_as_in_openais_api(
    sent: dict[str, Any], texts: tuple[str, ...], stop: tuple[str, ...]
) -> None:
    calls: list[Call] = []

    def respond(call: Call) -> str:
        calls.append(call)
        return "well"

    with serve(respond) as server:
        post(f"{server.base_url}/{'completions' if 'prompt' in sent else 'chat/completions'}", model="m", **sent)
    (call,) = calls
    assert (tuple(m.content for m in call.messages), call.token_ids, call.stop) == (texts, None, stop)
