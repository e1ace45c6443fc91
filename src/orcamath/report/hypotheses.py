"""A recipe's hypotheses, decided by the rule that it wrote down beforehand (`hypotheses:`).

In: the rule, the students with their answers, the benchmark's problems. Out: one `Settled` a hypothesis and benchmark.

The rule. A difference is taken seed by seed over the same problems, at most `max_of_a_family` of a family. Its interval resamples
families and seeds, crossed. What claims superiority is tested two-sided and together, by Holm: `holds` where the interval at the
hypothesis's own level lies above 0 and all with a smaller p do as well, `reversed` where it lies below, else `undecided`. What
claims "not worse" or "inside" is read off the plain interval: `holds` where it lies within the margin, `fails` where it lies
outside, else `undecided`. Whatever has fewer seeds than it asks for, or a level with too few families, stays `undecided`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from orcamath.intervals import Crossed, crossed_difference, holm_levels
from orcamath.recipe_settings import HypothesesSettings, Hypothesis
from orcamath.records import Problem
from orcamath.report.rows import Student

__all__ = ["Settled", "settled_hypotheses"]

Decision = Literal["holds", "reversed", "fails", "undecided"]


class Settled(NamedTuple):
    """A hypothesis and what became of it. Differences in points, student − against."""

    id: str
    statement: str
    verdict: Decision
    difference: float
    low: float
    high: float
    """At the hypothesis's own level: after Holm for what claims superiority."""
    unadjusted: tuple[float, float]
    n: int
    structures: int
    """Families of problems that were resampled."""
    seeds: int
    smallest_visible: float
    """The difference that this test would have seen four times in five."""
    kind: str
    margin: float
    measure: str
    mechanism: str
    benchmark: str
    why: str
    """What keeps it undecided besides its interval."""


class _Compared(NamedTuple):
    hypothesis: Hypothesis
    crossed: Crossed
    n: int
    missing: str

    @property
    def p(self) -> float:
        """Of its test; 1 where it may not be decided, so that it takes nothing from the others but its place among them."""
        return 1.0 if self.missing else self.crossed.p


def settled_hypotheses(
    rule: HypothesesSettings, students: Sequence[Student], problems: Iterable[Problem]
) -> list[Settled]:
    """Decide every hypothesis whose two students are there, in the recipe's order."""
    by_benchmark: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_benchmark[problem.source].append(problem)
    found: list[Settled] = []
    for benchmark, posed in by_benchmark.items():
        counted = _counted(posed, rule.max_of_a_family)
        compared = [c for h in rule.test if (c := _compare(h, rule, students, benchmark, counted)) is not None]
        found += _decided(compared, rule.confidence, benchmark)
    return found


def _counted(problems: Sequence[Problem], most: int) -> list[Problem]:
    taken: Counter[str] = Counter()
    out = []
    for problem in problems:
        name = problem.family or problem.id
        taken[name] += 1
        if taken[name] <= most:
            out.append(problem)
    return out


def _lacking(problems: Sequence[Problem], wanted: Mapping[str, int]) -> str:
    families: dict[str | None, set[str]] = defaultdict(set)
    for problem in problems:
        families[problem.level].add(problem.family or problem.id)
    few = [
        f"{level}: {len(families[level])} families of {n}" for level, n in wanted.items() if len(families[level]) < n
    ]
    return "; ".join(few)


def _compare(
    hypothesis: Hypothesis,
    rule: HypothesesSettings,
    students: Sequence[Student],
    benchmark: str,
    problems: Sequence[Problem],
) -> _Compared | None:
    one, two = (
        _scores(students, name, benchmark, hypothesis.measure) for name in (hypothesis.against, hypothesis.student)
    )
    seeds = [seed for seed in one if seed in two]
    shared = [p for p in problems if all(p.id in side[seed] for side in (one, two) for seed in seeds)]
    if not seeds or not shared:
        return None
    first, second = ([[side[seed][p.id] for p in shared] for seed in seeds] for side in (one, two))
    crossed = crossed_difference(first, second, [p.family or p.id for p in shared])
    few = f"{len(seeds)} seeds of {hypothesis.min_seeds}" if len(seeds) < hypothesis.min_seeds else ""
    return _Compared(
        hypothesis, crossed, len(shared), "; ".join(x for x in (few, _lacking(shared, rule.min_families)) if x)
    )


def _scores(
    students: Sequence[Student], name: str, benchmark: str, measure: str
) -> dict[int | None, Mapping[str, float]]:
    """Return seed → problem → score of the student called `ARM/M2` (`M1`: the base recipe's own)."""
    arm, _, model = name.rpartition("/")
    own = [s for s in students if (s.arm, s.name) == (arm, model)]
    if not own and any(s.arm == arm for s in students):  # an arm that shares the base's M1 brings none of its own
        own = [s for s in students if (s.arm, s.name) == ("", model) and s.iteration <= 1]
    if measure == "sampled":
        return {s.seed: s.sampled[benchmark] for s in own if benchmark in s.sampled}
    right = ((s.seed, s.answers.get(benchmark, {})) for s in own)
    return {seed: {p: float(a.outcome == "agrees") for p, a in answers.items()} for seed, answers in right if answers}


def _decided(compared: Sequence[_Compared], confidence: float, benchmark: str) -> list[Settled]:
    superior = [c for c in compared if c.hypothesis.kind == "superior"]
    levels = dict(zip(map(id, superior), holm_levels([c.p for c in superior], confidence), strict=True))
    # Holm stops at the first that is not shown: those with a larger p are not shown either
    shown: set[int] = set()
    for c in sorted(superior, key=lambda c: c.p):
        if c.missing or not c.crossed.interval(levels[id(c)]).excludes_zero:
            break
        shown.add(id(c))
    return [_settled(c, levels.get(id(c), confidence), confidence, benchmark, id(c) in shown) for c in compared]


def _settled(compared: _Compared, level: float, confidence: float, benchmark: str, shown: bool) -> Settled:
    h, crossed = compared.hypothesis, compared.crossed
    point, low, high = (100 * x for x in crossed.interval(level))
    plain = crossed.interval(confidence)
    if compared.missing:
        verdict: Decision = "undecided"
    elif h.kind == "superior":
        verdict = ("holds" if point > 0 else "reversed") if shown else "undecided"
    else:
        verdict = _within(low, high, h.margin, h.kind == "inside")
    return Settled(
        id=h.id,
        statement=h.statement,
        verdict=verdict,
        difference=point,
        low=low,
        high=high,
        unadjusted=(100 * plain.low, 100 * plain.high),
        n=compared.n,
        structures=crossed.families,
        seeds=crossed.seeds,
        smallest_visible=100 * crossed.smallest_visible(level),
        kind=h.kind,
        margin=h.margin,
        measure=h.measure,
        mechanism=h.mechanism,
        benchmark=benchmark,
        why=compared.missing,
    )


def _within(low: float, high: float, margin: float, both_sides: bool) -> Decision:
    if low > -margin and (high < margin or not both_sides):
        return "holds"
    return "fails" if high < -margin or (both_sides and low > margin) else "undecided"
