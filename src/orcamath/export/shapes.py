"""What can be exported in which form: one table. A form is a schema and a function from a run's stages to rows.

In → a run's stages by label (`gate`, `practice 2`, …); out → rows, streamed, in the order of the sealed tables.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa

from orcamath.errors import UsageError
from orcamath.export import lessons as lesson_rows
from orcamath.export.pairs import paired_rows, unpaired_rows
from orcamath.preferences import with_exercises
from orcamath.records import Attempt, Exercise, Lesson, Preference, Problem, Record, Verdict
from orcamath.store.artifacts import Artifact
from orcamath.store.stage import StageLabel
from orcamath.store.tables import arrow_schema

__all__ = ["FOLDERS", "SHAPES", "Shape", "Stages", "last_round"]

Stages = Mapping[str, Artifact]
"""Label → sealed artifact, in the order the stages were made."""
_TABLES = ("problems", "lessons", "attempts", "verdicts", "rollouts", "preferences")
"""What is told of a run that lacks something."""
FOLDERS = ("hub",)
"""Forms that are a folder: Parquet and a data card."""


class Shape(NamedTuple):
    """One form of one thing."""

    schema: pa.Schema
    rows: Callable[[Stages, int | None], Iterator[dict[str, object]]]
    """(stages, round of practice or None for the last) → rows. Raises UsageError where the run has no such thing."""


def last_round(stages: Stages, stage: str, wanted: int | None) -> int:
    """Return the round asked for, or the last one there is. Raises UsageError naming those there are."""
    rounds = _by_round(stages, stage)
    if not rounds:
        raise _missing(stages, f"stage `{stage}`")
    if wanted is None:
        return max(rounds)
    if wanted not in rounds:
        raise UsageError(f"there is no round {wanted} of `{stage}`; known: {', '.join(str(r) for r in sorted(rounds))}")
    return wanted


def _by_round(stages: Stages, stage: str) -> dict[int, Artifact]:
    """Return round → what a stage made in it; the first one that bears no number is of round 1."""
    found = {}
    for label, artifact in stages.items():
        of = StageLabel.read(label)
        if of.name == stage and (of.whole or not of.which):
            found[of.round or 1] = artifact
    return found


def _reached(stages: Stages, wanted: int | None) -> None:
    """Raise UsageError for a round that the run (or arm) has not come to."""
    last = max([1, *(StageLabel.read(label).round or 1 for label in stages)])
    if wanted is not None and wanted > last:
        raise UsageError(f"there is no round {wanted}; this run (or arm) has come to round {last}")


def _missing(stages: Stages, what: str) -> UsageError:
    """Say what a run lacks, and what it has."""
    own = [(label, made) for label, made in stages.items() if label not in ("benchmarks", "unseen")]
    held = {table: label for label, made in own for table in _TABLES if table != what and made.has(table)}
    has = ", ".join(f"{table} (`{label}`)" for table, label in held.items())
    return UsageError(
        f"this run (or arm) has no {what} yet{f', but {has}' if has else ''}; `orcamath status` says how far it is, --arm names "
        f"an arm"
    )


def _lessons(stages: Stages, number: int | None) -> Iterator[Lesson]:
    """Read what the student of an iteration learned from: rounds that grow have a gate of their own behind the first."""
    _reached(stages, number)
    gates = _by_round(stages, "gate")
    gated = [gates[n] for n in sorted(gates, reverse=True) if number is None or n <= number]
    ungated = [stages[label] for label in ("review", "teach", "lessons") if label in stages]
    for made in (*gated, *ungated):
        if made.has("lessons"):
            return made.read(Lesson)
    raise _missing(stages, "lessons")


def _problems(stages: Stages, number: int | None) -> Iterator[Problem]:
    """Read what there was to teach up to a round: rounds that grow collect their own, beside those of the first."""
    _reached(stages, number)
    collected = _by_round(stages, "collect")
    begun = [stages[label] for label in ("problems", "seeds") if label in stages][:1] if 1 not in collected else []
    parts = [*begun, *(collected[n] for n in sorted(collected) if number is None or n <= number)]
    if not parts:
        raise _missing(stages, "problems")
    return _each_once(problem for part in parts for problem in part.read(Problem))


def _each_once(problems: Iterable[Problem]) -> Iterator[Problem]:
    seen = set[str]()
    for problem in problems:
        if problem.id not in seen:
            seen.add(problem.id)
            yield problem


def _preferences(stages: Stages, number: int | None) -> Iterator[Preference]:
    return stages[f"preferences {last_round(stages, 'preferences', number)}"].read(Preference)


def _attempts(stages: Stages, number: int | None) -> Iterator[dict[str, object]]:
    """Yield every sample with what it was held against and what was said of it; verdicts are in the attempts' order."""
    if "verdicts" in stages:  # the user's own answers: they stand for the first round of practice
        stages = {**stages, "practice 2": stages["verdicts"], "judge 2": stages["verdicts"]}
    n = last_round(stages, "judge", number)
    practised = stages.get(f"reask {n}", stages[f"practice {n}"])
    judged = stages.get(f"reask {n}", stages[f"judge {n}"])
    attempts = with_exercises(practised.read(Exercise), practised.read(Attempt))
    for (exercise, attempt), verdict in zip(attempts, judged.read(Verdict), strict=True):
        yield {
            "id": attempt.id,
            "problem_id": attempt.problem_id,
            "question": exercise.question,
            "options": list(exercise.options),
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
    "options",
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
_UNLIKE = {"draw": pa.int64(), "options": pa.list_(pa.string())}
_ATTEMPTS = pa.schema([(name, _UNLIKE.get(name, pa.string())) for name in _ATTEMPT_COLUMNS])


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
