"""Stage `practice`: the student answers each problem several times (paper, section 3).

The paper takes four samples at temperature 0.7, top_p 0.95. In: the problems that passed the contamination gate. Out:
`exercises` (what was asked, and the yardstick) and `attempts` (what the student said, with the ids it sampled and why
it stopped). Nothing is judged here.

Deviation: the paper practises on the lessons against the teacher's answer. `problems: fresh` practises on problems
the teacher never solved, `label: known_answer` holds attempts against an answer known without a teacher (gold, or a
hidden number); `aim` leaves out what earlier rounds showed to be too easy or too hard.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from orcamath.difficulty import Aim, Until
from orcamath.ports import Pose, Request, Sampling
from orcamath.preferences import allotted
from orcamath.records import Attempt, Exercise, Lesson, Problem, Rejected, Settings, digest, later, outside_digest
from orcamath.stages.aiming import Placed, Round, SpellFacts, aims, placed
from orcamath.stages.serving import ServerSettings
from orcamath.store.artifacts import Artifact, Output
from orcamath.store.ledger import Remembered
from orcamath.store.stage import stage
from orcamath.verify import one_a_problem
from orcamath.worked import n_equations, n_steps

__all__ = ["PracticeFacts", "PracticeSettings", "exercises_of", "practise", "sampled"]

MAX_LISTED = 200
MANY_STEPS = 3
"""Problems of so many steps and more are balanced as one kind."""


class PracticeSettings(Settings):
    """How the student practises."""

    problems: Literal["lessons", "fresh", "all"] = "lessons"
    """Problems the teacher solved (paper), problems it never solved, or both."""
    label: Literal["teacher", "known_answer"] = "teacher"
    """Whose answer an attempt is held against. A known answer counts where a solution reached it without knowing it: the
    teacher's (a verified lesson), or those of the stage `confirm` for problems that were not taught."""
    unconfirmed: tuple[Literal["gold", "hidden_number"], ...] = ()
    """Known answers that count all the same: `gold` of sets you trust, `hidden_number` where the writer cannot err."""
    samples: int = Field(4, ge=1)
    temperature: float = Field(0.7, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    max_new_tokens: int = Field(512, ge=1)
    max_problems: int | None = Field(None, ge=1)
    """Practise on this many at most, chosen by hash: a larger number keeps the smaller one's choice."""
    balance: Literal["none", "steps"] = "none"
    """`steps`: as many problems of one step as of two and of three or more, as far as there are some; those whose own
    solution does not tell are left out. Easy problems are many, and a student that gets them right learns nothing there."""
    server: ServerSettings | None = outside_digest(None)
    """Sample from a server instead of in this process."""
    seed: int = 0
    """Chooses another subset."""
    until: Until | None = later(None)
    """Sample in spells, the first of `samples`, until a problem has a right and a wrong answer."""
    aim: Aim | None = later(None)
    """Practise on what the student got right some of the time in earlier rounds, then on what is not known; leave out what was
    too easy, too hard, or labelled against its samples. The first round has none before it and practises on everything."""

    @property
    def n_spells(self) -> int:
        """How many spells there may be."""
        return 1 if self.until is None else 1 + -(-(self.until.alike - self.samples) // self.until.more)

    @model_validator(mode="after")
    def _more_than_at_first(self) -> "PracticeSettings":
        if self.until is not None and self.until.alike <= self.samples:
            raise ValueError(
                f"until.alike: {self.until.alike} is no more than samples: {self.samples}, the first spell's"
            )
        if self.until is not None and self.temperature == 0:
            raise ValueError("until needs a temperature above 0: greedy answers are all the same")
        return self

    @model_validator(mode="after")
    def _a_share_of_something(self) -> "PracticeSettings":
        if self.balance == "steps" and self.max_problems is None:
            raise ValueError("balance: steps shares out max_problems, so name it (1000, say)")
        return self


class PracticeFacts(SpellFacts):
    """What was practised."""

    n_exercises: int = 0
    n_samples: int = 0
    """Answers to each exercise."""
    problems: Literal["lessons", "fresh", "all"] = "lessons"
    label: Literal["teacher", "known_answer"] = "teacher"
    n_cut_off: int = 0
    """Answers that ran into the token limit."""
    n_sampled_tokens: int = 0
    by_steps: dict[str, int] = Field({})
    """Steps → exercises, where they are balanced by them."""
    aimed: dict[str, int] = Field({})
    """Where problems lie by earlier rounds (`aimed`, `too_easy`, …) → how many there are, chosen or not."""
    contradicted: tuple[str, ...] = ()
    """Problems whose label earlier samples contradict: the first `MAX_LISTED`."""
    n_drawn: int = 0
    n_at_most: int = 0
    """Where spells are put together: samples drawn, and those of as many a problem as the one that had most might need."""
    n_mixed: int = 0
    """Problems with a right and a wrong answer."""


@stage("practice", version=5, settings=PracticeSettings, facts=PracticeFacts)
def practise(
    out: Output,
    settings: PracticeSettings,
    gated: Artifact,
    student: Remembered,
    pose: Pose,
    earlier: Sequence[Round] = (),
) -> PracticeFacts:
    """Sample the student on every chosen problem; writes `exercises` and `attempts`, in input order.

    `earlier`: rounds that `aim` chooses by; why each problem was chosen is in the table `chosen` then.
    """
    found = list(_exercises(out, settings, gated))
    places: dict[str, Placed] = {}
    if settings.aim is not None:
        places = placed((f.exercise.problem_id for f in found), settings.aim, gated, earlier)
        found = [
            f._replace(unknown=places[f.exercise.problem_id].place == "unknown") for f in _worth(out, found, places)
        ]
    chosen = _chosen(out, found, settings)
    exercises = [stepped.exercise for stepped in chosen]
    draws = range(settings.samples if settings.temperature > 0 else 1)  # greedy answers are all the same
    facts = sampled(out, settings, exercises, draws, student, pose)
    if places:
        out.write("chosen", (places[e.problem_id].chosen for e in exercises))
    more = {"by_steps": _by_steps(chosen)} if settings.balance == "steps" else {}
    return facts.model_copy(update={**more, **(aims(places, MAX_LISTED) if places else {})})


def sampled(
    out: Output,
    settings: PracticeSettings,
    exercises: Sequence[Exercise],
    draws: Sequence[int],
    student: Remembered,
    pose: Pose,
) -> PracticeFacts:
    """Sample every exercise at these draws; writes `exercises` and `attempts`, in order."""
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)

    def requests() -> Iterator[tuple[Exercise, Request]]:
        for exercise in exercises:
            asked = exercise.asked
            for draw in draws:
                yield exercise, pose(asked, sampling, draw)

    out.progress.begin("practise", len(exercises) * len(draws))
    student.fill((request for _, request in requests()), out.progress)
    out.progress.end()
    out.write("exercises", exercises)
    n = Counter[str]()
    out.write("attempts", _attempts(out, requests(), student, n))
    return PracticeFacts(
        n_exercises=len(exercises),
        n_samples=len(draws),
        problems=settings.problems,
        label=settings.label,
        n_cut_off=n["cut off"],
        n_sampled_tokens=n["tokens"],
    )


def exercises_of(out: Output, settings: PracticeSettings, gated: Artifact) -> list[Exercise]:
    """Return the problems that these settings practise on, in order; books those without a yardstick."""
    return [stepped.exercise for stepped in _chosen(out, list(_exercises(out, settings, gated)), settings)]


def _attempts(
    out: Output, asked: Iterator[tuple[Exercise, Request]], student: Remembered, n: Counter[str]
) -> Iterator[Attempt]:
    """Yield the answers, counting in `n` those cut off and the tokens of all."""
    for exercise, request in asked:
        reply = student.reply(request)
        if reply is None:
            continue  # its failure is already in the books, so the stage will not be sealed
        if reply.finish_reason == "refused":
            out.reject(Rejected(item=exercise.problem_id, reason="refused", text=reply.text), of_call=True)
            continue
        out.parsed()
        out.keep()
        n["cut off"] += reply.finish_reason == "length"
        n["tokens"] += reply.usage.completion_tokens
        yield Attempt.make(
            exercise.problem_id,
            request.draw,
            reply.text,
            student.fingerprint,
            token_ids=reply.token_ids,
            finish_reason=reply.finish_reason,
        )


class _Stepped(NamedTuple):
    """An exercise and how many steps its problem takes; 0 where nothing tells."""

    exercise: Exercise
    n_steps: int
    unknown: bool = False
    """Whether an aim knows nothing of it: such problems come after the others."""


def _exercises(out: Output, settings: PracticeSettings, gated: Artifact) -> Iterator[_Stepped]:
    """Build the exercises that have a yardstick; those without one are rejected by name."""
    seen: set[str] = set()
    if settings.problems != "fresh":
        for lesson in one_a_problem(gated.read(Lesson)):  # a problem may have several lessons: it is practised once
            seen.add(lesson.problem_id)
            yield from _of_lesson(out, settings, lesson)
    if settings.problems != "lessons":
        for problem in gated.read(Problem):
            if problem.id not in seen:
                seen.add(problem.id)
                yield from _of_problem(out, settings, problem)


def _of_lesson(out: Output, settings: PracticeSettings, lesson: Lesson) -> Iterator[_Stepped]:
    teacher = settings.label == "teacher"
    reference = lesson.final_answer if teacher else lesson.gold
    if reference is None:
        _reject(out, lesson.problem_id, "no_final_answer" if teacher else "no_known_answer")
        return
    # held against a known answer, the teacher's text is an example only where it was checked against that answer
    right = teacher or lesson.verified in ("gold", "hidden_number")
    if not right and ("gold" if lesson.target is None else "hidden_number") not in settings.unconfirmed:
        _reject(out, lesson.problem_id, "unconfirmed")
        return
    exercise = Exercise(
        problem_id=lesson.problem_id,
        question=lesson.question,
        reference=reference,
        solution=lesson.answer if right else None,
        answer_kind=lesson.answer_kind,
        options=lesson.options,
        label=settings.label,
    )
    yield _Stepped(exercise, n_equations(lesson.answer))


def _of_problem(out: Output, settings: PracticeSettings, problem: Problem) -> Iterator[_Stepped]:
    if settings.label == "teacher":
        _reject(out, problem.id, "no_teacher_answer")
    elif problem.answer is None:
        _reject(out, problem.id, "no_known_answer")
    elif not problem.confirmed and problem.answer_from not in settings.unconfirmed:
        _reject(out, problem.id, "unconfirmed")
    else:
        exercise = Exercise(
            problem_id=problem.id,
            question=problem.question,
            reference=problem.answer,
            answer_kind=problem.answer_kind,
            options=problem.options,
            label=settings.label,
        )
        yield _Stepped(exercise, n_steps(problem))


def _reject(out: Output, item: str, reason: str) -> None:
    out.reject(Rejected(item=item, reason=reason))


def _worth(out: Output, found: list[_Stepped], places: Mapping[str, Placed]) -> Iterator[_Stepped]:
    """Yield what an aim lets pass; the others are rejected by their place."""
    for stepped in found:
        where, chosen = places[stepped.exercise.problem_id]
        if where in ("aimed", "unknown"):
            yield stepped
        else:
            out.reject(Rejected(item=chosen.problem_id, reason=where, detail=chosen.why.partition(": ")[2]))


def _chosen(out: Output, found: list[_Stepped], settings: PracticeSettings) -> list[_Stepped]:
    """Return the exercises that are practised, in their order; books those whose steps are not known where that counts."""
    if settings.max_problems is None:
        return found
    by_steps: dict[int, list[_Stepped]] = {}
    for stepped in sorted(found, key=lambda f: (f.unknown, digest("practice", settings.seed, f.exercise.problem_id))):
        by_steps.setdefault(min(stepped.n_steps, MANY_STEPS) if settings.balance == "steps" else 1, []).append(stepped)
    for stepped in by_steps.pop(0, []):
        _reject(out, stepped.exercise.problem_id, "unknown_steps")
    shares = allotted([len(group) for group in by_steps.values()], settings.max_problems)
    keep = {f.exercise.problem_id for group, n in zip(by_steps.values(), shares, strict=True) for f in group[:n]}
    return [f for f in found if f.exercise.problem_id in keep]


def _by_steps(chosen: Iterable[_Stepped]) -> dict[str, int]:
    n = Counter(min(stepped.n_steps, MANY_STEPS) for stepped in chosen)
    return {f"{k} or more" if k == MANY_STEPS else str(k): n[k] for k in sorted(n)}
