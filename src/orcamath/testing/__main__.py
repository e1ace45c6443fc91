"""The misbehaving server in a process of its own: `python -m orcamath.testing --reply hello --faults '{"drop": 0.1}'`.

Prints its base URL as the first line and serves until it is ended; `GET /stats` returns its books as JSON.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from orcamath.held import held
from orcamath.settings import ModelSettings
from orcamath.testing.faults import Faults
from orcamath.testing.http import HttpAnswer, HttpServer, Incoming
from orcamath.testing.server import MisbehavingServer, Responder, of_chat, stub


def _responder(reply: str, backend: str | None, options: str) -> Responder:
    if backend is None:
        return stub(reply) if reply else stub()
    return of_chat(held("backend", backend)(ModelSettings(backend=backend, options=json.loads(options))))


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m orcamath.testing", description=__doc__)
    parser.add_argument("--reply", default="", help="the text to answer everything with")
    parser.add_argument("--backend", help="the backend to answer with, in place of a text: a name, or a .py file")
    parser.add_argument("--options", default="{}", help="options of that backend, as JSON")
    parser.add_argument("--faults", default="{}", help="fields of `Faults`, as JSON")
    parser.add_argument("--price", nargs=2, type=float, default=(0.0, 0.0), help="USD per million tokens, in and out")
    parser.add_argument("--models", nargs="*", default=(), help="names it serves; any when left out")
    parser.add_argument("--bodies", type=Path, help="append the body of every call to this file")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    server = MisbehavingServer(
        _responder(arguments.reply, arguments.backend, arguments.options),
        Faults(**json.loads(arguments.faults)),
        price=tuple(arguments.price),
        models=tuple(arguments.models),
    )

    def handle(incoming: Incoming) -> HttpAnswer:
        if arguments.bodies is not None and incoming.method == "POST":
            with arguments.bodies.open("ab") as file:
                file.write(incoming.body + b"\n")
        return server(incoming)

    async def run() -> None:
        http = HttpServer(handle)
        await http.start(arguments.port)
        sys.stdout.write(f"http://127.0.0.1:{http.port}/v1\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
