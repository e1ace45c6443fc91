"""A small HTTP/1.1 server for tests: keep-alive, one request at a time a connection, and full control over misbehaving.

A handler gets the path and the body and returns what to do: an answer after some time, half an answer, none, or a closed
connection. Written on asyncio protocols because a server in a benchmark must cost less than the client it measures.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Literal, NamedTuple

__all__ = ["Handler", "HttpAnswer", "HttpServer", "Incoming"]


class Incoming(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


How = Literal["whole", "cut", "drop", "hang"]
"""What becomes of an answer on the wire."""


class HttpAnswer(NamedTuple):
    """What to do with a request, `after_s` seconds from now."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    after_s: float = 0.0
    how: How = "whole"
    content_type: str = "application/json"


Handler = Callable[[Incoming], HttpAnswer]


class _Connection(asyncio.Protocol):
    def __init__(self, handler: Handler, threads: Executor | None = None) -> None:
        self.handler, self.threads = handler, threads
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, _exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        method, path, _ = first.split(" ", 2)
        incoming = Incoming(method, path, headers, rest[:length])
        if self.threads is None:
            self.schedule(self.handler(incoming))
        else:
            loop = asyncio.get_running_loop()
            loop.run_in_executor(self.threads, self.handler, incoming).add_done_callback(self.handled)

    def handled(self, made: "asyncio.Future[HttpAnswer]") -> None:
        """Send what a thread has made of a request; a handler that raised is an error of the server's."""
        if not made.cancelled():
            self.schedule(HttpAnswer(500) if made.exception() is not None else made.result())

    def schedule(self, answer: HttpAnswer) -> None:
        if answer.how != "hang":
            asyncio.get_running_loop().call_later(answer.after_s, self.answer, answer)

    def answer(self, answer: HttpAnswer) -> None:
        if self.transport is None:
            return
        if answer.how == "drop":
            self.transport.close()
            return
        extra = "".join(f"{n}: {v}\r\n" for n, v in answer.headers)
        head = (
            f"HTTP/1.1 {answer.status} -\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\n{extra}\r\n"
        )
        whole = head.encode("latin-1") + answer.body
        if answer.how == "cut":
            self.transport.write(whole[: len(head) + len(answer.body) // 2])
            self.transport.close()
        else:
            self.transport.write(whole)


class HttpServer:
    """Listens where `start` is told; `port` is known once that has returned. `threads` handle that many requests at once."""

    def __init__(self, handler: Handler, threads: int = 0) -> None:
        self.handler = handler
        self._threads = ThreadPoolExecutor(threads) if threads else None
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    def _connection(self) -> _Connection:
        connection = _Connection(self.handler, self._threads)
        self._open.add(connection)
        return connection

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Begin to listen (port 0: any free one)."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, host, port, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
        for connection in self._open:
            if connection.transport is not None:
                connection.transport.abort()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.sleep(0)
