"""The program, top to bottom: from seeds to measured students (paper, sections 2 and 3).

    seeds ─ ask-me-anything ─┐
       └── suggest & edit ───┴─ teach ─ contamination gate ─ M1 = SFT
                                                               │
              ┌──────────── practise (4 samples) ◄─────────────┤
              └─ judge ─ preferences (q+, q−) ─ KTO/DPO ─► M2, M3, …
                                                               └─ evaluate

Every line that says `stage` is made once and found again by its digest, so running this from the top is resuming it.
"""

from orcamath.errors import RecipeError, ToReview
from orcamath.growth import first_lessons, grown_again, some_left, unmarked
from orcamath.measured import look_before_practice, measure_base, measure_student
from orcamath.recipe_settings import Iteration, Recipe
from orcamath.sources.choosing import SeedsSettings, together
from orcamath.spells import in_spells
from orcamath.stages.agent import invent
from orcamath.stages.aiming import Round
from orcamath.stages.ask import ask
from orcamath.stages.benchmarks import benchmarks
from orcamath.stages.collect import collect
from orcamath.stages.confirm import confirm
from orcamath.stages.edit import edit
from orcamath.stages.evaluate import all_read
from orcamath.stages.gate import gate
from orcamath.stages.imitate import imitate
from orcamath.stages.judge import judge
from orcamath.stages.learn import learn
from orcamath.stages.online import RoundsSettings, online
from orcamath.stages.practice import practise
from orcamath.stages.preferences import prefer
from orcamath.stages.reask import reask
from orcamath.stages.seeds import gather
from orcamath.stages.start_from import StartSettings, lessons_from, problems_from, verdicts_from
from orcamath.stages.unseen import unseen
from orcamath.store.artifacts import Artifact
from orcamath.student.folder import ModelFolder
from orcamath.workshop import Measured, Workshop

__all__ = ["run"]


def run(recipe: Recipe, shop: Workshop) -> list[Measured]:
    """Make everything the recipe asks for and return the students, measured, in the order they were trained.

    Raises Stopped where a run can be resumed, UntilReached at `--until`, and other OrcamathErrors with what to mend.
    """
    tools = shop.tools
    # seeds and benchmarks are clustered together, so that a text and its twin in another set fall on the same side
    readers = tools.readers([*recipe.seeds.sources, *recipe.benchmarks.sources])
    wanted, measured_on = together(recipe.seeds, recipe.benchmarks, readers)
    tests = shop.stage(benchmarks, measured_on, readers)
    all_read(tests, [recipe.evaluate, *([recipe.readiness.evaluate] if recipe.readiness is not None else [])])
    if recipe.start_from is not None and recipe.start_from.stage == "verdicts":
        return _from_verdicts(recipe.start_from, recipe, shop, tests)
    taught = _reviewed(recipe, _taught(recipe, wanted, shop), shop)
    if recipe.confirm is not None:
        taught = shop.stage(confirm, recipe.confirm, taught, tools.chat(recipe.solver or recipe.teacher))
    lessons = some_left(shop, lambda: shop.stage(gate, recipe.gate, taught, tests, tools.screens(recipe.screens)))
    tests = shop.stage(unseen, recipe.unseen, tests, lessons)

    for n_shown in recipe.base_shown:
        measure_base(n_shown, recipe, shop, lessons, tests)

    # Iteration 1: imitate the teacher
    trained = shop.stage(imitate, recipe.imitate, lessons, tools.base(recipe.student))
    measure_student("M1", 1, recipe, shop, trained, tests)
    look_before_practice(recipe, shop, lessons, trained, tests)

    # Iterations 2, 3, …: practise, be judged, learn from right and wrong answers
    first, rounds = trained, list[Round]()
    for number, step in enumerate(recipe.iterations, start=2):
        if step.grow is not None:
            lessons = grown_again(number, step.grow, recipe, shop, lessons, tests, rounds)
        if step.more_sft is not None:
            trained = shop.stage(imitate.of(number), step.more_sft, lessons, tools.model_of(trained))
        elif step.online is not None:
            trained = _play(number, step, recipe, shop, lessons, trained)
        else:
            reference = first if recipe.reference == "first" else trained
            trained = _iterate(number, step, recipe, shop, lessons, trained, reference, rounds)
        measure_student(f"M{number}", number, recipe, shop, trained, tests)
    return shop.measured


def _taught(recipe: Recipe, wanted: SeedsSettings, shop: Workshop) -> Artifact:
    """Grow problems out of the seeds and have them solved, or take the user's own."""
    start, tools = recipe.start_from, shop.tools
    if start is not None and start.stage == "lessons":
        return shop.stage(lessons_from, start)
    if start is not None and start.stage == "problems":
        problems = shop.stage(problems_from, start)
    else:
        seeds = shop.stage(gather, wanted, tools.readers(wanted.named))
        parts, writer = [seeds], recipe.writer or recipe.teacher
        if recipe.ask_me_anything is not None:
            parts.append(shop.stage(ask, recipe.ask_me_anything, seeds, tools.chat(writer)))
        if recipe.suggester_editor is not None:
            parts.append(shop.stage(edit, recipe.suggester_editor, seeds, tools.chat(writer)))
        for settings in recipe.agents:
            parts.append(
                shop.stage(invent.of(settings.title), settings, seeds, tools.chat(writer), tools.agent(settings))
            )
        if (more := recipe.as_they_are) is not None:
            parts.append(shop.stage(gather.of("as they are"), more, tools.readers(more.named)))
        problems = shop.stage(collect, recipe.collect, parts)
    return first_lessons(recipe, shop, problems)


def _reviewed(recipe: Recipe, taught: Artifact, shop: Workshop) -> Artifact:
    """Wait for a reader where the recipe says so, and leave out what was marked bad."""
    if recipe.review == "pause" and not shop.reviewers.done:
        if shop.keeper is not None:
            shop.keeper.goes_on_by(shop.reviewers.goes_on)
        raise ToReview(
            f"`review: pause`: {taught.count('lessons'):,} lessons wait for a reader: `orcamath review RUN` shows some, "
            f"`orcamath view RUN` all, and both mark what is bad. `{shop.reviewers.goes_on}` leaves that out and goes on"
        )
    return unmarked(shop, taught)


def _play(
    number: int, step: Iteration, recipe: Recipe, shop: Workshop, lessons: Artifact, trained: Artifact
) -> Artifact:
    """Train on samples of the student as it is at each step, judged at once."""
    assert step.online is not None
    tools, how = shop.tools, step.online
    settings = RoundsSettings(practice=step.practice, **dict(how))
    student, judge, loss = tools.model_of(trained), tools.judge(recipe), tools.loss(how.loss)
    return shop.stage(online.of(number), settings, lessons, student, judge, loss)


def _iterate(
    number: int,
    step: Iteration,
    recipe: Recipe,
    shop: Workshop,
    lessons: Artifact,
    student: Artifact,
    reference: Artifact,
    rounds: list[Round],
) -> Artifact:
    """One round of practice: four samples a problem, each judged, the student trained on what was right and wrong."""
    model = shop.tools.model_of(student)
    chat, pose = shop.tools.player(recipe.student, model, step.practice.server)
    earlier = tuple(rounds) if step.practice.aim is not None else ()
    if step.practice.until is not None:
        practised, verdicts = in_spells(number, step.practice, recipe, shop, lessons, chat, pose, earlier)
    else:
        practised = shop.stage(practise.of(number), step.practice, lessons, chat, pose, earlier)
        verdicts = shop.stage(judge.of(number), recipe.judge, practised, shop.tools.judge(recipe))
    if recipe.reask is not None:
        teacher = shop.tools.chat(recipe.teacher)
        practised = verdicts = shop.stage(reask.of(number), recipe.reask, practised, verdicts, teacher, recipe.teach)
    rounds.append(Round(practised, verdicts))
    return _learn(number, step, shop, practised, verdicts, model, shop.tools.model_of(reference))


def _from_verdicts(start: StartSettings, recipe: Recipe, shop: Workshop, tests: Artifact) -> list[Measured]:
    """Learn from the user's own judged answers; the base model is the student that gave them."""
    if len(recipe.iterations) > 1:
        raise RecipeError("start_from verdicts has one iteration: the next needs judged answers of the new student")
    step = recipe.iterations[0] if recipe.iterations else Iteration(preferences=recipe.preferences, learn=recipe.learn)
    base = shop.tools.base(recipe.student)
    verdicts = shop.stage(verdicts_from, start)
    trained = _learn(2, step, shop, verdicts, verdicts, base, base)
    measure_student("M2", 2, recipe, shop, trained, tests)
    return shop.measured


def _learn(
    number: int,
    step: Iteration,
    shop: Workshop,
    practised: Artifact,
    verdicts: Artifact,
    student: ModelFolder,
    reference: ModelFolder,
) -> Artifact:
    """Build q+ and q− and train on them."""
    preferences = shop.stage(prefer.of(number), step.preferences, practised, verdicts)
    return shop.stage(learn.of(number), step.learn, preferences, student, reference, shop.tools.loss(step.learn.loss))
