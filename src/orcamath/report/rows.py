"""The rows of the score tables: one student on one benchmark, averaged over the seeds it was trained with.

In: students with their judged answers. Out: rows with a score and its interval, held against M1 and against the control that
saw as many tokens, on the same held-out problems. One seed: Wilson's interval, Newcombe's for the paired difference, McNemar's
p. Several: seeds are averaged within each problem, then problems are bootstrapped; seeds are never pooled as problems. Where
problems share families (fillings of one template), these are what is independent.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from orcamath.intervals import Interval, Paired, bootstrap, bootstrap_difference, families_among, paired, share
from orcamath.records import Scored
from orcamath.report.training import Method, training_of
from orcamath.scoring.facts import BenchmarkFacts

__all__ = ["Contrast", "ResultRow", "Student", "contrast", "score_table"]


class Student(NamedTuple):
    """One trained student and its greedy answers."""

    arm: str
    seed: int | None
    name: str
    """M0 (the base), M1, M2, …"""
    iteration: int
    trained_tokens: int
    recipe: Mapping[str, object]
    answers: Mapping[str, Mapping[str, Scored]]
    """Benchmark → problem → answer."""
    measures: Mapping[str, BenchmarkFacts]
    """Benchmark → what the evaluation says of it besides."""
    sampled: Mapping[str, Mapping[str, float]] = {}
    """Benchmark → problem → share of the sampled answers that are right; empty where none were sampled."""


class Contrast(NamedTuple):
    """A row held against another one."""

    against: str
    result: Paired | None
    """Of one student against one; None where several seeds are averaged."""
    averaged: Interval | None = None
    """The bootstrapped difference, where several seeds are averaged."""

    @property
    def difference(self) -> Interval:
        """Share right, this row minus the other."""
        return self.result.difference if self.result is not None else self.averaged or Interval(0.0, 0.0, 0.0)


class ResultRow(NamedTuple):
    """One student on one benchmark. Where it was trained with several seeds, counts are means over these, rounded."""

    arm: str
    model: str
    iteration: int
    benchmark: str
    n: int
    """Problems, whatever the number of seeds."""
    families: int
    """How many families these belong to; `n` where each stands alone."""
    right: int
    score: Interval
    unjudged: int
    cut_off: int
    """Answers that ran into the token limit."""
    trained_tokens: int
    contrasts: tuple[Contrast, ...]
    training: Method
    """How its last iteration was trained."""
    measures: BenchmarkFacts
    """What the evaluation said of this benchmark besides: string matches, tokens an answer, maj@k and pass@k."""
    seeds: dict[str, float]
    """Seed → share right; empty where it was trained once."""
    recovered: float | None = None
    """Of the way from its M1 to the unspoilt arm's, the share it has come; None where the recipe names no such arm."""

    @property
    def name(self) -> str:
        """The arm it belongs to, or what it is where the run has no arms."""
        early = {0: "the base, untrained", 1: "imitate the teacher"}
        return self.arm or early.get(self.iteration) or self.training.method or "the recipe"


Group = list[Student]
"""The same student, once a seed."""


def score_table(students: Sequence[Student]) -> Iterator[ResultRow]:
    """Yield the rows in the students' order, benchmark by benchmark."""
    groups: dict[tuple[str, str], Group] = {}
    for student in students:
        groups.setdefault((student.arm, student.name), []).append(student)
    controls = list(dict.fromkeys(s.arm for s in students if s.arm and s.recipe.get("match_tokens_of")))
    for (arm, name), group in groups.items():
        firsts = [(m, groups.get(("", m), [])) for m in ("M0", "M1")]
        others = [*firsts, *((c, groups.get((c, name), [])) for c in controls if c != arm)]
        for benchmark in dict.fromkeys(b for s in group for b in s.answers):
            measured = [s for s in group if benchmark in s.answers]
            if not _shared(measured, benchmark):
                continue  # seeds that were measured on other problems each
            against = [(other, found) for other, found in others if found and found is not group]
            made = _row(measured, benchmark, against)
            yield made._replace(recovered=_recovered(made, groups))


def _row(group: Group, benchmark: str, others: Sequence[tuple[str, Group]]) -> ResultRow:
    first, several = group[0], len(group) > 1
    problems = _shared(group, benchmark)
    table, families = _table(group, benchmark, problems), _families(first, benchmark, problems)
    n, right = len(table[0]), [sum(row) for row in table]
    answers = [list(s.answers[benchmark].values()) for s in group]
    contrasts = (contrast(name, found, group, benchmark) for name, found in others)
    return ResultRow(
        arm=first.arm,
        model=first.name,
        iteration=first.iteration,
        benchmark=benchmark,
        n=n,
        families=families_among(families),
        right=_mean(right),
        score=bootstrap(table, families=families).interval if several else share(table[0], families),
        unjudged=_mean([sum(a.outcome == "unjudged" for a in given) for given in answers]),
        cut_off=_mean([sum(a.finish_reason == "length" for a in given) for given in answers]),
        trained_tokens=_mean([s.trained_tokens for s in group]),
        contrasts=tuple(c for c in contrasts if c is not None),
        training=training_of(first.recipe, first.iteration),
        measures=_averaged([s.measures.get(benchmark, _NOTHING) for s in group])
        if several
        else first.measures.get(benchmark, _NOTHING),
        seeds={str(s.seed): sum(row) / n for s, row in zip(group, table, strict=True)} if several else {},
    )


def _recovered(row: ResultRow, groups: Mapping[tuple[str, str], Group]) -> float | None:
    """Return (score − M1) / (unspoilt M1 − M1) of a student that practised; None where that gap may not be there."""
    own = groups.get((row.arm, "M1")) or groups.get(("", "M1"))
    named = own[0].recipe.get("unspoilt") if own else None
    unspoilt = groups.get((str(named), "M1"))
    if not own or not unspoilt or row.arm == named or row.iteration < 2:
        return None
    start, whole = (_right(g, row.benchmark) for g in (own, unspoilt))
    gap = contrast("", own, unspoilt, row.benchmark)
    if start is None or whole is None or gap is None or gap.difference.low <= 0:
        return None
    return (row.score.point - start) / (whole - start)


def _right(group: Group, benchmark: str) -> float | None:
    """Return the share of a benchmark's problems that are right; None where the student was not measured on it."""
    measured = [s for s in group if s.answers.get(benchmark)]
    if not measured:
        return None
    table = _table(measured, benchmark, _shared(measured, benchmark))
    return sum(map(sum, table)) / sum(map(len, table))


def contrast(name: str, first: Group, second: Group, benchmark: str) -> Contrast | None:
    """Compare seed by seed where both have the same seeds; None where they share no problem."""
    seeds = {s.seed for s in first} & {s.seed for s in second}
    one = [s for s in first if s.seed in seeds and benchmark in s.answers]
    two = [s for s in second if s.seed in seeds and benchmark in s.answers]
    problems = _shared([*one, *two], benchmark)
    if not one or not two or not problems:
        return None
    before, after = _table(one, benchmark, problems), _table(two, benchmark, problems)
    families = _families(one[0], benchmark, problems)
    if len(before) == len(after) == 1:
        return Contrast(name, paired(before[0], after[0], families=families))
    return Contrast(name, None, bootstrap_difference(before, after, families=families))


def _shared(group: Group, benchmark: str) -> list[str]:
    """Return the problems that all of them answered, in the first one's order."""
    if not group:
        return []
    first, *others = (s.answers[benchmark] for s in group)
    return [problem for problem in first if all(problem in answers for answers in others)]


def _table(group: Group, benchmark: str, problems: Sequence[str]) -> list[list[bool]]:
    """Return seeds × problems, True where the answer is right."""
    return [[s.answers[benchmark][p].outcome == "agrees" for p in problems] for s in group]


def _families(student: Student, benchmark: str, problems: Sequence[str]) -> list[str | None]:
    return [student.answers[benchmark][p].family for p in problems]


def _mean(counts: Sequence[int]) -> int:
    return round(sum(counts) / len(counts))


_NOTHING = BenchmarkFacts()


def _averaged(found: Sequence[BenchmarkFacts]) -> BenchmarkFacts:
    return BenchmarkFacts.of(_means([f.plain() for f in found]))


def _means(found: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Average figures over seeds (counts rounded), and leave out the limits: an interval is no mean of intervals."""
    means: dict[str, object] = {}
    for key in [k for k in found[0] if k not in {"low", "high"} and all(k in other for other in found)]:
        values = [other[key] for other in found]
        parts = [v for v in values if isinstance(v, Mapping)]
        counts = [v for v in values if isinstance(v, int)]
        figures = [v for v in values if isinstance(v, int | float)]
        if len(parts) == len(found):
            means[key] = _means(parts)
        elif len(counts) == len(found):
            means[key] = _mean(counts)
        elif len(figures) == len(found):
            means[key] = sum(figures) / len(figures) if len(set(figures)) > 1 else figures[0]
    return means
