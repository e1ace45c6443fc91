"""Stage `preferences`: right and wrong answers of each practised problem: q+ and q− (paper, section 3.1). No model is asked here.

In: exercises with their attempts, and verdicts. Out: one `Preference` a problem. q+ is the teacher's solution and every
sample that agrees with it, q− every sample that disagrees; a sample nobody could judge is in neither and is counted. Where
q− is empty, one response each of other problems stands in as a synthetic negative. Pairs are q+ × q−.

`teacher_solution` and `decided_by` are ours: the first keeps a teacher's text out of q+ where the student found its own way, the
second puts a rule without verdicts in their place, as a control.

Deviations: equal samples become one response with a multiplicity, so that a student that repeats itself is not trained on
the same text four times (`pairs` counts distinct ones); `max_pairs` caps the pairs of a problem and `max_off_topic_share`
those with a synthetic negative (both are about pairs: losses that take each response once still see all); with the label
`known_answer` an exercise carries a teacher's solution only where that was found right, so q+ may be empty. Such a problem
is kept: a pair loss finds no pair in it, KTO may still use its negatives. From which side of the other problems the paper
takes its synthetic negatives is not published; here it is one right response to them, so that what makes it wrong is the
topic alone.
"""

import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Literal

import orjson
from pydantic import Field

from orcamath.answers import final_answer, same
from orcamath.preferences import (
    DecidedBy,
    Judged,
    Positives,
    Sides,
    TeacherSolution,
    allotted,
    answer_against_teacher,
    capped_pairs,
    decided,
    joined,
    sides,
)
from orcamath.records import Attempt, Exercise, Preference, Rejected, Response, Settings, Verdict, digest
from orcamath.stages.aiming import SpellFacts
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.stage import stage

__all__ = ["PreferFacts", "PreferSettings", "prefer"]

MAX_LISTED = 200
"""How many problems with a doubtful teacher are listed by id in the facts; all of them are counted."""
TRIES = 20  # donors drawn for one synthetic negative before the search is given up


class PreferSettings(Settings):
    """How q+ and q− become preferences."""

    synthetic_negatives: int = Field(default=4, ge=0)
    """How many other problems lend one response each where q− is empty; 0 turns synthetic negatives off (an ablation)."""
    positives: Positives = "all"
    """Which agreeing samples join q+: all, none (`teacher`, the paper's ablation), or those with their working (a control)."""
    teacher_solution: TeacherSolution = "always"
    """Whether the teacher's solution is in q+ always (paper) or only where no sample is. A teacher who was terse is then copied
    only where the student has nothing of its own."""
    decided_by: DecidedBy = "verdict"
    """What makes a sample right. The others are controls that see no verdict: `worked` calls right what shows its working,
    `shuffled` deals a problem's verdicts out anew among its samples."""
    max_pairs: int | None = Field(default=None, ge=1)
    """Pairs of one problem at most, spread evenly over its responses; None for the whole product."""
    max_off_topic_share: float = Field(default=1.0, ge=0, le=1)
    """Share of all pairs whose loser may be a synthetic negative; what is too much is left out evenly over its problems.
    With four right samples of four a problem has 20 such pairs, so without a cap they are most of all pairs."""
    no_positive: Literal["keep", "drop"] = "keep"
    """What becomes of a problem that nobody answered rightly: a pair loss finds no pair in it anyway, KTO would push all of
    its samples down. A weak student has mostly such problems."""
    label_noise: Literal["keep", "drop"] = "keep"
    """What becomes of a problem whose samples all agree with each other against the teacher, who is then probably wrong.
    To ask the teacher again first, see `reask`."""


class PreferFacts(Facts):
    """What could be learnt from."""

    n_problems: int = 0
    agrees: int = 0
    disagrees: int = 0
    unjudged: int = 0
    """Samples by outcome."""
    truncated: int = 0
    all_agree: int = 0
    none_agree: int = 0
    mixed: int = 0
    """Problems by what their samples look like."""
    no_negative: int = 0
    no_positive: int = 0
    """Problems, before synthetic negatives."""
    positives: int = 0
    negatives: int = 0
    synthetic_negatives: int = 0
    """Responses."""
    pairs_possible: int = 0
    pairs: int = 0
    off_topic_pairs: int = 0
    teacher_doubted: int = 0
    """Problems whose samples all agree with each other, against the teacher."""
    teacher_doubted_ids: tuple[str, ...] = ()
    """The first `MAX_LISTED` of them."""


class _Donors:
    """One right response of every problem, on disk; in memory 8 bytes a problem."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b")
        self.starts = array("Q")

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def add(self, exercise: Exercise, found: Sides) -> None:
        self.starts.append(self.file.tell())
        lent = None
        if found.positives:
            lent = found.positives[_number("donor", exercise.problem_id) % len(found.positives)].row()
        self.file.write(orjson.dumps([_yardstick(exercise, found), lent]) + b"\n")

    def lend(self, index: int, exercise: Exercise, mine: str, n: int) -> tuple[Response, ...]:
        """Return one response each of `n` other problems with other answers than `mine`, drawn by the problem's id."""
        tried, lent = {index}, list[Response]()
        for draw in range(TRIES * n):
            if len(lent) == n or len(tried) == len(self.starts):
                break
            donor = _number("off_topic", exercise.problem_id, draw) % len(self.starts)
            if donor in tried:
                continue
            tried.add(donor)
            self.file.seek(self.starts[donor])
            theirs, row = orjson.loads(self.file.readline())
            # a response that happens to end in this problem's own answer would teach against the answer
            if row is not None and theirs and not _answers(exercise, theirs, mine):
                lent.append(Response.of({**row, "origin": "off_topic", "multiplicity": 1}))
        return tuple(lent)


_COUNTED = frozenset(PreferFacts.model_fields) - {
    "n_problems",
    "teacher_doubted",
    "teacher_doubted_ids",
    *Facts.model_fields,
}


def _yardstick(exercise: Exercise, found: Sides) -> str:
    """Return a problem's answer; where none came with it, the one its first right response that has one ends in. Else empty."""
    if exercise.reference:
        return exercise.reference
    ends = (final_answer(r.text, exercise.answer_kind, exercise.question, exercise.options) for r in found.positives)
    return next((end for end in ends if end), "")


def _answers(exercise: Exercise, theirs: str, mine: str) -> bool:
    """Tell whether another problem's answer is this one's, too, however it is spelled."""
    return theirs == mine or same(exercise.answer_kind, theirs, mine, exercise.question, exercise.options) is True


def _with_lent(index: int, exercise: Exercise, found: Sides, donors: "_Donors", n: int, tally: Counter[str]) -> Sides:
    """Put other problems' right answers in q−; none where nobody can tell whether they are this one's."""
    mine = _yardstick(exercise, found)
    tally["unknown_answer"] += not mine
    return Sides(found.positives, donors.lend(index, exercise, mine, n) if mine else ())


def _number(*parts: object) -> int:
    return int(digest(*parts), 16)


@stage("preferences", version=5, settings=PreferSettings, facts=PreferFacts)
def prefer(out: Output, settings: PreferSettings, practised: Artifact, verdicts: Artifact) -> PreferFacts:
    """Write `preferences`, one row a practised problem, in the order of the exercises. Raises DataError (see `joined`).

    Books a problem of which nothing can be learnt as `nothing_judged`, a dropped doubtful one as `label_noise`.
    """
    total, first = practised.count("exercises"), practised.said(SpellFacts).first_samples
    tally, doubtful = Counter[str](), list[str]()

    def problems() -> Iterator[tuple[Exercise, list[Judged]]]:
        for exercise, judged in joined(practised.read(Exercise), practised.read(Attempt), verdicts.read(Verdict)):
            yield exercise, decided(exercise, judged, settings.decided_by)

    def preferences(donors: _Donors, caps: Iterator[int] | None) -> Iterator[Preference]:
        out.progress.begin("preferences", total)
        for index, (exercise, judged) in enumerate(problems()):
            out.progress.advance()
            if answer_against_teacher(exercise, judged) is not None:
                doubtful.append(exercise.problem_id)
                if settings.label_noise == "drop":
                    out.reject(Rejected(item=exercise.problem_id, reason="label_noise", detail=exercise.reference))
                    continue
            inclusion = 1.0 if first is None or len(judged) <= first else first / len(judged)
            found = sides(exercise, judged, settings.positives, settings.teacher_solution, inclusion)
            _count(tally, judged, found)
            cap = settings.max_pairs
            if settings.synthetic_negatives and found.positives and not found.negatives:
                found = _with_lent(index, exercise, found, donors, settings.synthetic_negatives, tally)
                cap = cap if caps is None else next(caps)
            if reason := _unfit(found, settings):
                out.reject(Rejected(item=exercise.problem_id, reason=reason))
            else:
                out.keep()
                yield _preference(exercise, found, cap, tally)
        out.progress.end()

    with closing(_Donors(out.scratch / "donors.jsonl")) as donors:
        for exercise, judged in problems() if settings.synthetic_negatives else ():
            donors.add(exercise, sides(exercise, judged))
        out.write("preferences", preferences(donors, _off_topic_caps(problems(), settings)))
    said = {"n_problems": total, "teacher_doubted": len(doubtful), "teacher_doubted_ids": doubtful[:MAX_LISTED]}
    return PreferFacts.of({name: tally[name] for name in _COUNTED} | said | _unlent(tally["unknown_answer"], total))


def _unlent(n: int, total: int) -> dict[str, object]:
    what = (
        f"{n:,} of {total:,} problems have neither an answer nor a right response that ends in one, so that no other problem "
        f"lends them a wrong response: a column `answer` helps (`start_from.columns`)"
    )
    return {"warnings": (what,)} if n else {}


def _unfit(found: Sides, settings: PreferSettings) -> str | None:
    """Return why nothing can be learnt of a problem, None where something can."""
    if found.positives or (found.negatives and settings.no_positive == "keep"):
        return None
    return "no_positive" if found.negatives else "nothing_judged"


def _off_topic_caps(
    problems: Iterable[tuple[Exercise, list[Judged]]], settings: PreferSettings
) -> Iterator[int] | None:
    """Return how many pairs each problem that needs synthetic negatives may have, in order; None where no share is set."""
    if settings.max_off_topic_share == 1 or not settings.synthetic_negatives:
        return None
    wanted, on_topic = array("L"), 0
    for exercise, judged in problems:
        if settings.label_noise == "drop" and answer_against_teacher(exercise, judged) is not None:
            continue
        found = sides(exercise, judged, settings.positives, settings.teacher_solution)
        n_negatives = len(found.negatives) or settings.synthetic_negatives
        n = min(len(found.positives) * n_negatives, settings.max_pairs or sys.maxsize)
        if found.negatives:
            on_topic += n
        elif found.positives:
            wanted.append(n)
    share = Fraction(settings.max_off_topic_share).limit_denominator(10**6)
    return allotted(wanted, int(on_topic * share / (1 - share)))


def _count(tally: Counter[str], judged: Sequence[Judged], found: Sides) -> None:
    """Count samples by outcome, and problems by what their samples look like; `no_…` is before synthetic negatives."""
    outcomes = Counter(j.outcome for j in judged)
    tally.update(outcomes)
    tally["truncated"] += sum(j.attempt.finish_reason == "length" for j in judged)
    some_agree, some_disagree = outcomes["agrees"] > 0, outcomes["disagrees"] > 0
    tally["mixed"] += some_agree and some_disagree
    tally["all_agree"] += some_agree and not some_disagree
    tally["none_agree"] += some_disagree and not some_agree
    tally["no_negative"] += not found.negatives
    tally["no_positive"] += not found.positives


def _preference(exercise: Exercise, found: Sides, max_pairs: int | None, tally: Counter[str]) -> Preference:
    n_positives, n_negatives = len(found.positives), len(found.negatives)
    pairs = capped_pairs(n_positives, n_negatives, max_pairs)
    tally["positives"] += n_positives
    tally["negatives"] += n_negatives
    tally["pairs_possible"] += n_positives * n_negatives
    n_pairs = n_positives * n_negatives if pairs is None else len(pairs)
    tally["pairs"] += n_pairs
    n_off_topic = sum(r.origin == "off_topic" for r in found.negatives)
    tally["synthetic_negatives"] += n_off_topic
    tally["off_topic_pairs"] += n_pairs if n_off_topic else 0
    return Preference(
        problem_id=exercise.problem_id,
        question=exercise.asked,
        positives=found.positives,
        negatives=found.negatives,
        pairs=pairs,
    )
