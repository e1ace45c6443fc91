"""A viewer served in this process, and raw requests to it: what the tests of the viewer and of the browser share."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from orcamath.commands.ending import told
from orcamath.view.opened import Opened
from orcamath.view.server import serve_view

__all__ = ["Answer", "Served", "served"]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Served(NamedTuple):
    """A running viewer."""

    address: str
    port: int
    token: str

    def ask(self, path: str, *, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """Send one request as it is written; `path` is below the token unless it begins with a slash."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        whole = path if path.startswith("/") else f"/{self.token}/{path}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        connection.putrequest(method, whole, skip_host="Host" in sent)
        for name, value in sent.items():
            connection.putheader(name, value)
        if data is not None:
            if "Content-Type" not in sent:
                connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        found = Answer(answer.status, dict(answer.getheaders()), answer.read())
        connection.close()
        return found


@contextmanager
def served(opened: Opened) -> Iterator[Served]:
    """Serve an opened run in a thread until the block ends."""
    loop, began, where = asyncio.new_event_loop(), threading.Event(), []

    def announce(address: str) -> None:
        where.append(address)
        began.set()

    task = loop.create_task(serve_view(opened, 0, announce, told))

    def work() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert began.wait(30)
    _, _, host, token, _ = where[0].split("/")
    try:
        yield Served(where[0], int(host.rpartition(":")[2]), token)
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(30)
