"""Which of the teacher's answers can be trusted, and who disagrees with whom. Pure functions; `teach` applies them.

An answer known without the teacher outweighs everything: the seed's gold answer, or the number that Ask-Me-Anything hid.
Where none is known, k solutions to one problem may vouch for each other; where one is, half of k solutions must reach it, and
more than reach any other, or nothing of that problem is verified: among many guesses one hits a wrong label by accident.

Deviation: the paper trusts its teacher, except on DMath, of which it keeps the problems where teacher and gold agree. That
rule is `gold_sources`; the rest is ours. Agreement is not truth: a problem that misleads the teacher once misleads it again
(docs/log.md has figures).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from pydantic import Field

from orcamath.answers import alike, same
from orcamath.records import Lesson, Problem, Settings, Verified, later

__all__ = ["Check", "VerifySettings", "confirms", "one_a_problem", "verify"]

Rule = Literal["off", "mark", "drop"]


class VerifySettings(Settings):
    """What each yardstick does: nothing, mark whom it confirms, or also drop whom it contradicts."""

    gold: Rule = "mark"
    """The answer that came with a seed."""
    gold_sources: tuple[str, ...] = ("dmath",)
    """Sources of which only problems are kept on which teacher and gold agree, whatever `gold` says (paper: DMath)."""
    hidden_number: Rule = "mark"
    """The number that Ask-Me-Anything hid."""
    known_share: float = later(0.5, gt=0, le=1)
    """The share that must reach gold or the hidden number of several solutions with an answer, and no other answer as many."""
    agreement: Rule = "mark"
    """Solutions to the same problem; needs `solutions` ≥ 2."""
    agreement_share: float = Field(default=0.75, gt=0.5, le=1)
    """The share of the solutions asked for that must reach the same answer; one that cannot be read reaches none."""


class Check(NamedTuple):
    """What is known of one solution."""

    verified: Verified
    against: Literal["gold", "hidden_number", "agreement"] | None = None
    """The yardstick it was held against, where there was one."""
    agrees: bool | None = None
    """None where there is no yardstick or the answers cannot be compared by rule."""
    drop: bool = False

    @property
    def reason(self) -> str:
        """The slug under which a dropped solution is counted."""
        return "no_agreement" if self.against == "agreement" else f"disagrees_with_{self.against}"


def verify(problem: Problem, answers: Sequence[str], settings: VerifySettings, n_asked: int = 0) -> list[Check]:
    """Check the final answers of one problem's solutions, in order. `n_asked`: with those that had none to read."""
    rule: Rule = "off"
    if problem.answer is not None and problem.answer_from is not None:
        rule = settings.gold if problem.answer_from == "gold" else settings.hidden_number
        if problem.answer_from == "gold" and problem.source in settings.gold_sources:
            rule = "drop"
    if rule != "off":
        outvoted = len(answers) > 1 and not confirms(problem, answers, share=settings.known_share)
        return [_against_known(problem, answer, rule, outvoted) for answer in answers]
    if settings.agreement != "off" and len(answers) > 1:
        return _among_themselves(problem, answers, settings, max(n_asked, len(answers)))
    return [Check("unverified") for _ in answers]


def confirms(problem: Problem, answers: Sequence[str], least: int = 1, share: float = 0.0) -> bool:
    """Tell whether solutions confirm a problem's known answer: so many, that share of them, and more than reach any other."""
    known = problem.answer
    if known is None:
        return False
    groups = alike(problem.answer_kind, answers, problem.question, problem.options)
    votes = [
        (len(g), same(problem.answer_kind, answers[g[0]], known, problem.question, problem.options)) for g in groups
    ]
    ours = sum(n for n, agrees in votes if agrees)
    others = max((n for n, agrees in votes if not agrees), default=0)
    return ours >= max(least, share * len(answers)) and ours > others


def one_a_problem(lessons: Iterable[Lesson]) -> Iterator[Lesson]:
    """Yield one lesson of every problem, in order: its first verified one, or its first where none is.

    Lessons of one problem stand together, as `teach` writes them; of one that comes again the later ones are left out.
    """
    seen: set[str] = set()
    for problem, group in groupby(lessons, key=lambda lesson: lesson.problem_id):
        if problem not in seen:
            seen.add(problem)
            yield max(group, key=lambda lesson: lesson.verified != "unverified")


def _against_known(problem: Problem, answer: str, rule: Rule, outvoted: bool) -> Check:
    assert problem.answer is not None
    assert problem.answer_from is not None
    agrees = same(problem.answer_kind, answer, problem.answer, problem.question, problem.options)
    verified: Verified = problem.answer_from if agrees and not outvoted else "unverified"
    # what cannot be compared is not confirmed, so the strict rule does not keep it either
    return Check(verified, problem.answer_from, agrees, drop=rule == "drop" and not agrees)


def _among_themselves(problem: Problem, answers: Sequence[str], settings: VerifySettings, n_asked: int) -> list[Check]:
    largest = max(alike(problem.answer_kind, answers, problem.question, problem.options), key=len)
    enough = len(largest) >= max(2, settings.agreement_share * n_asked)
    checks = []
    for i in range(len(answers)):
        agrees = enough and i in largest
        verified: Verified = "agreement" if agrees else "unverified"
        checks.append(Check(verified, "agreement", agrees, drop=settings.agreement == "drop" and not agrees))
    return checks
