"""Stages `practice N.1`, `judge N.1`, `practice N.2`, …: samples in spells, until a problem has a right and a wrong answer.

The first spell samples every problem `samples` times; each later one only those whose judged samples are all alike, `more` times,
up to `alike` of them. Every spell is a fill and a fold of its own: what is asked next depends on sealed verdicts only, so it is
the same through any crash. `practice N` and `judge N` put the spells together, problem by problem, in the order of the first.

Deviation: the paper samples every problem four times.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from orcamath.difficulty import Until, settled
from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Pose
from orcamath.preferences import Judged
from orcamath.records import Attempt, Exercise, Verdict
from orcamath.stages.aiming import Round
from orcamath.stages.judge import JudgeFacts
from orcamath.stages.practice import PracticeFacts, PracticeSettings, sampled
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage

__all__ = ["judged_together", "practise_more", "practised_together"]


@stage("practice", version=3, settings=PracticeSettings, facts=PracticeFacts)
def practise_more(
    out: Output, settings: PracticeSettings, before: Sequence[Round], student: Remembered, pose: Pose
) -> PracticeFacts:
    """Sample again what the spells `before` left alike; writes its `exercises` and the new `attempts`."""
    until = _until(settings)
    again: list[Exercise] = []
    first_draw = settings.samples + until.more * (len(before) - 1)
    for exercise, judged in _rows(before):
        if not settled(judged, until.alike):
            again.append(exercise)
    draws = range(first_draw, min(first_draw + until.more, until.alike))
    return sampled(out, settings, again, draws, student, pose)


@stage("practice", version=3, settings=PracticeSettings, facts=PracticeFacts)
def practised_together(out: Output, settings: PracticeSettings, spells: Sequence[Round]) -> PracticeFacts:
    """Write all exercises, and each one's attempts of all spells; the facts say what was saved."""
    until, counts = _until(settings), Counter[str]()

    def attempts() -> Iterator[Attempt]:
        for _, judged in _rows(spells):
            outcomes = {j.outcome for j in judged}
            counts["mixed"] += {"agrees", "disagrees"} <= outcomes
            counts["drawn"] += len(judged)
            for found in judged:
                counts["cut off"] += found.attempt.finish_reason == "length"
                out.keep()
                yield found.attempt

    n = out.write("exercises", spells[0].practised.read(Exercise))
    out.write("attempts", attempts())
    tokens = sum(s.practised.said(PracticeFacts).n_sampled_tokens for s in spells)
    return PracticeFacts(
        n_exercises=n,
        n_samples=settings.samples,
        problems=settings.problems,
        label=settings.label,
        n_sampled_tokens=tokens,
        n_cut_off=counts["cut off"],
        first_samples=settings.samples,
        n_drawn=counts["drawn"],
        n_at_most=n * until.alike,
        n_mixed=counts["mixed"],
    )


@stage("judge", version=1, settings=JudgeSettings, facts=JudgeFacts)
def judged_together(out: Output, settings: JudgeSettings, practised: Artifact, spells: Sequence[Round]) -> JudgeFacts:
    """Write the verdicts of all spells in the order of the attempts put together."""
    del settings, practised  # they are part of the stage's name
    parts = [s.verdicts.said(JudgeFacts) for s in spells]

    def verdicts() -> Iterator[Verdict]:
        heads = [s.verdicts.read(Verdict) for s in spells]
        ahead = [next(h, None) for h in heads]
        for exercise in spells[0].practised.read(Exercise):
            for i, head in enumerate(heads):
                while (verdict := ahead[i]) is not None and verdict.problem_id == exercise.problem_id:
                    out.keep()
                    yield verdict
                    ahead[i] = next(head, None)

    out.write("verdicts", verdicts())
    return JudgeFacts(
        outcomes=_sum(p.outcomes for p in parts),
        reasons=_sum(p.reasons for p in parts),
        by=_sum(p.by for p in parts),
        model_calls=sum(p.model_calls for p in parts),
    )


def _sum(parts: Iterator[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(sorted(total.items()))


def _until(settings: PracticeSettings) -> Until:
    assert settings.until is not None, "only what is sampled in spells is put together"
    return settings.until


def _rows(spells: Sequence[Round]) -> Iterator[tuple[Exercise, list[Judged]]]:
    """Yield every exercise of the first spell with its judged samples of all; a later spell has some of them, in that order."""
    later = [s.rows() for s in spells[1:]]
    ahead = [next(rows, None) for rows in later]
    for exercise, judged in spells[0].rows():
        more = []
        for i, rows in enumerate(later):
            if (head := ahead[i]) is not None and head[0].problem_id == exercise.problem_id:
                more.append(head[1])
                ahead[i] = next(rows, None)
        yield exercise, list(chain(judged, *more))
