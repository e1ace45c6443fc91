"""What is counted of one benchmark while its judged answers go by, and the shares that it comes to.

In: problems with all of their answers. Out: `BenchmarkFacts`: greedy score, string matches, cut-off, working, maj@k, pass@k, by
level; each share with its interval, for which the problems of one family count as what they are worth (`intervals.share`).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from orcamath.answers import worked
from orcamath.intervals import Interval, share
from orcamath.records import Problem, Scored
from orcamath.scoring.facts import BenchmarkFacts, LevelShare, PricedShare, Share, Working
from orcamath.scoring.scores import Sample, flexible, majority, pass_at_k, sizes, strict

__all__ = ["BenchmarkTally"]


@dataclass
class BenchmarkTally:
    """What is counted of one benchmark while its answers go by: a problem with all of its own, or not at all."""

    counts: Counter[str] = field(default_factory=Counter)
    outcomes: "dict[str, list[bool]]" = field(default_factory=lambda: defaultdict(list))
    """Measure → whether each problem came out so."""
    families: "dict[str, list[str | None]]" = field(default_factory=lambda: defaultdict(list))
    """Measure → those problems' families."""
    right_of_samples: list[int] = field(default_factory=list)
    """Right sampled answers a problem."""
    working: "Counter[tuple[str | None, bool, bool, bool]]" = field(default_factory=Counter)
    """(level, sampled, shows its working, right) → answers."""

    def _count(self, name: str, problem: Problem, so: bool) -> None:
        self.outcomes[name].append(so)
        self.families[name].append(problem.family)

    def _share(self, name: str) -> Interval:
        return share(self.outcomes[name], self.families[name])

    def add(self, problem: Problem, rows: Sequence[Scored]) -> None:
        """Count a problem with all of its answers."""
        counts, gold = self.counts, problem.answer or ""
        for row in rows:
            right = row.outcome == "agrees"
            self.working[problem.level, row.draw > 0, worked(row.text), right] += 1
            if row.draw > 0:
                counts["sampled"] += 1
                counts["sampled_tokens"] += row.n_tokens or 0
                counts["sampled_told"] += row.n_tokens is not None
            else:
                counts["n"] += 1
                counts["tokens"] += row.n_tokens or 0
                counts["told"] += row.n_tokens is not None
                counts["truncated"] += row.finish_reason == "length"
                counts["unjudged"] += row.outcome == "unjudged"
                self._count("correct", problem, right)
                self._count("strict", problem, strict(row.text, gold))
                self._count("flexible", problem, flexible(row.text, gold))
                if problem.level is not None:
                    self._count(f"level {problem.level}", problem, right)
        samples = [Sample(row.final_answer, row.outcome == "agrees") for row in rows if row.draw > 0]
        if samples:
            self.right_of_samples.append(sum(s.right for s in samples))
            for k in sizes(len(samples)):
                voted = majority(samples[:k], problem.answer_kind, problem.question, problem.options)
                self._count(f"maj@{k}", problem, voted)
            self.families["pass"].append(problem.family)

    def facts(self, samples: int) -> BenchmarkFacts:
        """Return what was counted; `samples`: how many a problem that was sampled has."""
        counts, n = self.counts, self.counts["n"]
        right = self._share("correct")
        greedy = BenchmarkFacts(
            n=n,
            correct=sum(self.outcomes["correct"]),
            unjudged=counts["unjudged"],
            score=right.point,
            low=right.low,
            high=right.high,
            strict=Share.within(self._share("strict")),
            flexible=Share.within(self._share("flexible")),
            truncated=counts["truncated"] / n,
            tokens_per_answer=counts["tokens"] / counts["told"] if counts["told"] else None,
            calls_per_answer=1,
            working=self._worked(sampled=False),
        )
        names = sorted({level for level, *_ in self.working if level is not None})
        levels = {"levels": {name: self._of_level(name) for name in names}} if names else {}
        return greedy.model_copy(update=levels | (self._sampled(samples) if self.right_of_samples else {}))

    def _sampled(self, samples: int) -> dict[str, object]:
        """Return the fields that take samples."""
        counts, n = self.counts, len(self.right_of_samples)
        tokens = counts["sampled_tokens"] / max(1, counts["sampled_told"])

        def priced(k: int, share: Interval) -> PricedShare:
            return PricedShare.at(share, calls=k, tokens=k * tokens)

        return {
            "n_sampled": n,
            "sampled_working": self._worked(sampled=True),
            "tokens_per_sample": tokens if counts["sampled_told"] else None,
            "maj": {str(k): priced(k, self._share(f"maj@{k}")) for k in sizes(samples)},
            "passed": {str(k): priced(k, self._passed(samples, k)) for k in sizes(samples)},
        }

    def _of_level(self, name: str) -> LevelShare:
        right, n = self._share(f"level {name}"), self._answers(name)
        greedy = LevelShare(
            n=n, score=right.point, low=right.low, high=right.high, working=self._worked(name, sampled=False)
        )
        if not (answers := self._answers(name, sampled=True)):
            return greedy
        sampled = self._answers(name, sampled=True, right=True) / answers
        return greedy.model_copy(update={"sampled": sampled, "sampled_working": self._worked(name, sampled=True)})

    def _answers(
        self, level: str | None, *, sampled: bool = False, shown: bool | None = None, right: bool | None = None
    ) -> int:
        """Count answers, of every level where none is named."""
        return sum(
            n
            for (at, drawn, worked, agrees), n in self.working.items()
            if level in (None, at) and drawn is sampled and shown in (None, worked) and right in (None, agrees)
        )

    def _worked(self, level: str | None = None, *, sampled: bool) -> Working:
        """Return the share of answers that show their working, and how many are right among these and among the others."""
        worked, bare = (self._answers(level, sampled=sampled, shown=shown) for shown in (True, False))
        right, bare_right = (self._answers(level, sampled=sampled, shown=s, right=True) for s in (True, False))
        return Working(
            share=worked / (worked + bare) if worked + bare else None,
            right_when_worked=right / worked if worked else None,
            right_when_bare=bare_right / bare if bare else None,
        )

    def _passed(self, samples: int, k: int) -> Interval:
        chances = [pass_at_k(samples, right, k) for right in self.right_of_samples]
        return share(chances, self.families["pass"])
