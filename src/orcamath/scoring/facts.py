"""What an evaluation says of a benchmark: shares right with their intervals and prices, working shown, scores by level.

Written by the stages `evaluate` and `verifier`, read by the report and the terminal. The keys in a manifest are the fields'
names, but for `pass`, which is a word of Python.
"""

from typing import Literal, Self

from pydantic import Field

from orcamath.intervals import Interval
from orcamath.store.facts import Fact, Facts

__all__ = ["SEVERAL", "BenchmarkFacts", "EvaluateFacts", "LevelShare", "PricedShare", "Several", "Share", "Working"]

Several = Literal["maj", "pass", "verifier"]
SEVERAL: tuple[Several, ...] = ("maj", "pass", "verifier")
"""Scores that take several model calls an answer."""


class Share(Fact):
    """A share of the answers, with its 95 % interval."""

    score: float = 0.0
    low: float | None = None
    high: float | None = None
    """None for a mean over seeds: an interval is no mean of intervals."""

    @classmethod
    def within(cls, share: Interval) -> Self:
        """Return an interval's share."""
        return cls(score=share.point, low=share.low, high=share.high)

    @property
    def interval(self) -> Interval | None:
        """The interval, where there is one."""
        return None if self.low is None or self.high is None else Interval(self.score, self.low, self.high)


class PricedShare(Share):
    """A score that takes several calls an answer, beside its price."""

    calls_per_answer: int = 0
    tokens_per_answer: float = 0.0

    @classmethod
    def at(cls, share: Interval, *, calls: int, tokens: float) -> Self:
        """Return an interval's share at its price."""
        return cls(score=share.point, low=share.low, high=share.high, calls_per_answer=calls, tokens_per_answer=tokens)


class Working(Fact):
    """How many answers show their working, and how many are right among these and among the others; None where there are none."""

    share: float | None = None
    right_when_worked: float | None = None
    right_when_bare: float | None = None


class LevelShare(Share):
    """Greedy answers right on the problems of one level."""

    n: int = 0
    sampled: float | None = None
    """Share of the sampled answers right, where there are some."""
    working: Working | None = None
    sampled_working: Working | None = None


class BenchmarkFacts(Share):
    """One model on one benchmark; the share itself is of greedy answers that the judge calls right."""

    n: int = 0
    correct: int = 0
    unjudged: int = 0
    strict: Share | None = None
    flexible: Share | None = None
    """The same answers matched as strings (see `evaluate.scores`)."""
    truncated: float | None = None
    """Share of the answers cut off by the token limit."""
    tokens_per_answer: float | None = None
    calls_per_answer: int = 1
    working: Working | None = None
    n_sampled: int = 0
    """Problems that were sampled; 0 where none were, or where an earlier version measured."""
    sampled_working: Working | None = None
    levels: dict[str, LevelShare] = Field({})
    tokens_per_sample: float | None = None
    maj: dict[str, PricedShare] = Field({})
    """k → majority votes."""
    passed: dict[str, PricedShare] = Field({}, alias="pass")
    """k → pass@k."""
    verifier: dict[str, PricedShare] = Field({})
    """k → verifier@k, where a verifier was asked."""

    def several(self, kind: Several) -> dict[str, PricedShare]:
        """Return k → the score of that kind; empty where it was not measured."""
        return {"maj": self.maj, "pass": self.passed, "verifier": self.verifier}[kind]


class EvaluateFacts(Facts):
    """What an evaluation says of itself."""

    benchmarks: dict[str, BenchmarkFacts] = Field({})
    samples: int = 1
    temperature: float = 0.0
    max_new_tokens: int | None = None
    judge_calls: int = 0

    def tokens(self) -> dict[str, int]:
        """Return the tokens that were counted; those of greedy answers under `n_generated_tokens`."""
        answered = sum(b.n * (b.tokens_per_answer or 0.0) for b in self.benchmarks.values())
        return {**super().tokens(), **({"n_generated_tokens": round(answered)} if self.benchmarks else {})}
