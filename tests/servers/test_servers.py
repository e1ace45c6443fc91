"""Our wire against real inference servers, each in its own environment (`make test-servers`); what is missing is skipped."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orcamath.backends.openai_compatible import OpenAICompatible, open_chat
from orcamath.backends.student_server import NEUTRAL, _free_port
from orcamath.errors import TeacherRefused
from orcamath.ports import Message, Reply, Request, Sampling
from orcamath.records import Lesson
from orcamath.settings import ModelSettings
from orcamath.stages.teach import TeachSettings, teach
from scripted import Bench, seed
from servers.set_up import SERVERS, Server, environment, model_folder, model_gguf

pytestmark = pytest.mark.servers
OURS = {"return_token_ids": True, **NEUTRAL}
"""What goes along with every sample of a student."""


class Running(NamedTuple):
    """A server that is up."""

    name: str
    kind: Server
    base_url: str
    model: str

    def chat(self, **settings: Any) -> OpenAICompatible:
        given = {
            "model": self.model,
            "base_url": self.base_url,
            "api_key_env": None,
            "timeout_s": 120.0,
            "max_tries": 1,
        }
        return open_chat(ModelSettings.model_validate({**given, **settings}))


def _up(url: str, process: "subprocess.Popen[bytes]", seconds: float = 240.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except urllib.error.HTTPError as e:
            if e.code != 503:  # still loading
                return True
        except OSError:
            pass
        time.sleep(0.3)
    return False


def _start(name: str, folder: Path, upstream: str | None) -> tuple["subprocess.Popen[bytes]", Running]:
    kind, port = SERVERS[name], _free_port()
    config = folder / "litellm.yaml"
    params = {"model": "openai/small", "api_base": upstream, "api_key": "none"}
    without = {k: v for k, v in params.items() if k != "api_key"}
    models = [{"model_name": "small", "litellm_params": params}, {"model_name": "keyless", "litellm_params": without}]
    config.write_text(json.dumps({"model_list": models}), encoding="utf-8")
    values = {"bin": environment(name), "folder": model_folder(), "gguf": model_gguf(), "port": port, "config": config}
    command = [part.format_map(values) for part in kind.command]
    log = (folder / "server.log").open("wb")
    hidden = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
    process = subprocess.Popen(
        command, stdout=log, stderr=log, env={**hidden, **dict(kind.env)}, start_new_session=True
    )
    served = str(model_folder()) if name == "transformers" else "small"
    return process, Running(name, kind, f"http://127.0.0.1:{port}/v1", served)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    name = request.param
    needed = ["llama.cpp", "litellm"] if name == "litellm" else [name]
    for each in needed:
        if not shutil.which(str(environment(each) / Path(SERVERS[each].command[0]).name)):
            pytest.skip(f"{each} is not set up: `make test-servers` does it")
    processes, upstream, running = [], None, None
    try:
        for each in needed:
            process, running = _start(each, tmp_path_factory.mktemp(each), upstream)
            processes.append(process)
            upstream = running.base_url
            health = running.base_url.removesuffix("/v1") + ("/health/readiness" if each == "litellm" else "/health")
            if not _up(health, process):
                pytest.fail(f"{each} did not come up; its log is beside {tmp_path_factory.getbasetemp()}")
        assert running is not None
        yield running
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(30)


def ask(text: str, draw: int = 0, **sampling: Any) -> Request:
    return Request((Message("user", text),), sampling=Sampling(**{"max_tokens": 8, **sampling}), draw=draw)


def one(chat: OpenAICompatible, request: Request) -> Reply:
    (reply,) = chat([request])
    return reply


def test_it_answers_and_says_what_it_used(server: Running) -> None:
    reply = one(server.chat(), ask("Say hello."))
    assert (reply.error, reply.finish_reason) == (None, "length")
    assert reply.text
    assert 0 < reply.usage.completion_tokens <= 8


def test_a_prompt_that_is_too_long_is_a_failed_call(server: Running) -> None:
    if server.name == "transformers":
        pytest.skip("transformers serve knows no limit: it runs whatever comes")
    reply = one(server.chat(), ask("word " * 9000))
    assert (reply.error, reply.finish_reason) == (None, "refused")


def test_a_wrong_model_ends_the_run_at_the_first_call(server: Running) -> None:
    chat = server.chat(model="no-such-model")
    if server.kind.any_model:
        assert one(chat, ask("Say hello.")).error is None
        return
    with pytest.raises(TeacherRefused, match="Check `model`"):
        list(chat([ask(str(i)) for i in range(20)]))


def test_a_gateway_without_its_key_ends_the_run(server: Running) -> None:
    if server.name != "litellm":
        pytest.skip("only a gateway needs a key of another server")
    with pytest.raises(TeacherRefused, match="Check the key"):
        list(server.chat(model="keyless")([ask(str(i)) for i in range(20)]))


def test_it_stops_at_a_stop_string(server: Running) -> None:
    reply = one(server.chat(), ask("Count: one, two, three, four, five.", max_tokens=40, stop=(" ",)))
    assert " " not in reply.text.strip()
    assert reply.finish_reason == "stop"


def test_our_own_ids_go_in_and_ids_or_text_come_back(server: Running) -> None:
    from orcamath.student.encode import Encoder
    from orcamath.student.model import open_folder

    encoder = Encoder.of(open_folder(str(model_folder())))
    request = encoder.pose("What is 2 + 3?", Sampling(0.7, 0.95, 12))
    chat = server.chat(body=OURS)
    if not server.kind.takes_ids:
        (reply,) = chat([request])
        assert "prompt must be a string" in (reply.error or "")
        return
    reply = one(chat, request)
    assert reply.error is None
    assert reply.text
    assert reply.token_ids is None or encoder.decode(reply.token_ids).strip() == reply.text.strip()


def test_rules_of_its_own_are_off_or_said_to_be_on(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    reply = one(server.chat(body=OURS), ask("Say hello.", temperature=0.7, top_p=0.95))
    assert reply.error is None
    if server.name == "transformers":
        assert "refuses `top_k`" in caplog.text


def test_many_at_once_lose_none(server: Running) -> None:
    """Two slots on llama.cpp; the others queue or batch."""
    n = 12 if server.name == "transformers" else 64
    replies = list(server.chat(concurrency=64)([ask(f"Say {i}.", max_tokens=4) for i in range(n)]))
    assert [r.error for r in replies if r.error is not None] == []
    assert len(replies) == n


def test_a_stage_runs_on_it_and_its_books_balance(server: Running, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    problems = bench.table(
        [seed(f"Ann has {i} pens and buys 4. How many pens has she?", str(i + 4)) for i in (2, 3, 5)]
    )
    settings = TeachSettings(max_new_tokens=60)
    made = bench.run(lambda out: teach(out, settings, problems, bench.model(server.chat())))
    assert made.balance["asked"] == 3
    assert made.balance["parsed"] + made.balance["failed"] == 3
    assert made.count("lessons") == len(list(made.read(Lesson))) == made.balance["kept"]
