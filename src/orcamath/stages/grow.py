"""Stages `pick` and `grown`: a later round of growing, out of problems that practice showed to be too easy or too hard.

`pick`: gated lessons and problems, and earlier rounds in; out come `problems` for an agent to work on (too easy ones are hardened
by Suggester & Editor, too hard ones asked about by Ask-Me-Anything), and `chosen`, why. A problem whose label its samples
contradict is never grown from: its children would inherit the mistake. `grown`: what there is and what was just taught in, both
together out.

Deviation: the paper grows once, before any practice, and from all seeds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from orcamath.answers.mistakes import Mistake
from orcamath.difficulty import Aim
from orcamath.mistakes import of_attempts
from orcamath.records import Lesson, Problem, Rejected, Settings, digest
from orcamath.stages.aiming import Placed, Round, placed
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.facts import Facts
from orcamath.store.stage import stage
from orcamath.verify import one_a_problem

__all__ = ["GrowAim", "GrowSettings", "JoinSettings", "PickFacts", "PickSettings", "grown", "pick"]

Which = Literal["too_easy", "too_hard"]
WHO: dict[Which, str] = {"too_easy": "suggester_editor", "too_hard": "ask_me_anything"}
"""Which agent works on what was picked: who has worked on a problem before would only repeat it."""


class GrowAim(Aim):
    """What is too easy and what too hard, as for practice, but by a problem's own samples."""

    families: bool = False
    """Whether a problem that was never practised takes the pooled rate of the problems grown out of the same one."""


class GrowSettings(Settings):
    """What a later round of growing begins from."""

    aim: GrowAim = GrowAim()
    """What is right more often than `high` is too easy, more seldom than `low` too hard."""
    max_problems: int = Field(default=200, ge=1)
    """Picked at most, of the easy and of the hard each, by hash."""
    mistakes: tuple[Mistake, ...] = ()
    """Of what is too hard, pick only problems whose commonest mistake is one of these; empty for all."""


class PickSettings(GrowSettings):
    """One side of it."""

    which: Which


class PickFacts(Facts):
    """What there was to pick from."""

    places: dict[str, int] = Field({})
    """Where the problems at hand lie by earlier rounds → how many."""
    mistakes: dict[str, int] = Field({})
    """Commonest mistake of a problem → problems of the side picked from, where mistakes decide."""


class JoinSettings(Settings):
    """There is nothing to set."""


@stage("pick", version=3, settings=PickSettings, facts=PickFacts)
def pick(out: Output, settings: PickSettings, gated: Artifact, earlier: Sequence[Round]) -> PickFacts:
    """Write the problems to grow from, in their order, and why. What is left out is rejected by its reason."""
    found = {p.id: p for p in _problems(gated)}
    places = placed(found, settings.aim, gated, earlier)
    worked_on = {parent for p in _problems(gated) if p.origin == WHO[settings.which] for parent in p.parents}
    commonest = _commonest(earlier) if settings.mistakes and settings.which == "too_hard" else None
    fit = [name for name, where in places.items() if where.place == settings.which]
    counts = Counter(commonest.get(name, "unsorted") for name in fit) if commonest is not None else Counter[str]()
    if settings.which == "too_hard":  # to hide a number of what was asked about one asks what it came from again
        worked_on |= {name for name in fit if found[name].origin == "ask_me_anything"}
    fit = [n for n in fit if _picked(out, n, places[n], worked_on, settings, commonest)]
    kept = set(sorted(fit, key=lambda name: digest("picked", settings.which, name))[: settings.max_problems])

    def problems() -> Iterator[Problem]:
        for name in fit:
            if name in kept:
                out.keep()
                yield found[name]

    out.write("problems", problems())
    out.write("chosen", (places[name].chosen for name in fit if name in kept))
    said = Counter(where.place for where in places.values())
    return PickFacts(places=dict(sorted(said.items())), mistakes=dict(sorted(counts.items())))


def _picked(
    out: Output,
    name: str,
    where: Placed,
    worked_on: set[str],
    settings: PickSettings,
    commonest: dict[str, Mistake] | None,
) -> bool:
    if name in worked_on:
        out.reject(Rejected(item=name, reason="grown_from_before", detail=where.chosen.why))
        return False
    if commonest is not None and commonest.get(name, "unsorted") not in settings.mistakes:
        out.reject(Rejected(item=name, reason="other_mistake", detail=commonest.get(name, "unsorted")))
        return False
    return True


def _commonest(earlier: Sequence[Round]) -> dict[str, Mistake]:
    """Return problem → the mistake that its wrong samples make most often, in the latest round that had it."""
    found: dict[str, Mistake] = {}
    for made in earlier:
        counts: dict[str, Counter[Mistake]] = {}
        for wrong in of_attempts(made.rows()):
            counts.setdefault(wrong.problem_id, Counter())[wrong.mistake] += 1
        found |= {name: n.most_common(1)[0][0] for name, n in counts.items()}
    return found


def _problems(gated: Artifact) -> Iterator[Problem]:
    """Yield the problems that were taught, then those left for practice, each once."""
    seen = set[str]()
    for lesson in one_a_problem(gated.read(Lesson)):
        seen.add(lesson.problem_id)
        yield lesson.problem(lesson.gold or lesson.final_answer)
    yield from (p for p in gated.read(Problem) if p.id not in seen)


@stage("grown", version=1, settings=JoinSettings, facts=Facts)
def grown(out: Output, settings: JoinSettings, before: Artifact, taught: Artifact) -> Facts:
    """Write the lessons and problems of both, those before first; of a lesson or problem in both only that one."""
    del settings

    def lessons() -> Iterator[Lesson]:
        seen = set[str]()
        for part in (before, taught):
            for lesson in part.read(Lesson):
                if lesson.id not in seen:
                    seen.add(lesson.id)
                    out.keep()
                    yield lesson

    def problems() -> Iterator[Problem]:
        known = {x.problem_id for part in (before, taught) for x in part.read(Lesson)}
        for part in (before, taught):
            for problem in part.read(Problem):
                if problem.id not in known:
                    known.add(problem.id)
                    out.keep()
                    yield problem

    out.write("lessons", lessons())
    out.write("problems", problems())
    return Facts()
