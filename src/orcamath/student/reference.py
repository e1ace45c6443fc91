"""Reference log-probs: each response scored once under the reference model, and remembered.

Kept in one SQLite file by (model and how it is held, prompt ids, response ids), so they outlive a crash and serve again after a
reshuffle, with another loss or another learning rate, in any run over the same store. Each number is kept with a checksum; one
that is not what was written counts as absent, and is computed again.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from hashlib import blake2b
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
from orcamath.student.processes import ALONE, World
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
    loaded: object,
    settings: TrainSettings,
    folder: Path,
    progress: Progress,
    world: World = ALONE,
) -> dict[Posed, tuple[float, ...]]:
    """Return log π_ref of every answer asked for; only what is not remembered yet is computed.

    `loaded` is the student's model, which serves as its own reference before training; another reference is loaded, used
    and dropped here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = "4bit" if quantize_of(settings) == "4bit" else training_dtype(settings)
    name = f"{reference.fingerprint} {held} {torch_dtype(settings.dtype)}"
    path = folder / "reference.sqlite"
    with (
        explained(path, "the file of reference log-probs"),
        closing(connect(path, timeout=60.0)) as db,
    ):
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE IF NOT EXISTS logprobs (key BLOB PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID")
        unique = list(dict.fromkeys(asked))
        # one looks for all, so that everyone deals out the same list while another run writes to the same file
        known = world.agreed([_read(db, name, p) is not None for p in unique])
        missing = [p for p, k in zip(unique, known, strict=True) if not k]
        missing = [missing[k] for k in world.mine([p.n_tokens for p in missing])]
        if missing:
            model = (
                loaded
                if reference.fingerprint == student.fingerprint
                else load_model(reference, dtype=training_dtype(settings), quantize=quantize_of(settings)).model
            )
            _fill(db, name, model, missing, settings, progress)
        world.wait()
        return {p: v for p in unique if (v := _read(db, name, p)) is not None}


def _read(db: sqlite3.Connection, name: str, posed: Posed) -> tuple[float, ...] | None:
    values = []
    for answer in posed.answers:
        key = _key(name, posed.prompt, answer)
        row = db.execute("SELECT value FROM logprobs WHERE key=?", (key,)).fetchone()
        if row is None or (value := number_of(key, row[0])) is None:
            return None
        values.append(value)
    return tuple(values)


def _fill(
    db: sqlite3.Connection,
    name: str,
    model: "PreTrainedModel",
    missing: Sequence[Posed],
    settings: TrainSettings,
    progress: Progress,
) -> None:
    progress.begin("reference", len(missing))
    room = Room(at_once(model, settings))
    for start in range(0, len(missing), PIECE):
        piece = missing[start : start + PIECE]
        with quietly(model, settings):
            values = room.within(partial(score_all, model, piece, share=settings.share_prompt))
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            "INSERT OR REPLACE INTO logprobs VALUES (?,?)",
            [
                (key := _key(name, p.prompt, a), sealed_number(key, v))
                for p, vs in zip(piece, values, strict=True)
                for a, v in zip(p.answers, vs, strict=True)
            ],
        )
        db.execute("COMMIT")
        progress.advance(len(piece))
    progress.end()
