"""One run, opened for looking: what it points to now, the index of it, and what is dear to fold kept until something changes."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orcamath.errors import OrcamathError, UsageError
from orcamath.report.arms import Made, arms_of, made
from orcamath.report.fold import students_of
from orcamath.report.rows import score_table
from orcamath.store.artifacts import Store
from orcamath.store.history import reached_in
from orcamath.store.marks import Marks
from orcamath.store.run_folder import VIEW_INDEX
from orcamath.student.spelling import Spelled
from orcamath.view.calls import RememberedCalls, latest_calls
from orcamath.view.compare import MeasuredStudent, students_in
from orcamath.view.doubts import Sources
from orcamath.view.index import Index
from orcamath.view.kinds import IndexRow
from orcamath.view.live import now_of
from orcamath.view.whole import inert

__all__ = ["Opened"]

LATEST = 6
"""Model calls shown while a run is at work."""


class Opened:
    """A run folder with its index and marks. `update` brings the index up to date; everything else only reads."""

    def __init__(self, folder: Path, store: Store) -> None:
        if not (folder / "recipe.yaml").exists():
            raise UsageError(f"`{folder}` is no run; `orcamath run` makes one")
        self.folder, self.store = folder, store
        self.index = Index(folder / VIEW_INDEX)
        self.marks = Marks(folder)
        self._kept = threading.local()
        self._made: tuple[object, list[Made]] = (None, [])
        self._scores: tuple[object, list[dict[str, object]]] = (None, [])

    def made(self) -> list[Made]:
        """Return every stage of the run and its arms that is sealed now, what arms share once; none while the first is made.

        Raises UsageError where one is gone from the store, so that nobody takes the run for an empty one.
        """
        changed = [p.stat().st_mtime_ns for p in sorted(self.folder.rglob("stages.json"))]
        if self._made[0] != changed:
            if reached_in(self.folder) is None:
                return []
            self._made = (changed, list(made(arms_of(self.folder), self.store)))
        return self._made[1]

    def calls(self) -> RememberedCalls:
        """Return which model calls are the run's: those of the models its stages were made with."""
        named = (name for m in self.made() for name in m.artifact.manifest["inputs"] if isinstance(name, str))
        return RememberedCalls(self.store.root / "ledger", frozenset(named))

    def spelling(self) -> Spelled:
        """Return who spells token ids, by the run's own students."""
        models = (m.artifact.path / "model" for m in self.made())
        return Spelled(model for model in models if model.is_dir())

    def sources(self, db: sqlite3.Connection) -> Sources:
        """Return where lists of doubts look."""
        return Sources(db, self.made(), self.spelling())

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hand out this thread's reading connection; a new one where the index was begun again. Raises DataError."""
        with self.index.sound():
            inode = self.index.path.stat().st_ino
            kept = getattr(self._kept, "db", None)
            if kept is None or kept[0] != inode:
                if kept is not None:
                    kept[1].close()
                kept = self._kept.db = (inode, self.index.reader())
            yield kept[1]

    def update(self) -> None:
        """Add to the index what was sealed or asked since."""
        self.index.update(self.made(), self.calls())

    def students(self) -> list[MeasuredStudent]:
        """Return the measured students of this run and of the runs beside it, this one's first."""
        beside = sorted(p.parent for p in self.folder.parent.glob("*/stages.json") if p.parent != self.folder)
        return students_in([self.folder, *beside])

    def folders(self) -> dict[str, Path]:
        """Return the runs that students may be of, by name."""
        return {s.run: self.folder.parent / s.run for s in self.students()} | {self.folder.name: self.folder}

    def overview(self) -> dict[str, object]:
        """Return how the run stands, its scores, and the newest model calls while it is at work."""
        found = now_of(self.folder, self.store)
        plain = found.plain() | {
            "scores": self.scores(),
            "index": self.index.indexed()._asdict(),
            "report": (self.folder / "report.html").exists(),
            "latest": [],
        }
        if found.stands == "running":
            spelling = self.spelling()
            plain["latest"] = [
                {
                    "model": call.model,
                    "reply": call.reply.text[:600],
                    "asked": (
                        call.request.messages[-1].content
                        if call.request.messages
                        else spelling.text(call.request.token_ids or ())
                    )[-600:],
                }
                for call in latest_calls(self.calls(), LATEST)
            ]
        return {key: inert(value) for key, value in plain.items()}

    def scores(self) -> list[IndexRow]:
        """Return the rows of the score table, folded again only where another student was measured."""
        try:
            arms = list(arms_of(self.folder))
            key = [[s["scored"] for s in arm.pointers["students"]] for arm in arms]
            if self._scores[0] != key:
                found = [
                    {
                        "name": r.name,
                        "arm": r.arm,
                        "model": r.model,
                        "benchmark": r.benchmark,
                        "n": r.n,
                        "score": r.score._asdict(),
                        "trained_tokens": r.trained_tokens,
                        "contrasts": [
                            {"against": c.against, **c.difference._asdict(), "sure": c.difference.excludes_zero}
                            for c in r.contrasts
                        ],
                    }
                    for r in score_table(list(students_of(arms, self.store)))
                ]
                self._scores = (key, found)
        except OrcamathError:
            return []
        return self._scores[1]
