"""A model that says what a function tells it to, and a stage run in a folder: doubles for tests of agents and stages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from orcamath.ports import Reply, Request
from orcamath.records import Problem, Record
from orcamath.store.artifacts import Artifact, Output, Store
from orcamath.store.ledger import Ledger, Remembered


class Scripted:
    """The Chat port over a function. A reply of None is a failure of the wire; asked requests are kept for the test."""

    chunk: int | None = None
    fingerprint = "scripted"

    def __init__(self, say: Callable[[Request], str | Reply | None]) -> None:
        self.say = say
        self.asked: list[Request] = []

    def __call__(self, requests: Iterable[Request]) -> Iterator[Reply]:
        # answered in reverse: nothing may depend on the order in which replies come
        for request in reversed(list(requests)):
            self.asked.append(request)
            said = self.say(request)
            key = request.key(self.fingerprint)
            if said is None:
                yield Reply(key, error="connection reset")
            elif isinstance(said, Reply):
                yield Reply(key, said.text, said.finish_reason)
            else:
                yield Reply(key, said)


class Quiet:
    """Progress that nobody sees."""

    def begin(self, what: str, total: int | None) -> None:
        pass

    def advance(self, n: int = 1, *, spent_usd: float = 0.0) -> None:
        pass

    def end(self) -> None:
        pass


class Bench:
    """A store to run stages in."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store")
        self.ledger = Ledger(folder / "ledger")
        self.n = 0

    def model(self, chat: Any) -> Remembered:
        return Remembered(chat, self.ledger)

    def table(self, records: Iterable[Record], table: str = "problems") -> Artifact:
        rows = list(records)
        return self.run(lambda out: self._write(out, table, rows))

    def _write(self, out: Output, table: str, rows: list[Record]) -> None:
        out.write(table, rows)

    def tables(self, **tables: Sequence[Record]) -> Artifact:
        """Seal several tables together, as a stage that writes them would."""

        def write(out: Output) -> None:
            for table, rows in tables.items():
                out.write(table, rows)

        return self.run(write)

    def run(self, make: Callable[[Output], None]) -> Artifact:
        self.n += 1
        return self.store.stage(f"stage{self.n}", 1, None, [], make)


def user_text(request: Request) -> str:
    """Return what the user part of a request says."""
    return request.messages[-1].content


def seed(question: str, answer: str | None = None, **fields: Any) -> Problem:
    """Return a seed with a gold answer."""
    known: dict[str, Any] = {"answer": answer, "answer_from": "gold"} if answer is not None else {}
    return Problem.make(question, "seed", fields.pop("source", "test"), **known, **fields)
