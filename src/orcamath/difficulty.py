"""How hard problems are for a student, by its own judged samples of earlier rounds: what is practised next, and why.

In: rounds of practice with their verdicts. Out: a `SampleRecord` a problem (`standings`), and by `place` a word for where it
lies. A problem without samples of its own may take its family's rate: the pooled samples of problems grown out of the same one.
Pure functions.

Deviation: the paper practises on everything in every round.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from orcamath.answers import alike, final_answer
from orcamath.preferences import Judged
from orcamath.records import Exercise, Settings

__all__ = [
    "Aim",
    "Place",
    "Placing",
    "Rate",
    "SampleRecord",
    "Until",
    "common_contradiction",
    "place",
    "pooled",
    "settled",
    "standings",
]

Place = Literal["aimed", "too_easy", "too_hard", "label_contradicted", "unknown"]


class Aim(Settings):
    """Which problems are worth practising: those that a student gets right some of the time."""

    low: float = Field(default=0.2, ge=0, le=1)
    high: float = Field(default=0.8, ge=0, le=1)
    """Share of a problem's judged samples that were right in the latest earlier round that had it, both ends included."""
    families: bool = True
    """Whether a problem that was never practised takes the pooled rate of the problems grown out of the same one."""
    least: int = Field(default=4, ge=1)
    """Judged samples that a rate needs; with fewer it is unknown, and what is unknown is practised after what is aimed at."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> "Aim":
        if self.low > self.high:
            raise ValueError(f"low: {self.low:g} is above high: {self.high:g}, so no problem would be practised")
        return self


class Until(Settings):
    """When a problem has been sampled enough."""

    more: int = Field(default=4, ge=1)
    """Samples of each further spell, for problems whose answers are all alike so far."""
    alike: int = Field(default=16, ge=2)
    """A problem whose answers are all alike is given up after so many."""


class Rate(NamedTuple):
    """How many judged samples were right."""

    right: int = 0
    n: int = 0

    @property
    def share(self) -> float:
        """Share right; 0 where nothing was judged."""
        return self.right / self.n if self.n else 0.0

    def plus(self, other: "Rate") -> "Rate":
        """Return both together."""
        return Rate(self.right + other.right, self.n + other.n)

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.right} of {self.n} right"


class SampleRecord(NamedTuple):
    """What earlier samples say of a problem."""

    rate: Rate
    against: str | None = None
    """The answer that contradicts its label (see `common_contradiction`)."""


def settled(judged: Sequence[Judged], alike: int) -> bool:
    """Tell whether a problem needs no more samples: it has a right and a wrong one, or `alike` samples in all."""
    outcomes = {j.outcome for j in judged}
    return {"agrees", "disagrees"} <= outcomes or len(judged) >= alike


def common_contradiction(exercise: Exercise, judged: Sequence[Judged]) -> str | None:
    """Return the one answer that more than half of the samples (two at least) give where none reaches the label.

    Whatever the label is: a known answer may be wrong as a teacher's may, since the number that an agent hid need not be what
    its question asks for. A mistake that a student always makes looks the same; without a right sample there is nothing to learn
    from it, and what is grown from a wrong label inherits it.
    """
    wrong = [j.attempt.text for j in judged if j.outcome == "disagrees"]
    if len(wrong) < 2 or any(j.outcome == "agrees" for j in judged):
        return None
    kind, question, options = exercise.answer_kind, exercise.question, exercise.options
    found = [final_answer(text, kind, question, options) for text in wrong]
    answers = [answer for answer in found if answer is not None]
    most = max(alike(kind, answers, question, options), key=len, default=[])
    return answers[most[0]] if len(most) >= 2 and 2 * len(most) > len(wrong) else None


def standings(rounds: Iterable[Iterable[tuple[Exercise, Sequence[Judged]]]]) -> dict[str, SampleRecord]:
    """Return problem → what its samples say; of a problem of several rounds the latest counts. `rounds`: earliest first."""
    found: dict[str, SampleRecord] = {}
    for rows in rounds:
        for exercise, judged in rows:
            outcomes = [j.outcome for j in judged if j.outcome != "unjudged"]
            rate = Rate(sum(o == "agrees" for o in outcomes), len(outcomes))
            found[exercise.problem_id] = SampleRecord(rate, common_contradiction(exercise, judged))
    return found


def pooled(found: Mapping[str, SampleRecord], family_of: Mapping[str, str]) -> dict[str, Rate]:
    """Return family → the rate of all its problems' samples; those whose label is contradicted are left out."""
    rates: dict[str, Rate] = {}
    for problem, standing in found.items():
        if (family := family_of.get(problem)) is not None and standing.against is None:
            rates[family] = rates.get(family, Rate()).plus(standing.rate)
    return rates


class Placing(NamedTuple):
    """Where a problem lies, why in words, and the rate that says so; none where there are too few samples."""

    place: Place
    why: str
    rate: Rate = Rate()


def place(
    problem: str, aim: Aim, found: Mapping[str, SampleRecord], families: Mapping[str, Rate], family: str
) -> Placing:
    """Place a problem by its own samples, or by its family's."""
    own = found.get(problem)
    if own is not None and own.against is not None:
        return Placing("label_contradicted", f"no sample reaches the label, most say {own.against}", own.rate)
    rate, whose = (
        (own.rate, "")
        if own is not None and own.rate.n >= aim.least
        else (families.get(family, Rate()), " in its family")
    )
    if rate.n < aim.least or (whose and not aim.families):
        return Placing("unknown", "too few earlier samples")
    said: Place = "too_easy" if rate.share > aim.high else "too_hard" if rate.share < aim.low else "aimed"
    return Placing(said, f"{rate}{whose} in an earlier round, aim {aim.low:g} to {aim.high:g}", rate)
