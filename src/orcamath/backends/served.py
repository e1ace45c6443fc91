"""One inference server as a process of this machine: started by its command, waited for until it is well, stopped.

In: what is to be served, and how. Out: the server's address, while the context lasts. It listens where this machine's programs
alone reach it.
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
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from orcamath.errors import ModelError

__all__ = ["Serving", "free_port", "lacking", "served_here"]

_PLACES = ("{model}", "{name}", "{port}")
"""What a command must hold; `{host}` and `{gpus}` it may."""
LOOPBACK = "127.0.0.1"
_DEVICES = Path("/proc/driver/nvidia/gpus")
_LAST_LINES = 20
_STOP_S = 20.0
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


@contextlib.contextmanager
def served_here(serving: Serving, log: Path) -> Iterator[str]:
    """Lend the address (`http://…/v1`) of a server that is well and serves that name; what it prints goes to `log`.

    Raises ModelError where it does not start.
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
    url = f"http://{LOOPBACK}:{port}/v1"
    with log.open("wb") as out:
        try:
            server = subprocess.Popen(
                words, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_end_with_parent
            )
        except OSError as e:
            raise ModelError(f"the student's server cannot be started: {e}. `practice.server.command` names it") from e
        try:
            _wait(server, serving, url, log)
            yield url
        finally:
            _stop(server)


def _wait(server: "subprocess.Popen[bytes]", serving: Serving, url: str, log: Path) -> None:
    """Return once the server is healthy and serves these weights. Raises ModelError."""
    until = time.monotonic() + serving.wait_s
    while (names := _served(url)) is None:
        if server.poll() is not None:
            raise ModelError(f"the student's server ended with code {server.returncode}:\n{_tail(log)}")
        if time.monotonic() > until:
            raise ModelError(f"the student's server was not healthy within {serving.wait_s:g} s:\n{_tail(log)}")
        time.sleep(0.05)
    if serving.name not in names:
        raise ModelError(
            f"the student's server serves {names}, not `{serving.name}`: pass `{{name}}` as its served model name"
        )


def _served(url: str) -> list[str] | None:
    """Return the names a healthy server lists; None while it is not up."""
    try:
        with _DIRECT.open(f"{url}/models", timeout=5) as answer:
            return [str(m["id"]) for m in orjson.loads(answer.read())["data"]]
    except (OSError, urllib.error.URLError, orjson.JSONDecodeError, KeyError, TypeError):
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


def _end_with_parent() -> None:
    """Have the kernel end the server when this process is killed: it would hold the GPU (Linux only)."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """End the server and whatever it started: what outlives it is killed, since it would hold the GPU."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_STOP_S)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:])
