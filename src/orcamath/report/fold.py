"""From what a run left behind to what a reader wants to know. Pure: artifacts in, one `Results` out, nothing drawn.

The rows of the score tables are `rows`; here is what became of problems, which stages ran and what they said of themselves.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from orcamath.recipe_settings import HypothesesSettings
from orcamath.records import Lesson, Problem, Record, Rejected, Scored
from orcamath.report.arms import ArmFolder, Made, arms_of, key_of, load_artifact, made, own, steps_of
from orcamath.report.duels import Duels, duels
from orcamath.report.hypotheses import Settled, settled_hypotheses
from orcamath.report.ladder import Ladder, ladder
from orcamath.report.lengths import AnswerLength, LessonKind, answer_lengths, lesson_kinds
from orcamath.report.mistakes import MistakeTable, mistakes_of_rounds, mistakes_of_students
from orcamath.report.moved import Moved, moved
from orcamath.report.provenance import models, spent
from orcamath.report.rows import ResultRow, Student, score_table
from orcamath.report.samples import Excerpt, doubted, samples
from orcamath.report.slices import Slices, slices
from orcamath.stages.evaluate import EvaluateFacts
from orcamath.stages.facts import facts_of
from orcamath.stages.preferences import PreferFacts
from orcamath.stages.teach import TeachFacts
from orcamath.store.artifacts import Artifact, Store
from orcamath.store.facts import Facts
from orcamath.store.history import book_of
from orcamath.store.leases import account_of
from orcamath.store.stage import StageLabel

__all__ = ["Example", "Origin", "Results", "StageRow", "fold", "students_of"]

MAX_EXAMPLES = 3
MAX_EXAMPLE_CHARS = 600
GROWING = ("problems", "seeds", "ask", "edit", "agent")
"""Stages, of every round, that bring problems nobody had before them."""


class StageRow(NamedTuple):
    """A stage as the table shows it."""

    arm: str
    label: str
    seconds: float
    rows: dict[str, int]
    kept: int
    rejected: dict[str, int]
    failed: dict[str, int]
    """Whole replies that could not be used, by reason."""
    balance: dict[str, int]
    """Calls: asked = parsed + failed. Results: results = kept + rejected."""
    key: str
    """Where `Results.facts` has what the stage says of itself."""


class Origin(NamedTuple):
    """Where problems came from and what became of them."""

    origin: str
    problems: int
    taught: int
    trained_on: int
    collected: int = 0
    """Left after the search for duplicates; 0 where there was none."""


class Example(NamedTuple):
    """One rejected thing, as it was written."""

    stage: str
    reason: str
    n: int
    detail: str
    text: str
    """At most `MAX_EXAMPLE_CHARS` of it."""
    n_chars: int
    """Length of the whole text."""
    item: str
    """Id of the record that was being worked on."""


class Results(NamedTuple):
    """All that a report shows."""

    name: str
    about: str
    origins: tuple[Origin, ...]
    stages: tuple[StageRow, ...]
    rows: tuple[ResultRow, ...]
    examples: tuple[Example, ...]
    licences: dict[str, int]
    facts: dict[str, Facts]
    """Stage (for an arm's own: `ARM: STAGE`) → what the stage said of itself."""
    metrics: dict[str, list[dict[str, object]]]
    """Arm → training steps as `metrics.jsonl` has them, each with the `label` of its stage."""
    again: tuple[str, ...]
    """Those of them that train the base or an arm once more, with another seed."""
    recipe: str
    """The resolved recipe, YAML."""
    samples: tuple[Excerpt, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    """(role, the model that played it)."""
    spent: tuple[tuple[str, float], ...] = ()
    """(stage, US dollars), of the run and all its arms."""
    slices: tuple[Slices, ...] = ()
    moved: tuple[Moved, ...] = ()
    duels: tuple[Duels, ...] = ()
    answer_lengths: tuple[AnswerLength, ...] = ()
    lesson_kinds: tuple[LessonKind, ...] = ()
    mistakes: tuple[MistakeTable, ...] = ()
    """Of students on each benchmark, then of the rounds of practice."""
    ladders: tuple[Ladder, ...] = ()
    """What a verified lesson cost, of each stage in which a ladder of teachers solved."""
    settled: tuple[Settled, ...] = ()
    """What became of the recipe's hypotheses."""
    doubts: tuple[tuple[str, int, int], ...] = ()
    """(stage, bills replaced by our own count since the endpoint's could not be, bills above what was reserved)."""

    @property
    def preferences(self) -> dict[str, PreferFacts]:
        """Stage → what could be learnt from, of every round that had something."""
        return {key: f for key, f in self.facts.items() if isinstance(f, PreferFacts) and f.n_problems}


def fold(folder: Path, store: Store) -> Results:
    """Read a run folder (and its arms) and fold it. Raises UsageError where nothing was run there."""
    arms = list(arms_of(folder))
    base = dict(own(arms[0], store))
    again = tuple(arm.name for arm in arms if arm.seed not in (None, arms[0].seed))
    shown = [arm for arm in arms if arm.name not in again]
    examples = [e for arm, label, _, a in made(shown, store) for e in _examples(key_of(arm, label), a)]
    licences = Counter(x or "not stated" for made in _gated(base) for (x,) in made.columns(Lesson, "licence"))
    students = list(students_of(arms, store))
    # arms may share an iteration: what the first shows, the others do not repeat
    found = (d for arm in reversed(shown) for d in doubted(arm.name, dict(own(arm, store))))
    doubtful = {(d.question, d.text): d for d in found}.values()
    facts, stages = dict(_facts(arms, store)), tuple(_stages(arms, store))
    return Results(
        name=folder.name,
        about=str(arms[0].recipe.get("about") or ""),
        origins=tuple(_origins(base)),
        stages=stages,
        rows=tuple(score_table(students)),
        examples=tuple(examples),
        licences=dict(licences.most_common()),
        facts=facts,
        metrics={arm.name: steps_of(arm) for arm in arms},
        again=again,
        recipe=(folder / "recipe.yaml").read_text(encoding="utf-8"),
        samples=(*samples(base, students), *doubtful),
        models=tuple(models(arms[0].recipe, facts)),
        spent=tuple(spent(account := account_of(book_of(store.root, folder)), (s.label for s in stages)).items()),
        **_looks(students, base, made(shown, store)),
        settled=tuple(_settled(arms[0].recipe, students, base)),
        doubts=tuple((stage, *counts) for stage, counts in sorted(account.doubts.items())),
        ladders=tuple(_ladders(shown, store)),
    )


def _looks(students: list[Student], base: Mapping[str, Artifact], shown: Iterable[Made]) -> dict[str, Any]:
    """Return what takes the answers one by one."""
    tests = base.get("unseen") or base.get("benchmarks")
    problems = list(tests.read(Problem)) if tests is not None else []
    lessons = (row for gated in _gated(base) for row in gated.columns(Lesson, "origin", "question", "answer"))
    return {
        "slices": tuple(slices(students, problems)),
        "moved": tuple(moved(students, problems)),
        "duels": tuple(duels(students)),
        "answer_lengths": tuple(answer_lengths(students)),
        "lesson_kinds": tuple(lesson_kinds(lessons)),
        "mistakes": (*mistakes_of_students(students, problems), *mistakes_of_rounds(shown)),
    }


def _settled(recipe: Mapping[str, object], students: list[Student], base: Mapping[str, Artifact]) -> list[Settled]:
    problems = base.get("unseen") or base.get("benchmarks")
    settings = HypothesesSettings.model_validate(recipe.get("hypotheses") or {})
    return (
        settled_hypotheses(settings, students, problems.read(Problem)) if problems is not None and settings.test else []
    )


def _ladders(shown: Sequence[ArmFolder], store: Store) -> Iterator[Ladder]:
    recipes = {arm.name: arm.recipe for arm in shown}
    for arm, label, _, a in made(shown, store):
        if isinstance(taught := facts_of(a), TeachFacts) and taught.rungs:
            yield Ladder(key_of(arm, label), tuple(ladder(recipes[arm], taught.rungs)))


def _facts(arms: Iterable[ArmFolder], store: Store) -> Iterator[tuple[str, Facts]]:
    for arm, label, _, a in made(arms, store):
        yield key_of(arm, label), facts_of(a)


def _stages(arms: Iterable[ArmFolder], store: Store) -> Iterator[StageRow]:
    for arm, label, seconds, a in made(arms, store):
        tables = {t: n for t, n in a.manifest["tables"].items() if t != "rejected"}
        books = {k: n for k, n in a.balance.items() if isinstance(n, int)}
        books["rejected"] = sum(a.balance["rejected"].values())
        failed = a.said(Facts).failed_calls
        yield StageRow(
            arm=arm,
            label=label,
            seconds=seconds,
            rows=tables,
            kept=a.balance["kept"],
            rejected=a.balance["rejected"],
            failed=failed,
            balance=books,
            key=key_of(arm, label),
        )


def _origins(base: Mapping[str, Artifact]) -> Iterator[Origin]:
    grown = _by_origin(_of_all_rounds(base, *GROWING), Problem)
    taught = _by_origin(_of_all_rounds(base, "teach", "lessons"), Lesson)
    trained = _by_origin(_gated(base), Lesson)
    collected = _by_origin(_of_all_rounds(base, "collect"), Problem)
    for origin in [*grown, *(o for o in taught if o not in grown)]:
        yield Origin(origin, grown[origin], taught[origin], trained[origin], collected[origin])


def _of_all_rounds(base: Mapping[str, Artifact], *stages: str) -> list[Artifact]:
    """Return what these stages made, in the rounds that grow as in the first."""
    return [made for label, made in base.items() if StageLabel.read(label).name in stages]


def _gated(base: Mapping[str, Artifact]) -> list[Artifact]:
    """Return the last gate, if there is one: behind it are the lessons of all rounds."""
    return _of_all_rounds(base, "gate")[-1:]


def _by_origin(artifacts: Iterable[Artifact], record: type[Record]) -> Counter[str]:
    return Counter(origin for made in artifacts for (origin,) in made.columns(record, "origin"))


def _examples(label: str, artifact: Artifact) -> Iterator[Example]:
    counts: Counter[str] = Counter()
    shown: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for reason, *rejected in artifact.columns(Rejected, "reason", "item", "detail", "text"):
        counts[reason] += 1
        item, detail, text = rejected
        if len(shown[reason]) < MAX_EXAMPLES and (detail, text) not in [said[1:] for said in shown[reason]]:
            shown[reason].append((item, detail, text))
    for reason, n in counts.most_common():
        for item, detail, text in shown[reason]:
            yield Example(label, reason, n, detail[:MAX_EXAMPLE_CHARS], text[:MAX_EXAMPLE_CHARS], len(text), item)


def students_of(arms: Iterable[ArmFolder], store: Store) -> Iterator[Student]:
    """Yield every student once: an arm that only shares its seed's base and M1 does not bring them again.

    An M1 that two arms share and the base recipe has not is each one's own.
    """
    shared: set[tuple[int | None, str]] = set()
    for arm in arms:
        for s in arm.pointers["students"]:
            if s["iteration"] <= 1 and (arm.seed, s["scored"]) in shared:
                continue
            if not arm.variant:
                shared.add((arm.seed, s["scored"]))
            scored = load_artifact(store, s["scored"])
            answers: dict[str, dict[str, Scored]] = defaultdict(dict)
            samples: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
            for row in scored.read(Scored):
                if row.draw == 0:
                    answers[row.benchmark][row.problem_id] = row
                else:
                    samples[row.benchmark][row.problem_id].append(row.outcome == "agrees")
            sampled = {b: {p: sum(r) / len(r) for p, r in of.items()} for b, of in samples.items()}
            measures = scored.said(EvaluateFacts).benchmarks
            yield Student(
                arm=arm.variant,
                seed=arm.seed,
                name=s["name"],
                iteration=s["iteration"],
                trained_tokens=s["trained_tokens"],
                recipe=arm.recipe,
                answers=answers,
                measures=measures,
                sampled=sampled,
            )
