"""Lessons in the shapes other tools read: JSON Lines, chat messages, or a folder for the hub with its data card.

In → a sealed artifact with the table `lessons`; out → files. `question` and `answer` are named and filled as in
microsoft/orca-math-word-problems-200k, what we know beyond that stands in the columns after them. Everything is streamed,
written beside its place and renamed, so that a reader never finds half a set; equal lessons make equal bytes.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from orcamath.errors import UsageError, nearest
from orcamath.export.card import card
from orcamath.records import Lesson
from orcamath.store.artifacts import Artifact

__all__ = ["COLUMNS", "FORMS", "Exported", "Tally", "chat_row", "export", "row_of"]

COLUMNS: dict[str, pa.DataType] = {
    "question": pa.string(),
    "answer": pa.string(),
    "id": pa.string(),
    "problem_id": pa.string(),
    "final_answer": pa.string(),
    "origin": pa.string(),
    "source": pa.string(),
    "split": pa.string(),
    "licence": pa.string(),
    "parents": pa.list_(pa.string()),
    "round": pa.int64(),
    "target": pa.string(),
    "verified": pa.string(),
    "teacher": pa.string(),
}
FORMS = ("jsonl", "chat", "hub")
ROW_GROUP = 2_000


class Exported(NamedTuple):
    """What was written where."""

    path: Path
    n: int


@dataclass
class Tally:
    """Counts of the rows that went by, for the card."""

    n: int = 0
    by: dict[str, Counter[str]] = field(default_factory=dict)

    def watch(self, lessons: Iterable[Lesson]) -> Iterator[Lesson]:
        """Let lessons through and count them."""
        for lesson in lessons:
            self.n += 1
            for name in ("origin", "source", "licence", "verified", "teacher", "split"):
                self.by.setdefault(name, Counter())[str(getattr(lesson, name))] += 1
            self.by.setdefault("source and licence", Counter())[f"{lesson.source}\0{lesson.licence}"] += 1
            yield lesson


def row_of(lesson: Lesson) -> dict[str, Any]:
    """Return a lesson as a row of the exported set, in the order of COLUMNS."""
    return {name: list(v) if isinstance(v := getattr(lesson, name), tuple) else v for name in COLUMNS}


def chat_row(lesson: Lesson, system: str | None = None) -> dict[str, Any]:
    """Return a lesson as chat messages, the form that fine-tuning tools take."""
    messages = [{"role": "user", "content": lesson.question}, {"role": "assistant", "content": lesson.answer}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    return {"messages": messages, "id": lesson.id}


def export(
    lessons: Artifact,
    target: Path,
    form: Literal["jsonl", "chat", "hub"] | str = "jsonl",
    *,
    stages: Sequence[Artifact] = (),
    title: str = "orcamath lessons",
    system: str | None = None,
    replace: bool = False,
) -> Exported:
    """Write the lessons of a stage to `target`: a file, or a folder for `hub`. `stages` are what its card tells of.

    Raises UsageError for an unknown form, a stage without lessons, or a target that is there already (unless `replace`).
    """
    if form not in FORMS:
        raise UsageError(f"there is no export form `{form}`; {nearest(form, FORMS)}")
    if not lessons.has("lessons"):
        raise UsageError(f"the stage `{lessons.stage}` holds no lessons to export; choose `teach`, `gate` or `lessons`")
    if target.exists() and not replace:
        raise UsageError(f"`{target}` exists already; choose another place, or say that it is to be replaced")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.new")
    _remove(new)
    tally = Tally()
    found = tally.watch(lessons.read(Lesson))
    if form == "hub":
        _write_parquet(found, new / "data" / "train-00000-of-00001.parquet")
        (new / "README.md").write_text(card(title, tally.n, tally.by, [*stages]), encoding="utf-8")
    else:
        _write_lines(found, new, row_of if form == "jsonl" else lambda lesson: chat_row(lesson, system))
    _remove(target)
    new.rename(target)
    return Exported(target, tally.n)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_lines(lessons: Iterable[Lesson], path: Path, row: Callable[[Lesson], dict[str, Any]]) -> None:
    with path.open("wb") as file:
        for lesson in lessons:
            file.write(orjson.dumps(row(lesson), option=orjson.OPT_APPEND_NEWLINE))


def _write_parquet(lessons: Iterator[Lesson], path: Path) -> None:
    path.parent.mkdir(parents=True)
    schema = pa.schema(list(COLUMNS.items()))
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(lessons, ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist([row_of(lesson) for lesson in group], schema=schema))
