"""Lessons as rows in the shapes other tools read. Pure: records in, rows out.

`question` and `answer` are named and filled as in microsoft/orca-math-word-problems-200k; what we know beyond that stands in the
columns after them. The rows for the hub say the same a second time as `prompt` (with the choices) and `completion`, which
trainers take unchanged.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from orcamath.export.pairs import turn
from orcamath.records import Lesson
from orcamath.text.languages import language_of

__all__ = ["LESSON_COLUMNS", "Tally", "chat_row", "hub_row", "row_of", "sft_row"]

LESSON_COLUMNS: dict[str, pa.DataType] = {
    "question": pa.string(),
    "answer": pa.string(),
    "id": pa.string(),
    "problem_id": pa.string(),
    "final_answer": pa.string(),
    "kind": pa.string(),
    "options": pa.list_(pa.string()),
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


@dataclass
class Tally:
    """Counts of the rows that went by, for the card."""

    n: int = 0
    by: dict[str, Counter[str]] = field(default_factory=dict)

    def watch(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Let rows through and count them."""
        for row in rows:
            self.n += 1
            for name in ("origin", "source", "licence", "verified", "teacher", "split"):
                self.by.setdefault(name, Counter())[str(row[name])] += 1
            self.by.setdefault("language", Counter())[language_of(row["question"]) or ""] += 1
            self.by.setdefault("source and licence", Counter())[f"{row['source']}\0{row['licence']}"] += 1
            yield row


def row_of(lesson: Lesson) -> dict[str, object]:
    """Return a lesson as a row of the exported set, in the order of COLUMNS."""
    values = ((name, getattr(lesson, "answer_kind" if name == "kind" else name)) for name in LESSON_COLUMNS)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def sft_row(lesson: Lesson) -> dict[str, object]:
    """Return a lesson as `prompt` and `completion`, one turn each: TRL's SFTTrainer counts the completion only."""
    return {"prompt": turn("user", lesson.asked), "completion": turn("assistant", lesson.answer), "id": lesson.id}


def hub_row(lesson: Lesson) -> dict[str, object]:
    """Return a lesson as a row for the hub: COLUMNS, then the same as `prompt` and `completion`."""
    return {**row_of(lesson), "prompt": turn("user", lesson.asked), "completion": turn("assistant", lesson.answer)}


def chat_row(lesson: Lesson, system: str | None = None) -> dict[str, object]:
    """Return a lesson as chat `messages`, the form that most fine-tuning tools take."""
    messages = [*turn("user", lesson.asked), *turn("assistant", lesson.answer)]
    return {"messages": [*turn("system", system), *messages] if system is not None else messages, "id": lesson.id}
