"""Our wire against real inference servers, each in its own environment (`make test-servers`); what is missing is skipped."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orcamath.agents.small_writer.ask_each import QuestionSettings, StatementSettings
from orcamath.backends.openai_compatible import OpenAICompatible, open_chat
from orcamath.backends.served import free_port
from orcamath.backends.student_server import NEUTRAL, StudentServer
from orcamath.errors import TeacherRefused
from orcamath.ports import Message, Reply, Request, Sampling
from orcamath.records import Attempt, Lesson
from orcamath.settings import ModelSettings
from orcamath.stages.ask import AskSettings, ask
from orcamath.stages.edit import EditSettings, edit
from orcamath.stages.practice import PracticeSettings, practise
from orcamath.stages.serving import ServerSettings
from orcamath.stages.teach import TeachSettings, teach
from scripted import Bench, seed
from servers.set_up import SERVERS, Server, environment, model_folder, model_gguf

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]
OURS = {"return_token_ids": True, **NEUTRAL}
"""What goes along with every sample of a student."""
PENS = [seed(f"Ann has {i} pens and buys 4. How many pens has she?", str(i + 4)) for i in (2, 3, 5)]


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
    kind, port = SERVERS[name], free_port()
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


def say(text: str, draw: int = 0, **sampling: Any) -> Request:
    return Request((Message("user", text),), sampling=Sampling(**{"max_tokens": 8, **sampling}), draw=draw)


def one(chat: OpenAICompatible, request: Request) -> Reply:
    (reply,) = chat([request])
    return reply


def test_it_answers_and_says_what_it_used(server: Running) -> None:
    reply = one(server.chat(), say("Say hello."))
    assert (reply.error, reply.finish_reason) == (None, "length")
    assert reply.text
    assert 0 < reply.usage.completion_tokens <= 8


def test_a_prompt_that_is_too_long_is_a_failed_call(server: Running) -> None:
    if server.name == "transformers":
        pytest.skip("transformers serve knows no limit: it runs whatever comes")
    reply = one(server.chat(), say("word " * 9000))
    assert (reply.error, reply.finish_reason) == (None, "refused")


def test_a_wrong_model_ends_the_run_at_the_first_call(server: Running) -> None:
    chat = server.chat(model="no-such-model")
    if server.kind.any_model:
        assert one(chat, say("Say hello.")).error is None
        return
    with pytest.raises(TeacherRefused, match="Check `model`"):
        list(chat([say(str(i)) for i in range(20)]))


def test_a_gateway_without_its_key_ends_the_run(server: Running) -> None:
    if server.name != "litellm":
        pytest.skip("only a gateway needs a key of another server")
    with pytest.raises(TeacherRefused, match="Check the key"):
        list(server.chat(model="keyless")([say(str(i)) for i in range(20)]))


def test_it_stops_at_a_stop_string(server: Running) -> None:
    reply = one(server.chat(), say("Count: one, two, three, four, five.", max_tokens=40, stop=(" ",)))
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
    reply = one(server.chat(body=OURS), say("Say hello.", temperature=0.7, top_p=0.95))
    assert reply.error is None
    if server.name == "transformers":
        assert "refuses `top_k`" in caplog.text


def test_many_at_once_lose_none(server: Running) -> None:
    """Two slots on llama.cpp; the others queue or batch."""
    n = 12 if server.name == "transformers" else 64
    replies = list(server.chat(concurrency=64)([say(f"Say {i}.", max_tokens=4) for i in range(n)]))
    assert [r.error for r in replies if r.error is not None] == []
    assert len(replies) == n


def test_a_stage_runs_on_it_and_its_books_balance(server: Running, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    problems = bench.table(PENS)
    settings = TeachSettings(max_new_tokens=60)
    made = bench.run(lambda out: teach(out, settings, problems, bench.model(server.chat())))
    assert made.balance["asked"] == 3
    assert made.balance["parsed"] + made.balance["failed"] == 3
    assert made.count("lessons") == len(list(made.read(Lesson))) == made.balance["kept"]


def test_agents_run_on_it_and_their_books_balance(server: Running, tmp_path: Path) -> None:
    """A model this small writes next to nothing that can be kept; what comes back is read all the same."""
    bench = Bench(tmp_path)
    model, seeds = bench.model(server.chat()), bench.table(PENS)
    short: dict[str, Any] = {"max_new_tokens": 30, "tries": 1}
    asking = AskSettings(calls="each", statement=StatementSettings(**short), question=QuestionSettings(**short))
    editing = EditSettings.model_validate({"rounds": 1, "suggester": short, "editor": short})
    asked = bench.run(lambda out: ask(out, asking, seeds, model))
    edited = bench.run(lambda out: edit(out, editing, seeds, model))
    for made in (asked, edited):
        assert made.balance["asked"] >= 3
        assert made.balance["asked"] == made.balance["parsed"] + made.balance["failed"]
        assert made.balance["results"] == made.balance["kept"] + sum(made.balance["rejected"].values())


def orcamath(folder: Path, *words: str) -> str:
    """Run a command and return what it says; it must end well."""
    command = [sys.executable, "-m", "orcamath", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_doctor_ask_and_evaluate_speak_to_it(server: Running, tmp_path: Path) -> None:
    teacher = {"model": server.model, "base_url": server.base_url, "api_key_env": None}
    recipe = {
        "name": "r",
        "seeds": "classroom",
        "benchmarks": {"sources": []},
        "student": "classroom",
        "teacher": teacher,
    }
    (tmp_path / "r.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    assert "answered with" in orcamath(tmp_path, "doctor", "r.yaml")
    at = f"{server.model}@{server.base_url}"
    assert orcamath(tmp_path, "ask", at, "What is 2 + 3?", "--max-new-tokens", "8").strip()
    rows = [{"question": p.question, "answer": p.answer} for p in PENS]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    said = orcamath(tmp_path, "evaluate", at, "--on", "mine=mine.jsonl", "--max-new-tokens", "8", "--json")
    (found,) = json.loads(said)["benchmarks"].values()
    assert found["n"] == 3


@pytest.mark.parametrize("by", ["command", "engine"])
def test_a_student_practises_behind_it(
    server: Running, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started for the stage under the name of the weights, by a command or the engine's own, and stopped after it."""
    from orcamath.student.encode import Encoder
    from orcamath.student.model import open_folder

    if not server.kind.takes_ids or server.name == "litellm":
        pytest.skip("it takes no token ids, or is no engine")
    if by == "engine" and server.name != "vllm":
        pytest.skip("no engine of that name")
    values = {"bin": environment(server.name), "folder": "$1", "gguf": model_gguf(), "port": "$3"}
    words = ["$2" if word == "small" else word.format_map(values) for word in server.kind.command]
    script = tmp_path / "serve.sh"
    begin = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in server.kind.env)
    command = " ".join(w if w.startswith("$") else shlex.quote(w) for w in words)
    script.write_text(f"{begin}exec {command}", encoding="utf-8")
    encoder = Encoder.of(open_folder(str(model_folder())))
    settings = ServerSettings(command=f"bash {script} {{model}} {{name}} {{port}}", concurrency=8)
    if by == "engine":
        settings = ServerSettings(engine="vllm", concurrency=8)
        monkeypatch.setenv("PATH", f"{environment(server.name)}{os.pathsep}{os.environ['PATH']}")
        for name, value in server.kind.env:
            monkeypatch.setenv(name, value)
    student = StudentServer(settings, model_folder(), "weights-of-the-small-model", log=tmp_path / "student.log")
    bench = Bench(tmp_path)
    practice = PracticeSettings(
        problems="fresh", label="known_answer", unconfirmed=("gold",), samples=4, max_new_tokens=12
    )
    gated = bench.tables(lessons=[], problems=PENS)
    made = bench.run(lambda out: practise(out, practice, gated, bench.model(student), encoder.pose))
    attempts = list(made.read(Attempt))
    assert len(attempts) == 12
    assert all(a.text for a in attempts)
    assert len({a.text for a in attempts}) > 3  # each draw by its own seed
