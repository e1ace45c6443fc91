"""The misbehaving server in a process of its own: `python -m orcamath.testing --reply hello --faults '{"drop": 0.1}'`.

Prints its base URL as the first line and serves until it is ended; `GET /stats` returns its books as JSON.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import fields
from pathlib import Path

from orcamath.errors import OrcamathError, nearest
from orcamath.held import held
from orcamath.settings import ModelSettings
from orcamath.testing.faults import Faults
from orcamath.testing.http import HttpAnswer, HttpServer, Incoming
from orcamath.testing.server import MisbehavingServer, Responder, of_chat, stub


def _responder(reply: str, backend: str | None, options: dict[str, object]) -> Responder:
    if backend is None:
        return stub(reply) if reply else stub()
    return of_chat(held("backend", backend)(ModelSettings(backend=backend, options=options)))


def _mapping(said: str) -> dict[str, object]:
    try:
        found = json.loads(said)
    except ValueError as e:
        raise argparse.ArgumentTypeError(f"`{said}` is no JSON: {e}") from e
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"`{said}` is no mapping")
    return found


def _faults(said: str) -> Faults:
    rates, known = _mapping(said), {f.name for f in fields(Faults)}
    for name, rate in rates.items():
        if name not in known:
            raise argparse.ArgumentTypeError(f"there is no fault `{name}`; {nearest(name, known)}")
        if rate is not None and not isinstance(rate, int | float):
            raise argparse.ArgumentTypeError(f"`{name}` is {rate!r}: a number is due")
    try:
        return Faults(**rates)  # type: ignore[arg-type] # all of these are numbers
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m orcamath.testing", description=__doc__)
    parser.add_argument("--reply", default="", help="the text to answer everything with")
    parser.add_argument("--backend", help="the backend to answer with, in place of a text: a name, or a .py file")
    parser.add_argument("--options", type=_mapping, default="{}", help="options of that backend, as JSON")
    parser.add_argument("--faults", type=_faults, default="{}", help="fields of `Faults`, as JSON")
    parser.add_argument("--price", nargs=2, type=float, default=(0.0, 0.0), help="USD per million tokens, in and out")
    parser.add_argument("--models", nargs="*", default=(), help="names it serves; any when left out")
    parser.add_argument("--bodies", type=Path, help="append the body of every call to this file")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1", help="where it listens")
    arguments = parser.parse_args()
    try:
        responder = _responder(arguments.reply, arguments.backend, arguments.options)
    except OrcamathError as e:
        parser.error(str(e))
    price, models = tuple(arguments.price), tuple(arguments.models)
    server = MisbehavingServer(responder, arguments.faults, price=price, models=models)

    def handle(incoming: Incoming) -> HttpAnswer:
        if arguments.bodies is not None and incoming.method == "POST":
            with arguments.bodies.open("ab") as file:
                file.write(incoming.body + b"\n")
        return server(incoming)

    async def run() -> None:
        http = HttpServer(handle)
        try:
            await http.start(arguments.port, arguments.host)
        except OSError as e:
            parser.error(f"port {arguments.port} at {arguments.host} cannot be served: {e.strerror}")
        sys.stdout.write(f"http://{arguments.host}:{http.port}/v1\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
