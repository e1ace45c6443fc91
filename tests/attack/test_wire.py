"""Keys and hosts: nothing is sent where the recipe does not say, no key is written anywhere, and no answer is a traceback."""

import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from commanding import call
from orcamath.backends import batch_api, openai_batch, openai_compatible
from orcamath.backends.wire_keys import Secrets, door_of, variables_of
from orcamath.backends.wire_pace import bounded
from orcamath.backends.wire_protocol import retry_after
from orcamath.backends.wire_says import said_by
from orcamath.errors import BatchWaiting, OrcamathError, RecipeError, TeacherRefused, WireDown
from orcamath.ports import Message, Request, Sampling
from orcamath.settings import ModelSettings
from orcamath.store.servers import Servers
from orcamath.testing import serve, stub
from orcamath.testing.http import HttpAnswer, Incoming
from orcamath.testing.server import MisbehavingServer

QUICK = {"first_backoff_s": 0.001}
CANARY = "sk-canary/0123456789+abcdef"


def ask(text: str = "How many?") -> Request:
    return Request((Message("user", text),), sampling=Sampling(0.7))


class Scripted(MisbehavingServer):
    """Answers with `script(incoming)` where that says something; keeps what reached it."""

    script: Any = None

    def __call__(self, incoming: Incoming) -> HttpAnswer:
        if not hasattr(self, "seen"):
            self.seen: list[Incoming] = []
        self.seen.append(incoming)
        answer = self.script(incoming) if self.script is not None else None
        return answer if answer is not None else super().__call__(incoming)


def to(place: str, status: int = 307) -> Any:
    return lambda incoming: HttpAnswer(status, b"", (("Location", place),))


def model(url: str, **more: Any) -> openai_compatible.OpenAICompatible:
    more.setdefault("options", QUICK)
    return openai_compatible.open_chat(ModelSettings(model="m", base_url=url, max_tries=2, timeout_s=5, **more))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_is_not_followed(status: int) -> None:
    with serve(stub(), kind=Scripted) as other, serve(stub(), kind=Scripted) as server:
        server.script = to(f"{other.base_url}/chat/completions", status)
        with pytest.raises(TeacherRefused, match=r"redirects to `http://127.0.0.1.*is not followed"):
            list(model(server.base_url)([ask()]))
        assert not hasattr(other, "seen")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_within_an_origin_keeps_method_and_body(status: int) -> None:
    with serve(stub("four"), kind=Scripted) as server:
        server.script = lambda i: to("/v1/moved/chat", status)(i) if "moved" not in i.path else None
        (reply,) = model(server.base_url)([ask()])
        assert reply.text == "four"
        first, second = server.seen
        assert (second.method, second.path, second.body) == ("POST", "/v1/moved/chat", first.body)


def test_a_circle_of_redirects_ends() -> None:
    with serve(stub(), kind=Scripted) as server:
        server.script = to("/v1/chat/completions")
        with pytest.raises(TeacherRefused, match="redirects"):
            list(model(server.base_url)([ask()]))
        assert len(server.seen) < 10


LOCATIONS = [
    "http://[::1",
    "http://127.0.0.1:99999999/",
    "http://me:{word}@{host}/v1/chat",
    "http://{host}\\@evil.example/x",
    "//evil.example/x",
    "http:///x",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "http://%00/",
    "http://a b/",
    "http://{host}/\x01",
    "http://[::g]/",
    "http://xn--a/",
    "http://h:1:2/",
    "?x",
    "",
]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("way", ["call", "batch", "file"])
def test_no_location_is_a_traceback_or_followed_out(way: str, location: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)  # is sent to this machine
    with serve(stub("four"), kind=Scripted) as server:
        place = to(location.format(host=server.base_url.split("/")[2], word="pass"), 302 if way == "file" else 307)
        server.script = lambda i: place(i) if way != "file" or i.path.endswith("/content") else None
        options = {"folder": str(tmp_path), "poll_s": 0.001, **QUICK}
        batch = openai_batch.open_chat(ModelSettings(model="m", base_url=server.base_url, max_tries=2, options=options))
        try:
            (reply,) = (model(server.base_url) if way == "call" else batch)([ask()])
        except (TeacherRefused, WireDown):
            return
    assert reply.error is not None or (way, location) == ("file", "?x")


def test_a_batchs_file_that_leads_on_to_plain_http_is_not_fetched_there(tmp_path: Path) -> None:
    with serve(stub("four"), kind=Scripted) as files, serve(stub("four"), kind=Scripted) as server:
        files.script = to("http://files.example/results", 302)
        there = to(f"{files.base_url}/somewhere", 302)
        server.script = lambda i: there(i) if i.path.endswith("/content") else None
        options = {"folder": str(tmp_path), "poll_s": 0.001, **QUICK}
        chat = openai_batch.open_chat(ModelSettings(model="m", base_url=server.base_url, options=options))
        with pytest.raises(TeacherRefused, match=r"`http://files.example/results`, which is not https"):
            list(chat([ask()]))


def test_a_batchs_file_may_lie_elsewhere_and_no_header_of_ours_goes_there(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("BATCH_KEY", CANARY)
    with serve(stub("four"), kind=Scripted) as files, serve(stub("four"), kind=Scripted) as server:

        def script(incoming: Incoming) -> HttpAnswer | None:
            if incoming.path.endswith("/content"):
                files.script = lambda _: HttpAnswer(body=server.batches.files["batch-0-out"])
                return to(f"{files.base_url}/somewhere", 302)(incoming)
            return None

        server.script = script
        options = {"folder": str(tmp_path), "poll_s": 0.001, **QUICK}
        chat = openai_batch.open_chat(
            ModelSettings(
                model="m", base_url=server.base_url, api_key_env="BATCH_KEY", headers={"X-Own": "1"}, options=options
            )
        )
        (reply,) = chat([ask()])
        assert reply.text == "four"
        (fetched,) = files.seen
        assert not {"authorization", "x-own"} & set(fetched.headers)
        assert all(i.headers["authorization"] == f"Bearer {CANARY}" for i in server.seen)


WORD = "abcdef"
LITERAL: list[dict[str, Any]] = [
    {"base_url": f"https://user:{WORD}@host.example/v1"},
    {"base_url": "https://host.example/v1?api-key=abcdef"},
    {"base_url": "https://host.example/v1?Token=abcdef"},
    {"headers": {"Authorization": "Bearer abcdef"}},
    {"headers": {"X-Api-Key": "abcdef"}},
    {"headers": {"Cookie": "session=abcdef"}},
    {"body": {"secret": "abcdef"}},
    {"body": {"extra": {"accessToken": "abcdef"}}},
    {"body": {"apiKey": "abcdef"}},
    {"base_url": "https://host.example/v1#api-key=abcdef"},
    {"base_url": "https://host.example/v1;token=abcdef"},
    {"base_url": "https://host.example/v1?a=1;api_key=abcdef"},
    {"base_url": "https://host.example/v1?sig=abcdef"},
    {"headers": {"X-Auth": "abcdef"}},
    {"headers": {"x-accesstoken": "abcdef"}},
    {"body": {"tools": [{"type": "mcp", "authorization": "abcdef"}]}},
    {"body": {"tools": [{"headers": [{"Cookie": ["abcdef"]}]}]}},
    {"headers": {"Authorization": "Bearer ${CANARY_KEY} abcdef"}},
    {"headers": {"Authorization": "Bearer abcdef${CANARY_KEY}"}},
    {"headers": {"Authorization": "abcdef ${CANARY_KEY}"}},
    {"headers": {"Authorization": "Bearer${CANARY_KEY}.abcdef"}},
    {"headers": {"Cookie": "session=abcdef; user=${CANARY_KEY}"}},
    {"headers": {"Cookie": "abcdef= ${CANARY_KEY}"}},
    {"body": {"tools": [{"authorization": "${CANARY_KEY:-abcdef}"}]}},
    {"body": {"secret": "${CANARY_KEY}:abcdef"}},
    {"base_url": "https://host.example/v1?api-key=${CANARY_KEY}abcdef"},
    {"base_url": "https://host.example/v1;token=abcdef${CANARY_KEY}"},
    {"base_url": "https://user:" + WORD + "${CANARY_KEY}@host.example/v1"},
    {"base_url": "https://user:" + "${CANARY_KEY}" + WORD + "@host.example/v1"},
]


@pytest.mark.parametrize("header", [{"X": "${HELD}"}, {"X": "a\r\nB: c"}, {"X\n": "a"}, {"X": "\x7f"}, {}])
def test_a_header_of_two_lines_is_one_message_without_its_value(header: dict[str, str], monkeypatch) -> None:
    monkeypatch.setenv("HELD", f"{CANARY}\r\nX-Other: 1")
    settings = ModelSettings(model="m", base_url="http://127.0.0.1:1/v1", headers=header, api_key_env="HELD")
    with pytest.raises(RecipeError, match="control character") as e:
        door_of(settings, str(settings.base_url))
    assert CANARY not in str(e.value)


NO_ADDRESS = [
    "http://localhost:99999/v1",
    "http://localhost:abc/v1",
    "http://localhost:0/v1",
    "http://[::1/v1",
    "http:///v1",
    "http://a b/v1",
    "https://a\\b/v1",
    "https://a\u200b.example/v1",
    "https://a\u00ad.example/v1",
]


@pytest.mark.parametrize("url", NO_ADDRESS)
@pytest.mark.parametrize("way", ["written", "by a variable"])
def test_what_is_no_address_is_one_message(url: str, way: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PLACE", url)
    named = url if way == "written" else "${PLACE}"
    done = call("ask", "m", "2 + 2?", "--base-url", named, "--store", str(tmp_path / "store"))
    assert done.code in (1, 2)
    assert "an endpoint's address is like https://" in done.err
    assert "fault of orcamath" not in done.err


@pytest.mark.parametrize("settings", LITERAL)
def test_a_key_written_out_is_refused_and_not_repeated(settings: dict[str, Any], tmp_path: Path, capsys) -> None:
    from orcamath.recipe_file import load

    recipe = tmp_path / "r.yaml"
    recipe.write_bytes(orjson.dumps({"name": "r", "teacher": {"model": "m", **settings}}))
    for attempt in (
        lambda: load(str(recipe)),
        lambda: openai_compatible.open_chat(ModelSettings(model="m", **settings)),
    ):
        with pytest.raises(RecipeError, match=r"\$\{NAME\}") as e:
            attempt()
        assert "abcdef" not in str(e.value)
        assert "pass@" not in str(e.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "https://host.example/v1?api-key=${CANARY_KEY}"},
        {"headers": {"X-Api-Key": "${CANARY_KEY}"}},
        {"headers": {"Authorization": "Bearer ${CANARY_KEY}"}},
        {"headers": {"Authorization": "Api-Key: ${CANARY_KEY}"}},
        {"headers": {"Authorization": 'Token token="${CANARY_KEY}"'}},
        {"headers": {"Cookie": "session=${CANARY_KEY}; user=${CANARY_KEY}"}},
        {"body": {"secret": "${CANARY_KEY}"}},
        {"api_key_env": "CANARY_KEY"},
    ],
)
def test_a_named_variable_is_put_in_and_listed_and_hidden(settings: dict[str, Any], monkeypatch) -> None:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    made = ModelSettings(**{"model": "m", "base_url": "https://host.example/v1", "api_key_env": None, **settings})
    door = door_of(made, str(made.base_url))
    assert CANARY in f"{door.url} {door.headers} {door.body}"
    assert variables_of(made, str(made.base_url)) == ["CANARY_KEY"]
    assert CANARY not in door.secrets.hide(f"so {CANARY} was sent")


@pytest.mark.parametrize(
    "body", [{"max_tokens": 5}, {"stop_token_ids": [1]}, {"eos_token": "</s>"}, {"prompt_cache_key": "run-1"}]
)
def test_harmless_fields_are_no_keys(body: dict[str, Any]) -> None:
    door = door_of(ModelSettings(model="m", api_key_env=None, body=body), "https://host.example/v1")
    assert door.body == body
    assert door.secrets.values == ()


@pytest.mark.parametrize(
    ("url", "plain", "how"),
    [
        ("http://127.0.0.1:9/v1", False, "quiet"),
        ("http://gpu-box:8000/v1", False, "warned"),
        ("http://10.1.2.3/v1", False, "warned"),
        ("http://api.example.com/v1", False, "refused"),
        ("http://api.example.com/v1", True, "quiet"),
        ("https://api.example.com/v1", False, "quiet"),
    ],
)
def test_plain_http(url: str, plain: bool, how: str, caplog) -> None:
    settings = ModelSettings(model="m", base_url=url, api_key_env=None, plain_http=plain)
    if how == "refused":
        with pytest.raises(RecipeError, match="plain_http: true"):
            door_of(settings, url)
        return
    for _ in range(2):
        door_of(settings, url)
    assert sum("plain http" in r.message for r in caplog.records) == (how == "warned")


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_a_key_is_hidden_before_a_text_is_cut(monkeypatch, cut: int, caplog) -> None:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    said = "x" * (2_000 - cut) + f" {CANARY} " + CANARY.replace("/", "\\/")
    with serve(stub(), kind=Scripted) as server:
        server.script = lambda _: HttpAnswer(400, said.encode())
        (reply,) = model(server.base_url, api_key_env="CANARY_KEY")([ask()])
    assert reply.error is not None
    told = reply.error + caplog.text
    assert "sk-can" not in told
    assert "456789" not in told


def test_every_spelling_of_a_key_is_hidden() -> None:
    key = 'sk/"quoted"+ü'
    secrets = Secrets.of([key])
    for spelt in (key, orjson.dumps(key).decode(), key.replace("/", "\\/"), "sk%2F%22quoted%22%2B%C3%BC"):
        assert "quoted" not in secrets.hide(f"so {spelt} was sent")
        assert b"quoted" not in secrets.hide_in(f"so {spelt} was sent".encode())


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "1e400"}, None),
        ({"retry-after-ms": "inf"}, None),
        ({"retry-after-ms": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "Mon, 01 Jan 1990 00:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_or_ignored(headers: dict[str, str], wait: float | None) -> None:
    assert retry_after(headers) == wait


@pytest.mark.parametrize("value", ["999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
@pytest.mark.parametrize("status", [429, 503, 500, 408])
def test_no_wait_is_longer_than_can_be_sat_through(value: str, status: int, tmp_path: Path) -> None:
    with pytest.raises(WireDown, match="asks to wait"):
        bounded(retry_after({"Retry-After": value}))
    with serve(stub(), kind=Scripted) as server:
        server.script = lambda _: HttpAnswer(status, b"later", (("Retry-After", value),))
        with pytest.raises(WireDown, match="asks to wait"):
            list(model(server.base_url)([ask()]))
        batch = ModelSettings(model="m", base_url=server.base_url, options={"folder": str(tmp_path), **QUICK})
        with pytest.raises(WireDown, match="asks to wait"):
            list(openai_batch.open_chat(batch)([ask()]))


def test_a_list_of_batches_without_end_ends(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(batch_api, "MAX_PAGES", 5)
    with serve(stub(), kind=Scripted) as server:
        server.script = lambda i: (
            HttpAnswer(body=b'{"data": [{"id": "a"}], "has_more": true}') if "limit" in i.path else None
        )
        chat = openai_batch.open_chat(
            ModelSettings(model="m", base_url=server.base_url, options={"folder": str(tmp_path), **QUICK})
        )
        chat._desk.intend([b"{}"], ["aa"])  # left by a crash: its batch is looked for
        with pytest.raises(WireDown, match="does not end"):
            list(chat([ask()]))


@pytest.mark.parametrize("trust_env", [True, False])
def test_a_proxy_never_gets_what_is_for_this_machine(trust_env: bool, monkeypatch) -> None:
    from orcamath.backends.served import _served

    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with serve(stub("four"), models=("m",)) as server:
        (reply,) = model(server.base_url, options={**QUICK, "trust_env": trust_env})([ask()])
        assert reply.text == "four"
        assert _served(server.base_url) == ["m"]


def completion(**change: Any) -> bytes:
    choice = {"message": {"content": "four"}, "finish_reason": "stop"} | change.pop("choice", {})
    return orjson.dumps({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}} | change)


MALFORMED: dict[str, bytes] = {
    "token id -1": completion(choice={"token_ids": [-1]}),
    "token id 2^32": completion(choice={"token_ids": [2**32]}),
    "bad UTF-8": b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
    "half a surrogate": b'{"choices": [{"message": {"content": "\\ud800"}}]}',
    "a list": b"[1, 2]",
    "null": b"null",
    "a number": b"7",
    "choices a mapping": completion(choices={"0": 1}),
    "no choice": completion(choices=[]),
    "a choice that is a list": completion(choices=[[1]]),
    "content a number": completion(choice={"message": {"content": 7}}),
    "parts that are numbers": completion(choice={"message": {"content": [1, 2]}}),
    "deep": b"[" * 100_000,
    "nothing": b"",
}
ODD: dict[str, bytes] = {
    "usage 2^63": completion(usage={"prompt_tokens": 2**63, "completion_tokens": 2**64 - 1}),
    "usage a list": completion(usage=[1, 2]),
    "usage of text": completion(usage={"prompt_tokens": "9", "completion_tokens": None}),
    "finish a list": completion(choice={"finish_reason": [1]}),
    "ids of text": completion(choice={"token_ids": ["a"]}),
}


@pytest.mark.parametrize("kind", [*MALFORMED, *ODD])
def test_no_answer_is_a_traceback(kind: str, tmp_path: Path) -> None:
    from orcamath.store.ledger import Ledger, Remembered

    with serve(stub(), kind=Scripted) as server:
        server.script = lambda _: HttpAnswer(body={**MALFORMED, **ODD}[kind])
        ledger = Ledger(tmp_path)
        failures = Remembered(model(server.base_url), ledger).fill([ask()])
        ledger.close()
    assert len(failures) == (kind in MALFORMED)


BATCH_ANSWERS: dict[str, tuple[str, bytes]] = {
    "rows that are lists": ("/content", b"[1, 2]\n7\nnull\n"),
    "a row without a response": (
        "/content",
        b'{"custom_id": "x"}\n{"custom_id": 7, "response": {"status_code": 200}}\n',
    ),
    "a response that is a list": ("/content", b'{"custom_id": "x", "response": [1]}'),
    "bad UTF-8": ("/content", b"\xff\xfe\n"),
    "a file without id": ("/files", b"{}"),
    "a file that is a list": ("/files", b"[]"),
    "a status that is a list": ("batch-0", b'{"id": "batch-0", "status": ["completed"]}'),
    "a status that is a mapping": ("batch-0", b'{"id": "batch-0", "status": {}}'),
    "no status": ("batch-0", b'{"id": "batch-0"}'),
    "a file's name that is a list": ("batch-0", b'{"id": "x", "status": "completed", "output_file_id": [1]}'),
    "a batch without id": ("/batches", b"{}"),
    "a batch whose id is a number": ("/batches", b'{"id": 7}'),
    "a list that is none": ("limit", b'{"data": 7}'),
    "a listed batch that is none": ("limit", b'{"data": [7, null, {"metadata": [1]}]}'),
}


@pytest.mark.parametrize("kind", BATCH_ANSWERS)
def test_no_answer_of_a_batch_api_is_a_traceback(kind: str, tmp_path: Path) -> None:
    part, body = BATCH_ANSWERS[kind]
    with serve(stub("four"), kind=Scripted) as server:
        server.script = lambda i: (
            HttpAnswer(body=body) if i.path.endswith(part) or (part == "limit" and part in i.path) else None
        )
        options = {"folder": str(tmp_path), "poll_s": 0.001, **QUICK}
        chat = openai_batch.open_chat(ModelSettings(model="m", base_url=server.base_url, max_tries=2, options=options))
        try:
            (reply,) = chat([ask()])
        except OrcamathError:
            return
    assert (reply.error is not None) == (part == "/content")


LISTS: dict[str, bytes] = {
    "a number": b'{"data": 5}',
    "a truth": b'{"data": true}',
    "a mapping": b'{"data": {"a": 1}}',
    "an id that is a list": b'{"data": [{"id": [1]}]}',
    "deep": b'{"data": [{"id": "m", "root": ' + b"[" * 1000 + b"]" * 1000 + b"}]}",
    "as deep as is read": b'{"data": [{"id": "m", "root": ' + b"[" * 250 + b"]" * 250 + b"}]}",
    "a large number": b'{"data": [{"id": "m", "meta": {"a": 18446744073709551615}}]}',
}


@pytest.mark.parametrize("kind", LISTS)
def test_no_list_of_models_is_a_traceback(kind: str, tmp_path: Path) -> None:
    with serve(stub(), kind=Scripted) as server:
        server.script = lambda _: HttpAnswer(body=LISTS[kind])
        says = said_by(ModelSettings(model="m", base_url=server.base_url))
    servers = Servers(tmp_path)
    servers.keep("m@-", "host:1", says)
    assert servers.doubt("m@-", "m", "host:1", says) is None


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nab",
        b'HTTP/1.1 200 OK\r\n\r\n{"data": [1]}',
        b"HTTP/1.1 200 OK\r\n\r\n\xff",
        b"HTTP/1.1 302 F\r\nLocation: http://[::g]/\r\n\r\n",
        b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_else_answers_on_a_students_port_is_not_its_server(said: bytes) -> None:
    from orcamath.backends.served import _served

    with socket.socket() as port, ThreadPoolExecutor(1) as pool:
        port.bind(("127.0.0.1", 0))
        port.listen(1)

        def answer() -> None:
            caller, _ = port.accept()
            with caller:
                caller.recv(1000)
                caller.sendall(said)

        pool.submit(answer)
        assert _served(f"http://127.0.0.1:{port.getsockname()[1]}/v1") is None


RECIPE = """
name: canary
seeds: {{sources: [{{name: classroom, split: train, options: {{n: 4, seed: 0}}}}]}}
teacher: {{backend: {backend}, model: m, base_url: "{url}", api_key_env: CANARY_KEY, max_tries: 1, options: {options}}}
ask_me_anything: null
suggester_editor: null
collect: {{near: false}}
"""


@pytest.mark.parametrize("way", ["finished", "failed", "by batch"])
def test_no_file_of_a_run_holds_a_key(way: str, tmp_path: Path, monkeypatch, caplog) -> None:
    from orcamath.commands.asked import RunAsked
    from orcamath.commands.runs import run_in_folder

    monkeypatch.setenv("CANARY_KEY", CANARY)
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    with serve(stub(f"Your key is {CANARY}.\n#### 4"), kind=Scripted) as server:
        if way == "failed":
            server.script = lambda _: HttpAnswer(500, f"no such key {CANARY}, no such key {CANARY}".encode())
        backend = "openai_batch" if way == "by batch" else "openai_compatible"
        options = "{poll_s: 0.001, first_backoff_s: 0.001}" if way == "by batch" else "{first_backoff_s: 0.001}"
        (tmp_path / "r.yaml").write_text(RECIPE.format(backend=backend, url=server.base_url, options=options))
        with pytest.raises(OrcamathError) as ended:
            run_in_folder("r.yaml", RunAsked(Path("runs"), Path("store"), until="teach"))
    assert (ended.value.exit_code == 0) == (way != "failed")
    texts = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()] + [
        str(ended.value).encode(),
        caplog.text.encode(),
    ]
    assert len(texts) > 8
    for content in texts:
        assert b"sk-canary" not in content
    if way != "failed":
        from orcamath.records import Lesson
        from orcamath.store.artifacts import Store

        (path,) = Path("store/artifacts").glob("teach-*/")
        taught = Store(Path("store")).find("teach", path.name.partition("-")[2])
        assert taught is not None
        lessons = [*taught.read(Lesson)]
        assert all("Your key is ***." in lesson.answer for lesson in lessons)
    assert os.environ["CANARY_KEY"] == CANARY


def test_a_batchs_request_lines_are_written_down_without_the_keys_of_its_body(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TENANT_SECRET", CANARY)
    body = {"metadata": {"tenant_token": "${TENANT_SECRET}"}, "user": "me"}
    with serve(stub("four"), kind=Scripted) as server:
        server.batches.polls = 2
        options = {"folder": str(tmp_path), "poll_s": 0.001, "detach": True, **QUICK}
        settings = ModelSettings(model="m", base_url=server.base_url, body=body, options=options)
        with pytest.raises(BatchWaiting):
            list(openai_batch.open_chat(settings)([ask("Is ${TENANT_SECRET} 4?")]))
        (lines,) = tmp_path.rglob("*.in.jsonl")
        assert not any(b"sk-canary" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        sent = orjson.loads(server.batches.files["file-0"])["body"]
        assert sent == orjson.loads(lines.read_bytes())["body"] | {"metadata": {"tenant_token": CANARY}}
        assert sent["messages"][0]["content"] == "Is ${TENANT_SECRET} 4?"
        (reply,) = openai_batch.open_chat(settings)([ask("Is ${TENANT_SECRET} 4?")])
        assert reply.text == "four"
