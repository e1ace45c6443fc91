"""Reference log-probs: each response scored once under the reference model, and remembered.

Kept in one SQLite file by (model and how it is held, prompt ids, response ids), so they outlive a crash and serve again after a
reshuffle, with another loss or another learning rate, in any run over the same store. Each number is kept with a checksum; one
that is not what was written counts as absent, and is computed again. Where several processes train, the first alone opens the
file, and all are told what it holds and what each of them scored: they may be on several machines.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from hashlib import blake2b
from itertools import chain, islice
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING

from orcamath.ports import Progress
from orcamath.store.seals import number_of, sealed_number
from orcamath.store.sqlite_errors import connect, explained
from orcamath.student.adapters import quantize_of, training_dtype
from orcamath.student.folder import ModelFolder
from orcamath.student.logprobs import Posed
from orcamath.student.model import load_model, torch_dtype
from orcamath.student.prepare import quietly
from orcamath.student.processes import ALONE, World, deal
from orcamath.student.room import Room, at_once
from orcamath.student.settings import TrainSettings
from orcamath.student.steps import score_all

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["reference_logprobs"]

PIECE = 256
"""Problems scored between two commits."""


def _key(model: str, prompt: Sequence[int], answer: Sequence[int]) -> bytes:
    h = blake2b(model.encode(), digest_size=16)
    h.update(b"\0" + b" ".join(b"%d" % i for i in prompt) + b"\0" + b" ".join(b"%d" % i for i in answer))
    return h.digest()


def reference_logprobs(
    asked: Sequence[Posed],
    reference: ModelFolder,
    student: ModelFolder,
    loaded: "PreTrainedModel",
    settings: TrainSettings,
    folder: Path,
    progress: Progress,
    world: World = ALONE,
) -> dict[Posed, tuple[float, ...]]:
    """Return log π_ref of every answer asked for; only what is not remembered yet is computed.

    `loaded` is the student's model, which serves as its own reference before training; another reference is loaded, used
    and dropped here.
    """
    held = "4bit" if quantize_of(settings) == "4bit" else training_dtype(settings)
    name = f"{reference.fingerprint} {held} {torch_dtype(settings.dtype)}"
    unique = list(dict.fromkeys(asked))
    with _opened(folder, name) if world.rank == 0 else nullcontext() as file:
        # one looks for all, so that everyone deals out the same list while another run writes to the same file
        read = [v for p in unique for v in (file.read(p) if file is not None else _absent(p, 0.0))]
        found = _by_problem(unique, world.total(*read))
        found = {p: values for p, values in found.items() if not any(map(isnan, values))}
        hands = _hands([p for p in unique if p not in found], world)
        if not any(hands):
            return found
        if reference.fingerprint != student.fingerprint:
            loaded = load_model(reference, dtype=training_dtype(settings), quantize=quantize_of(settings)).model
        room = Room(at_once(loaded, settings))
        progress.begin("reference", len(hands[world.rank]))
        for start in range(0, max(map(len, hands)), PIECE):
            pieces = [hand[start : start + PIECE] for hand in hands]
            with quietly(loaded, settings):
                mine = room.within(partial(score_all, loaded, pieces[world.rank], share=settings.share_prompt))
            scored = _put_together(pieces, mine, world)
            if file is not None:
                file.remember(scored)
            found |= scored
            progress.advance(len(pieces[world.rank]))
        progress.end()
    return found


def _absent(posed: Posed, value: float = nan) -> tuple[float, ...]:
    return (value,) * len(posed.answers)


def _by_problem(problems: Iterable[Posed], values: Iterable[float]) -> dict[Posed, tuple[float, ...]]:
    """Return one number an answer, in order, as each problem's own."""
    source = iter(values)
    return {p: tuple(islice(source, len(p.answers))) for p in problems}


def _hands(missing: Sequence[Posed], world: World) -> list[list[Posed]]:
    """Return what each process scores."""
    return [[missing[k] for k in sorted(hand)] for hand in deal([p.n_tokens for p in missing], world.size)]


def _put_together(
    pieces: Sequence[Sequence[Posed]], mine: Sequence[tuple[float, ...]], world: World
) -> dict[Posed, tuple[float, ...]]:
    """Return what all processes found for their pieces, where this one found `mine`."""
    of_each = [mine if rank == world.rank else [_absent(p, 0.0) for p in piece] for rank, piece in enumerate(pieces)]
    flat = [value for values in of_each for answers in values for value in answers]
    return _by_problem(chain.from_iterable(pieces), world.total(*flat))


@contextmanager
def _opened(folder: Path, name: str) -> "Iterator[_File]":
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "reference.sqlite"
    with explained(path, "the file of reference log-probs"), closing(connect(path, timeout=60.0)) as db:
        # other runs of this store may write from other machines: for this locks are enough, which a log ahead of writing is not
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("CREATE TABLE IF NOT EXISTS logprobs (key BLOB PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID")
        yield _File(db, name)


class _File:
    """What is remembered of one reference."""

    def __init__(self, db: sqlite3.Connection, name: str) -> None:
        self.db, self.name = db, name

    def read(self, posed: Posed) -> tuple[float, ...]:
        """Return one number an answer; NaN for all where one is absent."""
        values = []
        for answer in posed.answers:
            key = _key(self.name, posed.prompt, answer)
            row = self.db.execute("SELECT value FROM logprobs WHERE key=?", (key,)).fetchone()
            if row is None or (value := number_of(key, row[0])) is None:
                return _absent(posed)
            values.append(value)
        return tuple(values)

    def remember(self, scored: Mapping[Posed, tuple[float, ...]]) -> None:
        """Write these down, durably once this returns."""
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany(
            "INSERT OR REPLACE INTO logprobs VALUES (?,?)",
            [
                (key := _key(self.name, p.prompt, answer), sealed_number(key, value))
                for p, values in scored.items()
                for answer, value in zip(p.answers, values, strict=True)
            ],
        )
        self.db.execute("COMMIT")
