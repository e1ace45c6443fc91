"""What can be exported in which form: one table. A form is a schema and a function from a run's stages to rows.

In → a run's stages by label (`gate`, `practice 2`, …); out → rows, streamed, in the order of the sealed tables.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa

from orcamath.errors import UsageError
from orcamath.export import lessons as lesson_rows
from orcamath.export.pairs import paired_rows, unpaired_rows
from orcamath.preferences import with_exercises
from orcamath.records import Attempt, Exercise, Lesson, Preference, Problem, Record, Verdict
from orcamath.store.artifacts import Artifact
from orcamath.store.tables import arrow_schema

__all__ = ["FOLDERS", "SHAPES", "Shape", "Stages", "last_round"]

Stages = Mapping[str, Artifact]
"""Label → sealed artifact, in the order the stages were made."""
_GATE = re.compile(r"gate( \d+)?")
FOLDERS = ("hub",)
"""Forms that are a folder: Parquet and a data card."""


class Shape(NamedTuple):
    """One form of one thing."""

    schema: pa.Schema
    rows: Callable[[Stages, int | None], Iterator[dict[str, object]]]
    """(stages, round of practice or None for the last) → rows. Raises UsageError where the run has no such thing."""


def last_round(stages: Stages, stage: str, wanted: int | None) -> int:
    """Return the round asked for, or the last one there is. Raises UsageError naming those there are."""
    numbers = [label.split(" ")[1] for label in stages if label.startswith(f"{stage} ")]
    rounds = [int(number) for number in numbers if number.isdigit()]  # `2.1` is a spell of round 2
    if not rounds:
        raise UsageError(f"this run (or arm) has no stage `{stage}` yet; arms are named with --arm")
    if wanted is None:
        return max(rounds)
    if wanted not in rounds:
        raise UsageError(f"there is no round {wanted} of `{stage}`; known: {', '.join(str(r) for r in sorted(rounds))}")
    return wanted


def _holding(stages: Stages, table: str, among: Iterable[str]) -> Artifact:
    for label in among:
        if label in stages and stages[label].has(table):
            return stages[label]
    raise UsageError(f"this run has no {table} yet; run it further (`orcamath status` says how far it is)")


def _lessons(stages: Stages, number: int | None) -> Iterator[Lesson]:
    """Read what the student of an iteration learned from: rounds that grow have a gate of their own behind the first."""
    rounds = {int(label.partition(" ")[2] or 1): label for label in stages if _GATE.fullmatch(label)}
    gated = [rounds[n] for n in sorted(rounds, reverse=True) if number is None or n <= number]
    return _holding(stages, "lessons", (*gated, "review", "teach", "lessons")).read(Lesson)


def _problems(stages: Stages, _: int | None) -> Iterator[Problem]:
    return _holding(stages, "problems", ("collect", "problems", "seeds")).read(Problem)


def _preferences(stages: Stages, number: int | None) -> Iterator[Preference]:
    return stages[f"preferences {last_round(stages, 'preferences', number)}"].read(Preference)


def _attempts(stages: Stages, number: int | None) -> Iterator[dict[str, object]]:
    """Yield every sample with what it was held against and what was said of it; verdicts are in the attempts' order."""
    n = last_round(stages, "judge", number)
    practised = stages.get(f"reask {n}", stages[f"practice {n}"])
    judged = stages.get(f"reask {n}", stages[f"judge {n}"])
    attempts = with_exercises(practised.read(Exercise), practised.read(Attempt))
    for (exercise, attempt), verdict in zip(attempts, judged.read(Verdict), strict=True):
        yield {
            "id": attempt.id,
            "problem_id": attempt.problem_id,
            "question": exercise.question,
            "draw": attempt.draw,
            "response": attempt.text,
            "finish_reason": attempt.finish_reason,
            "reference": exercise.reference,
            "label": exercise.label,
            "outcome": verdict.outcome,
            "by": verdict.by,
            "reason": verdict.reason,
            "student": attempt.student,
        }


def _plain(records: Callable[[Stages, int | None], Iterator[Record]]) -> Callable[..., Iterator[dict[str, object]]]:
    return lambda stages, number: (record.row() for record in records(stages, number))


_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_COLUMNS = list(lesson_rows.LESSON_COLUMNS.items())
_ATTEMPT_COLUMNS = (
    "id",
    "problem_id",
    "question",
    "draw",
    "response",
    "finish_reason",
    "reference",
    "label",
    "outcome",
    "by",
    "reason",
    "student",
)
_ATTEMPTS = pa.schema([(name, pa.int64() if name == "draw" else pa.string()) for name in _ATTEMPT_COLUMNS])


def _both(schema: pa.Schema, rows: Callable[[Stages, int | None], Iterator[dict[str, object]]]) -> dict[str, Shape]:
    """Plain rows come as JSON Lines and as Parquet."""
    return {"jsonl": Shape(schema, rows), "parquet": Shape(schema, rows)}


def _of_lessons(
    row: Callable[[Lesson], dict[str, object]],
) -> Callable[[Stages, int | None], Iterator[dict[str, object]]]:
    return lambda stages, number: (row(lesson) for lesson in _lessons(stages, number))


SHAPES: dict[str, dict[str, Shape]] = {
    "lessons": {
        **_both(pa.schema(_COLUMNS), _of_lessons(lesson_rows.row_of)),
        "chat": Shape(pa.schema([("messages", _TURNS), ("id", pa.string())]), _of_lessons(lesson_rows.chat_row)),
        "sft": Shape(
            pa.schema([("prompt", _TURNS), ("completion", _TURNS), ("id", pa.string())]),
            _of_lessons(lesson_rows.sft_row),
        ),
        "hub": Shape(
            pa.schema([*_COLUMNS, ("prompt", _TURNS), ("completion", _TURNS)]), _of_lessons(lesson_rows.hub_row)
        ),
    },
    "problems": _both(arrow_schema("problems"), _plain(_problems)),
    "preferences": {
        "dpo": Shape(
            pa.schema(
                [
                    *((side, _TURNS) for side in ("prompt", "chosen", "rejected")),
                    *((f"{side}_finished", pa.bool_()) for side in ("chosen", "rejected")),
                ]
            ),
            lambda stages, number: paired_rows(_preferences(stages, number)),
        ),
        "kto": Shape(
            pa.schema([("prompt", _TURNS), ("completion", _TURNS), ("label", pa.bool_()), ("finished", pa.bool_())]),
            lambda stages, number: unpaired_rows(lambda: _preferences(stages, number)),
        ),
        **_both(arrow_schema("preferences"), _plain(_preferences)),
    },
    "attempts": _both(_ATTEMPTS, _attempts),
}
"""What → form → shape; the first form is the default. `student` is no table: see `student`."""
