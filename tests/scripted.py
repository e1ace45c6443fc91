"""A model that says what a function tells it to, and a stage run in a folder: doubles for tests of agents and stages."""

from collections.abc import Callable, Iterable, Iterator, Mapping
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


class Bench:
    """A store to run stages in."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store")
        self.ledger = Ledger(folder / "ledger")
        self.n = 0

    def model(self, chat: Any) -> Remembered:
        return Remembered(chat, self.ledger)

    def table(self, records: Iterable[Record], table: str = "problems") -> Artifact:
        """Seal one table of records."""
        return self.tables(**{table: records})

    def tables(self, **tables: Iterable[Record]) -> Artifact:
        """Seal several tables together, as a stage that writes them would."""
        return self.run(writing(tables))

    def run(self, make: Callable[[Output], None]) -> Artifact:
        """Seal what a stage of a name of its own makes."""
        self.n += 1
        return self.store.stage(f"stage{self.n}", 1, None, [], make)


def writing(tables: Mapping[str, Iterable[Record]]) -> Callable[[Output], None]:
    """Return what a stage does that writes these tables and nothing else."""

    def write(out: Output) -> None:
        for table, rows in tables.items():
            out.write(table, rows)

    return write


def sealed(root: Path, name: str, **tables: Iterable[Record]) -> Artifact:
    """Seal records in `root/store`, as the stage of that name would."""
    return Store(root / "store").stage(name, 1, None, [], writing(tables))


def user_text(request: Request) -> str:
    """Return what the user part of a request says."""
    return request.messages[-1].content


def seed(question: str, answer: str | None = None, **fields: Any) -> Problem:
    """Return a seed with a gold answer."""
    known: dict[str, Any] = {"answer": answer, "answer_from": "gold"} if answer is not None else {}
    return Problem.make(question, "seed", fields.pop("source", "test"), **known, **fields)
