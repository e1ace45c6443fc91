"""Stage `readiness`: is there something for practice to find? Told on problems held apart for choosing, before any is paid for.

Practice pays where a student gets right some of the time what it gets wrong at its first word, and where more of the lessons
would bring nothing more. In: M1 measured, greedily and by samples, and where asked for M1 taught once more. Out: how far the
samples reach beyond the greedy answers, what the lessons still bring, and a verdict.
"""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Literal

from pydantic import Field, model_validator

from orcamath.errors import DataError
from orcamath.intervals import Interval, paired
from orcamath.records import Scored, Settings, outside_digest
from orcamath.stages.evaluate import EvaluateSettings
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.stage import stage
from orcamath.student.settings import SftSettings

__all__ = ["ReadinessFacts", "ReadinessSettings", "readiness"]


class ReadinessSettings(Settings):
    """Where to look, and how much practice must find there."""

    evaluate: EvaluateSettings
    """On which benchmarks, which no table should show, and by how many samples (two at least). What it leaves out is the section
    `evaluate`'s."""
    reach: float = Field(default=15.0, ge=0, le=100)
    """Points by which pass@k must be above the greedy answers."""
    more_sft: SftSettings | None = None
    """Teach M1 the same lessons once more, and see what that brings; what it leaves out is the section `imitate`'s."""
    flat: float = Field(default=1.0, ge=0, le=100)
    """Points that it may bring: while lessons bring more, they are the cheaper way."""
    policy: Literal["report", "stop"] = outside_digest("report")
    """`stop`: end the run (exit code 4) where practice is not ready."""

    @model_validator(mode="after")
    def _sampled_and_apart(self) -> "ReadinessSettings":
        if self.evaluate.samples < 2:
            raise ValueError("evaluate.samples must be 2 or more: what samples reach is what is looked for")
        if not self.evaluate.benchmarks:
            raise ValueError("evaluate.benchmarks names the sets to choose by, such as [dev]; not those of your table")
        return self


class ReadinessFacts(Facts):
    """What was found. Shares and differences are of 1."""

    n: int = 0
    """Problems that were sampled."""
    k: int = 0
    """Samples a problem."""
    greedy: float = 0.0
    reach: Interval | None = None
    """pass@k less greedy, with its 95 % interval (Newcombe 1998, method 10)."""
    gained: Interval | None = None
    """By being taught once more, greedily; None where nobody asked."""
    ready: bool = True


@stage("readiness", version=1, settings=ReadinessSettings, facts=ReadinessFacts)
def readiness(out: Output, settings: ReadinessSettings, measured: Sequence[Artifact]) -> ReadinessFacts:
    """Hold the first evaluation's samples against its greedy answers, and the second's greedy answers against them.

    Writes no table. `measured`: M1, and M1 taught once more where the settings say so. Raises DataError without problems.
    """
    out.progress.begin("readiness", None)
    right = [_right(scored) for scored in measured]
    first, families = right[0], {(r.benchmark, r.problem_id): r.family for r in measured[0].read(Scored)}
    _refuse_none(first, settings)
    sampled = {name: draws for name, draws in first.items() if len(draws) > 1}
    greedy = [draws[0] for draws in sampled.values()]
    reached = [any(draws[1:]) for draws in sampled.values()]
    reach = paired(greedy, reached, families=[families[name] for name in sampled]).difference
    gained = None
    if len(right) > 1:
        before, after = ([of[name][0] for name in first] for of in right[:2])
        gained = paired(before, after, families=[families[name] for name in first]).difference
    out.progress.end()
    k = settings.evaluate.samples
    warnings = []
    if 100 * reach.point < settings.reach:
        warnings.append(
            f"of {len(sampled)} problems one of {k} samples is right for {_points(reach)} points more than greedily, which is "
            f"less than readiness.reach: {settings.reach:g}; practice will find little: teach other lessons, or a larger student"
        )
    if gained is not None and 100 * gained.point > settings.flat:
        warnings.append(
            f"being taught once more brings {_points(gained)} points of {len(first)} problems, which is more than "
            f"readiness.flat: {settings.flat:g}; raise imitate.epochs first"
        )
    return ReadinessFacts(
        n=len(sampled),
        k=k,
        greedy=sum(greedy) / len(greedy),
        reach=reach,
        gained=gained,
        ready=not warnings,
        warnings=tuple(warnings),
    )


def _right(scored: Artifact) -> dict[tuple[str, str], list[bool]]:
    """Return for each problem which of its answers are right, the greedy one first."""
    rows = scored.read(Scored)
    found = groupby(rows, key=lambda row: (row.benchmark, row.problem_id))
    return {name: [row.outcome == "agrees" for row in group] for name, group in found}


def _refuse_none(first: Collection[object], settings: ReadinessSettings) -> None:
    if not first:
        names = ", ".join(f"`{name}`" for name in settings.evaluate.benchmarks)
        raise DataError(
            f"no problem of {names} is left to see by whether practice is ready: all were trained on (`unseen`)"
        )


def _points(difference: Interval) -> str:
    return f"{100 * difference.point:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
