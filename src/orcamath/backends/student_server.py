"""A student behind an inference server on this machine, started for one stage's samples and stopped after them.

In: a command such as `vllm serve {model} --served-model-name {name} --port {port}`, and the checkpoint. The server is
started when the first sample is really needed, waited for until healthy, asked whether it serves what the weights' hash
says, and stopped when the last reply is in, so that training finds the GPU free. Prompts go out as our own token ids.

A server keeps no fixed chunks, so equal weights give equal samples only in distribution; each is remembered all the same.
"""

import contextlib
import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import orjson

from orcamath.backends.openai_compatible import OpenAICompatible
from orcamath.errors import ModelError, RecipeError
from orcamath.ports import Replies, Reply, Request
from orcamath.settings import ModelSettings
from orcamath.stages.serving import ServerSettings

__all__ = ["StudentServer"]

_MARKS = ("{model}", "{name}", "{port}")
"""What a command must hold; `{gpus}` it may."""
_DEVICES = Path("/proc/driver/nvidia/gpus")
_LAST_LINES = 20
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy of the environment is not for this machine."""
NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""What servers otherwise take from a model's generation_config or from their own defaults."""


class StudentServer:
    """The Chat of one checkpoint.

    `ends`: the ids that end an answer. They go with every request, as do values under which a server samples from the student's
    own distribution. The first of them closes the ids of a finished sample where the server leaves it out.
    """

    chunk: int | None = None

    def __init__(
        self,
        settings: ServerSettings,
        model: Path,
        fingerprint: str,
        *,
        ends: Sequence[int] = (),
        log: Path | None = None,
    ) -> None:
        self.settings, self.model, self.fingerprint = settings, model, fingerprint
        self.ends, self.log = tuple(ends), log
        self.name = f"orcamath-{fingerprint[-16:]}"
        """Under which the weights must be served: another checkpoint's server is never taken for this one's."""
        self.command = settings.line()
        missing = [mark for mark in _MARKS if mark not in self.command]
        if missing:
            raise RecipeError(f"`practice.server.command` lacks {', '.join(missing)}: {self.command}")

    def __call__(self, requests: Iterable[Request]) -> Replies:
        """Answer the requests; the server runs from the first to the last."""
        source = iter(requests)
        first = next(source, None)
        if first is None:
            return
        with self._running() as base_url:
            chat = OpenAICompatible(
                ModelSettings(
                    model=self.name,
                    base_url=base_url,
                    api_key_env=None,
                    concurrency=self.settings.concurrency,
                    timeout_s=self.settings.timeout_s,
                    body={"return_token_ids": True, "stop_token_ids": list(self.ends)} | NEUTRAL | self.settings.body,
                    options={"fingerprint": self.fingerprint},
                )
            )
            with contextlib.closing(chat(chain([first], source))) as replies:
                for reply in replies:
                    yield self._closed(reply)

    def _closed(self, reply: Reply) -> Reply:
        """Put the end-of-sequence id where the sample ended by itself, and nowhere else."""
        ids = reply.token_ids
        if ids is None or not self.ends:
            return reply
        ended = bool(ids) and ids[-1] in self.ends
        bare, end = (ids[:-1], ids[-1]) if ended else (ids, self.ends[0])
        wanted = (*bare, end) if reply.finish_reason == "stop" else bare
        return reply if wanted == ids else replace(reply, token_ids=wanted)

    @contextlib.contextmanager
    def _running(self) -> Iterator[str]:
        port = _free_port()
        marks = (*_MARKS, "{gpus}")
        values = zip(marks, (str(self.model), self.name, str(port), str(_gpus_at_hand())), strict=True)
        words = shlex.split(self.command)
        for mark, value in values:
            words = [word.replace(mark, value) for word in words]
        log = self.log or self.model.parent / "server.log"
        with log.open("wb") as out:
            try:
                server = subprocess.Popen(
                    words, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_end_with_parent
                )
            except OSError as e:
                raise ModelError(
                    f"the student's server cannot be started: {e}. `practice.server.command` names it"
                ) from e
            try:
                self._wait(server, port, log)
                yield f"http://127.0.0.1:{port}/v1"
            finally:
                _stop(server)

    def _wait(self, server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        """Return once the server is healthy and serves these weights. Raises ModelError."""
        until = time.monotonic() + self.settings.start_timeout_s
        while (names := _served(port)) is None:
            if server.poll() is not None:
                raise ModelError(f"the student's server ended with code {server.returncode}:\n{_tail(log)}")
            if time.monotonic() > until:
                raise ModelError(
                    f"the student's server was not healthy within {self.settings.start_timeout_s:g} s:\n{_tail(log)}"
                )
            time.sleep(0.05)
        if self.name not in names:
            raise ModelError(
                f"the student's server serves {names}, not `{self.name}`: pass `{{name}}` as its served model name"
            )


def _served(port: int) -> list[str] | None:
    """Return the names a healthy server lists; None while it is not up."""
    try:
        with _DIRECT.open(f"http://127.0.0.1:{port}/v1/models", timeout=5) as answer:
            return [str(m["id"]) for m in orjson.loads(answer.read())["data"]]
    except (OSError, urllib.error.URLError, orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _gpus_at_hand() -> int:
    """Return how many GPUs a server started here finds, 1 where it finds none: the user's own choice, or the driver's list."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return max(1, sum(bool(name.strip()) for name in chosen.split(",")))
    return max(1, len(list(_DEVICES.glob("*"))))


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _end_with_parent() -> None:
    """Have the kernel end the server when this process is killed: it would hold the GPU (Linux only)."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server and whatever it started."""
    for sign, wait_s in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 20.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, sign)
        try:
            server.wait(wait_s)
            return
        except subprocess.TimeoutExpired:
            continue


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:])
