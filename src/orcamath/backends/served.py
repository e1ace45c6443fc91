"""One inference server as a process of this machine: started by its command, waited for until it is well, stopped.

In: what is to be served, and how (`Serving`). Out: a server that runs (`Served`), while the context lasts. It listens where this
machine's programs alone reach it.
"""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import orjson

from orcamath.errors import ModelError
from orcamath.store.locks import wait_for

__all__ = ["Served", "Serving", "free_port", "lacking", "served_here"]

_PLACES = ("{model}", "{name}", "{port}")
"""What a command must hold; `{host}` and `{gpus}` it may."""
LOOPBACK = "127.0.0.1"
_DEVICES = Path("/proc/driver/nvidia/gpus")
_LAST_LINES = 20
_STOP_S = 20.0
_MAX_LIST = 4_000_000
"""Bytes; no list of models is longer."""
_WATCH = """
import os, signal, sys, time
if os.fork():
    os._exit(0)
group, patience = int(sys.argv[1]), float(sys.argv[2])
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.stdin.buffer.read()  # until who started this is gone, or is done with it
try:
    os.killpg(group, signal.SIGTERM)
    until = time.monotonic() + patience
    while time.monotonic() < until:
        os.killpg(group, 0)
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
except (ProcessLookupError, PermissionError):
    pass
"""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy of the environment is not for a server of our own."""


class Serving(NamedTuple):
    """One student behind a server of its own."""

    command: str
    """What starts the server, with `{model}`, `{name}`, `{port}`, `{host}` and `{gpus}` not yet filled in. No shell reads it."""
    model: Path
    """The checkpoint's folder."""
    name: str
    """Under which the weights must be served."""
    wait_s: float
    """How long the server may take to get well."""


def lacking(command: str) -> list[str]:
    """Return what a command does not hold and must."""
    return [place for place in _PLACES if place not in command]


class Served(NamedTuple):
    """A server that runs."""

    url: str
    """Its address, `http://…/v1`."""
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def ended(self) -> str:
        """How it ended, with its last words; empty while it runs."""
        code = self.process.poll()
        return "" if code is None else f"ended with code {code}:\n{_tail(self.log)}"


@contextlib.contextmanager
def served_here(serving: Serving, log: Path, lock: Path | None = None) -> Iterator[Served]:
    """Lend a server that is well and serves that name; what it prints goes to `log`.

    It ends with this process, however that ends, and all that it started with it. `lock`: a file that is held until all of it is
    gone, and waited for; who comes after a process that died finds its GPUs free. Raises ModelError where it does not start.
    """
    port = free_port()
    values = {
        "{model}": str(serving.model),
        "{name}": serving.name,
        "{port}": str(port),
        "{host}": LOOPBACK,
        "{gpus}": str(_gpus_at_hand()),
    }
    words = shlex.split(serving.command)
    for mark, value in values.items():
        words = [word.replace(mark, value) for word in words]
    with contextlib.ExitStack() as ends:
        held = [] if lock is None else [ends.enter_context(wait_for(lock, "start the student's server")).fileno()]
        try:
            out = ends.enter_context(log.open("wb"))
            process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as e:
            raise ModelError(f"the student's server cannot be started: {e}. `practice.server.command` names it") from e
        server = Served(f"http://{LOOPBACK}:{port}/v1", process, log)
        ends.callback(_stop, process)
        ends.enter_context(_watched(process.pid, held))
        _wait(server, serving)
        yield server


@contextlib.contextmanager
def _watched(group: int, held: Sequence[int]) -> Iterator[None]:
    """Have a process of its own end the server's whole group once this one is gone: what a server started holds the GPU too.

    It is nobody's child, since some end a process's children together with it, by a signal that lets none tidy up.
    """
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH, str(group), str(_STOP_S)],
            stdin=subprocess.PIPE,
            stdout=nowhere,
            stderr=nowhere,
            pass_fds=held,
            start_new_session=True,
        )
    watcher.wait()  # the one that stays was forked off
    assert watcher.stdin is not None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            watcher.stdin.close()


def _wait(server: Served, serving: Serving) -> None:
    """Return once the server is healthy and serves these weights. Raises ModelError."""
    until = time.monotonic() + serving.wait_s
    while (names := _served(server.url)) is None:
        if ended := server.ended:
            raise ModelError(f"the student's server {ended}")
        if time.monotonic() > until:
            raise ModelError(f"the student's server was not healthy within {serving.wait_s:g} s:\n{_tail(server.log)}")
        time.sleep(0.05)
    if serving.name not in names:
        raise ModelError(
            f"the student's server serves {names}, not `{serving.name}`: pass `{{name}}` as its served model name"
        )


def _served(url: str) -> list[str] | None:
    """Return the names a healthy server lists; None while it is not up."""
    try:
        with _DIRECT.open(f"{url}/models", timeout=5) as answer:
            return [str(m["id"]) for m in orjson.loads(answer.read(_MAX_LIST))["data"]]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):  # whatever it is, it is not the server yet
        return None


def _gpus_at_hand() -> int:
    """Return how many GPUs a server started here finds, 1 where it finds none: the user's own choice, or the driver's list."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return max(1, sum(bool(name.strip()) for name in chosen.split(",")))
    return max(1, len(list(_DEVICES.glob("*"))))


def free_port() -> int:
    """Return a port on which nobody listens here."""
    with socket.socket() as s:
        s.bind((LOOPBACK, 0))
        return int(s.getsockname()[1])


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server and whatever it started: what outlives it is killed, since it would hold the GPU."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_STOP_S)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:])
