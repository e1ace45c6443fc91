"""Stage `judge`: every attempt is held against its exercise's reference. In: exercises, attempts. Out: verdicts.

Exercises and attempts are read side by side in the order in which practice wrote them, so memory stays flat. An attempt cut
off by the token limit before it stated an answer disagrees; what a judge could not decide is `unjudged` and stays out of the
preferences. Paper, section 3.1 (GPT4-based-Exact-Match); Deviation: rules decide first and a model is asked only where they
are unsure.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import tee

from pydantic import Field

from orcamath.judges.settings import JudgeSettings
from orcamath.ports import Comparison, Judge
from orcamath.preferences import with_exercises
from orcamath.records import Attempt, Exercise, Verdict
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.stage import stage

__all__ = ["JudgeFacts", "JudgeSettings", "comparison", "judge"]


FEW = 5
"""Of fewer replies nothing is said as a whole."""
UNREADABLE = ("verdict_unreadable", "extract_unreadable", "reply_cut_off", "reply_refused")
"""Reasons of a judging model's findings where a reply that came through decides nothing."""


def comparison(exercise: Exercise, attempt: Attempt) -> Comparison:
    """Join an attempt with what it is held against."""
    return Comparison(
        exercise.question,
        exercise.reference,
        attempt.text,
        exercise.answer_kind,
        exercise.options,
        attempt.finish_reason == "stop",
    )


class JudgeFacts(Facts):
    """What judging comes to."""

    outcomes: dict[str, int] = Field({})
    reasons: dict[str, int] = Field({})
    by: dict[str, int] = Field({})
    """Who decided: `rules`, or `model:` and its fingerprint."""
    model_calls: int = 0


@stage("judge", version=1, settings=JudgeSettings, facts=JudgeFacts)
def judge(out: Output, settings: JudgeSettings, practised: Artifact, judge: Judge) -> JudgeFacts:
    """Write one verdict an attempt, in the attempts' order.

    Raises DataError where an attempt belongs to no exercise.
    """
    del settings  # they are part of the stage's name; the judge was made with them
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    deciders: Counter[str] = Counter()
    replies: Counter[str] = Counter()

    def verdicts() -> Iterator[Verdict]:
        joined, again = tee(with_exercises(practised.read(Exercise), practised.read(Attempt)))
        findings = judge(comparison(exercise, attempt) for exercise, attempt in joined)
        for (_, attempt), finding in zip(again, findings, strict=True):
            counts[finding.outcome] += 1
            reasons[finding.reason] += 1
            deciders[finding.by] += 1
            replies[finding.reason] += finding.by.startswith("model:") and finding.reason != "no_reply"
            out.keep()
            out.progress.advance()
            yield Verdict(
                attempt_id=attempt.id,
                problem_id=attempt.problem_id,
                outcome=finding.outcome,
                by=finding.by,
                reason=finding.reason,
            )

    out.progress.begin("judge", practised.count("attempts"))
    out.write("verdicts", verdicts())
    out.progress.end()
    return JudgeFacts(
        outcomes=dict(sorted(counts.items())),
        reasons=dict(sorted(reasons.items())),
        by=dict(sorted(deciders.items())),
        model_calls=out.calls.n,
        **({"warnings": warnings} if (warnings := tuple(_warnings(replies))) else {}),
    )


def _warnings(replies: Counter[str]) -> Iterator[str]:
    """Say where most of what the judge's model wrote was no verdict, and what helps. `replies`: reason → how many."""
    unread = Counter({reason: replies[reason] for reason in UNREADABLE})
    if replies.total() >= FEW and 2 * unread.total() > replies.total():
        ((reason, most),) = unread.most_common(1)
        yield (
            f"{unread.total():,} of {replies.total():,} replies of the judge's model were no verdict, {most:,} as `{reason}`: "
            f"`judge.max_tokens`, `judge.form`, `judge.prompt` or another `judge_model` helps"
        )
