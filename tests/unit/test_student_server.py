"""A student behind a server: started when needed, checked by name, stopped after the last sample."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest

from orcamath.backends.student_server import ServedThere, ServerLost, ServerSettings, StudentServer
from orcamath.errors import ModelError, RecipeError
from orcamath.ports import Reply, Request, Sampling, Usage
from orcamath.settings import ModelSettings

FAKE = f"{sys.executable} -m orcamath.testing --reply hello --port {{port}} --models"


def student(tmp_path: Path, command: str, **settings: Any) -> StudentServer:
    model = tmp_path / "model"
    model.mkdir(exist_ok=True)
    given = ServerSettings(command=command, **settings)  # type: ignore[arg-type]
    return StudentServer(given, model, "weights-0123456789abcdef", ends=(2, 9))


def test_a_server_runs_from_the_first_sample_to_the_last(tmp_path: Path) -> None:
    model = student(tmp_path, f"{FAKE} {{name}} other {{model}}")
    requests = [Request(token_ids=(1, 2, 3), sampling=Sampling(0.7), draw=d) for d in range(3)]
    replies = model(requests)
    first = next(replies)
    assert first.text == "hello"
    assert {first.key, *(r.key for r in replies)} == {r.key("weights-0123456789abcdef") for r in requests}
    log = (tmp_path / "server.log").read_text()
    port = log.split("127.0.0.1:")[1].split("/")[0]
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health")


def test_a_known_engine_writes_its_command_and_own_rules_of_sampling_are_off(tmp_path: Path) -> None:
    for engine in ("vllm", "sglang"):
        line = ServerSettings(engine=engine).line()
        assert all(mark in line for mark in ("{model}", "{name}", "{port}"))
    assert ServerSettings(engine="vllm", command="/opt/vllm serve {model} {name} {port}").line().startswith("/opt")
    with pytest.raises(ValueError, match="name an engine"):
        ServerSettings()


@pytest.mark.parametrize(("visible", "n"), [("0,1,3", 3), ("2", 1), ("", 1)])
def test_a_known_engine_serves_on_all_gpus_at_hand(
    visible: str, n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `vllm` of our own on the path notes how it was called, and serves."""
    program = tmp_path / "vllm"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, pathlib, sys\n"
        f"pathlib.Path({str(tmp_path / 'called.json')!r}).write_text(json.dumps(sys.argv[1:]))\n"
        "said = dict(zip(sys.argv[3::2], sys.argv[4::2]))\n"
        "ours = ['-m', 'orcamath.testing', '--port', said['--port'], '--models', said['--served-model-name']]\n"
        "os.execv(sys.executable, [sys.executable, *ours])\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (tmp_path / "model").mkdir()
    model = StudentServer(ServerSettings(engine="vllm"), tmp_path / "model", "weights-0123456789abcdef")
    (reply,) = model([Request(token_ids=(1, 2, 3))])
    assert reply.error is None
    called = json.loads((tmp_path / "called.json").read_text())
    assert called[:2] == ["serve", str(tmp_path / "model")]
    assert called[-2:] == ["--data-parallel-size", str(n)]
    assert called[called.index("--host") + 1] == "127.0.0.1"


def test_a_server_that_is_to_stay_answers_again_and_again_and_ends_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "model").mkdir()
    settings = ServerSettings(command=f"{FAKE} {{name}} {{model}} --host {{host}}")
    there = ServedThere(settings, tmp_path / "model", "weights-0123456789abcdef", (2, 9), tmp_path)
    model = there(ModelSettings())
    for draw in range(2):
        (reply,) = model([Request(token_ids=(1, 2), draw=draw)])
        assert (reply.text, reply.error) == ("hello", None)
    (log,) = tmp_path.glob("student-server-*.log")
    (port,) = {
        line.split("127.0.0.1:")[1].split("/")[0] for line in log.read_text().splitlines() if "127.0.0.1:" in line
    }
    other = there(ModelSettings())  # without GPUs to wait for, a machine has room for two
    (reply,) = other([Request(token_ids=(1, 2))])
    assert reply.text == "hello"
    other.close()
    model.close()
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health")
    (tmp_path / "model").rmdir()
    with pytest.raises(ModelError, match="where all nodes see it"):
        there(ModelSettings())


def test_what_goes_with_every_request_and_what_the_recipe_adds(tmp_path: Path) -> None:
    seen = tmp_path / "seen.jsonl"
    model = student(tmp_path, f"{FAKE} {{name}} {{model}} --bodies {seen}", body={"top_k": 5, "mine": True})
    list(model([Request(token_ids=(1, 2), sampling=Sampling(0.7, 0.95))]))
    (body,) = map(orjson.loads, seen.read_bytes().splitlines())
    ours = {"return_token_ids": True, "top_k": 5, "min_p": 0.0, "repetition_penalty": 1.0, "mine": True}
    assert {k: body[k] for k in ours} == ours
    assert (body["prompt"], body["temperature"], body["top_p"]) == ([1, 2], 0.7, 0.95)


def test_nothing_to_ask_starts_nothing(tmp_path: Path) -> None:
    assert list(student(tmp_path, "no-such-program {model} {name} {port}")([])) == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"{FAKE} another-checkpoint {{model}} --faults {{name}}", "ended with code"),
        (f"{FAKE} another-checkpoint {{model}}-x{{name}}", "not `orcamath-0123456789abcdef`"),
        ("no-such-program {model} {name} {port}", "cannot be started"),
        (f"{sys.executable} -c 'print(\"CUDA out of memory\")' {{model}} {{name}} {{port}}", "CUDA out of memory"),
    ],
)
def test_a_server_that_is_not_this_students_is_refused(tmp_path: Path, command: str, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        list(student(tmp_path, command)([Request(token_ids=(1,))]))
    assert says in str(caught.value)


def with_a_deaf_worker(tmp_path: Path) -> str:
    """Return the command of a server with a worker that does not listen to SIGTERM, as an engine's that hangs in a kernel."""
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import os, pathlib, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\ntime.sleep(300)\n"
    )
    server = tmp_path / "server.py"
    server.write_text(
        "import subprocess, sys, pathlib, time\n"
        f"subprocess.Popen([sys.executable, {str(worker)!r}])\n"
        f"while not pathlib.Path({str(tmp_path / 'pid')!r}).exists(): time.sleep(0.01)\n"
        "import runpy; sys.argv[0] = 'orcamath.testing'; runpy.run_module('orcamath.testing', run_name='__main__')\n"
    )
    return f"{sys.executable} {server} --reply hello --port {{port}} --models {{name}} {{model}}"


def test_what_a_server_started_ends_with_it(tmp_path: Path) -> None:
    command = with_a_deaf_worker(tmp_path)
    assert len(list(student(tmp_path, command)([Request(token_ids=(1,))]))) == 1
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 20
    while _is_alive(pid):
        assert time.monotonic() < end
        time.sleep(0.01)


HOLDER = """
import sys, time
from pathlib import Path
from orcamath.backends import served, student_server
from orcamath.stages.serving import ServerSettings
served._STOP_S = 1.0
folder = Path(sys.argv[1])
student = student_server.StudentServer(ServerSettings(command=sys.argv[2]), folder / "model", "weights-0123456789abcdef")
student.stay(folder / "lock")
(folder / "up").touch()
time.sleep(300)
"""


def test_a_server_whose_holder_was_killed_with_its_children_leaves_nothing_and_the_next_one_waits_for_that(
    tmp_path: Path,
) -> None:
    """A cluster ends an actor so: itself and its children by SIGKILL, which leaves an engine's own workers with the GPU."""
    model = student(tmp_path, with_a_deaf_worker(tmp_path))
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path), model.settings.line()])
    end = time.monotonic() + 60
    while not (tmp_path / "up").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    deaf = int((tmp_path / "pid").read_text())
    (tmp_path / "pid").unlink()
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
    for pid in (holder.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    holder.wait()
    assert _is_alive(deaf)
    model.stay(tmp_path / "lock")
    assert not _is_alive(deaf)
    (reply,) = model([Request(token_ids=(1,))])
    assert reply.text == "hello"
    model.close()


def test_a_server_that_ends_while_it_is_asked_is_said_to_be_lost(tmp_path: Path) -> None:
    faults = '{"latency_s": 0.2}'
    model = student(tmp_path, f"{FAKE} {{name}} {{model}} --faults '{faults}'", concurrency=4)
    model.stay(tmp_path / "lock")
    replies = model([Request(token_ids=(1, 2), draw=d) for d in range(40)])
    next(replies)
    assert model._up is not None
    model._up.server.process.kill()
    with pytest.raises(ServerLost, match="ended with code -9"):
        list(replies)
    model.close()


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_that_never_gets_well_is_given_up_and_ended(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'import time; time.sleep(60)' {{model}} {{name}} {{port}}"
    with pytest.raises(ModelError, match="not healthy within"):
        list(student(tmp_path, command, start_timeout_s=0.2)([Request(token_ids=(1,))]))


def test_a_command_without_the_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"\{name\}"):
        student(tmp_path, "vllm serve {model} --port {port}")


@pytest.mark.parametrize(
    ("ids", "finish", "closed"),
    [
        ((5, 6), "stop", (5, 6, 2)),
        ((5, 6, 2), "stop", (5, 6, 2)),
        ((5, 6, 2), "length", (5, 6)),
        ((5, 9), "stop", (5, 9)),
        (None, "stop", None),
    ],
)
def test_the_end_is_marked_only_where_the_sample_ended_by_itself(tmp_path, ids, finish, closed) -> None:
    model = student(tmp_path, "x {model} {name} {port}")
    assert model._closed(Reply(b"k", "t", finish, Usage(), ids)).token_ids == closed


RECORDER = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
port, name, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
class Handler(BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(body).encode())
    def do_GET(self):
        self.answer({"data": [{"id": name}]})
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        open(folder + "/asked.json", "wb").write(body)
        self.answer({"choices": [{"text": "four", "finish_reason": "stop", "token_ids": [5, 9]}], "usage": {}})
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_a_request_carries_the_students_ends_and_neutral_values(tmp_path: Path, top_p: float) -> None:
    script = tmp_path / "recorder.py"
    script.write_text(RECORDER)
    model = student(tmp_path, f"{sys.executable} {script} {{port}} {{name}} {{model}}")
    (reply,) = model([Request(token_ids=(1, 2), sampling=Sampling(0.7, top_p))])
    asked = json.loads((tmp_path / "model" / "asked.json").read_text())
    assert (reply.text, reply.token_ids) == ("four", (5, 9))
    expected = {"stop_token_ids": [2, 9], "top_p": top_p, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    assert expected.items() <= asked.items()
