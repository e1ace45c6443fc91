"""A chapter of the recipe: problems become lessons, first of all and whenever practice asks for more.

In: problems, or earlier rounds of practice. Out: lessons. As in `recipe`, every line that says `stage` is made once.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from orcamath.errors import TooManyRejects
from orcamath.recipe_settings import Recipe
from orcamath.records import Rejected
from orcamath.stages.aiming import Round
from orcamath.stages.ask import ask
from orcamath.stages.collect import collect
from orcamath.stages.edit import edit
from orcamath.stages.gate import gate
from orcamath.stages.grow import GrowSettings, JoinSettings, PickSettings, grown, pick
from orcamath.stages.ladder import teach_by_ladder
from orcamath.stages.review import ReviewSettings, marked_bad, review
from orcamath.stages.teach import GOES_UP, TeachFacts, TeachSettings, teach, teach_from_seeds, without_lesson
from orcamath.store.artifacts import Artifact
from orcamath.workshop import UntilReached, Workshop

__all__ = ["first_lessons", "grown_again", "some_left", "unmarked"]

LOOK_AT = {
    "cut_off": "teach.max_new_tokens",
    "empty_reply": "teach.max_new_tokens",
    "answer_too_long": "teach.max_answer_chars",
    "refused": "teacher.model",
    "disagrees_with_gold": "teach.verify.gold",
    "disagrees_with_hidden_number": "teach.verify.hidden_number",
    "no_agreement": "teach.verify.agreement",
    "contaminated": "gate.policy",
}
"""Why lessons were rejected → the setting to look at first; for other reasons the teacher's prompt, or the gate's screens."""


def first_lessons(recipe: Recipe, shop: Workshop, problems: Artifact) -> Artifact:
    """Make the lessons that the first student imitates. Raises TooManyRejects where there is none: nothing could be trained."""
    if recipe.teach.by == "seeds":
        return some_left(shop, lambda: shop.stage(teach_from_seeds, recipe.teach, problems))
    return some_left(shop, lambda: _solved(recipe.teach, recipe, shop, problems))


def some_left(shop: Workshop, make: Callable[[], Artifact]) -> Artifact:
    """Return the lessons that `make` makes. Raises TooManyRejects where none is left, also where `--until` ends the run there."""
    try:
        made = make()
    except UntilReached:
        _require_lessons(shop.done[-1].artifact, shop)
        raise
    _require_lessons(made, shop)
    return made


def _require_lessons(made: Artifact, shop: Workshop) -> None:
    if made.count("lessons"):
        return
    why = Counter(reason for (reason,) in made.columns(Rejected, "reason") if reason != GOES_UP)
    if why:
        ((reason, most),) = why.most_common(1)
        key = LOOK_AT.get(reason, "teach.prompt" if made.stage == "teach" else "screens")
        verb, run = "review" if made.stage == "teach" else "report", shop.folder.path.name if shop.folder else "RUN"
        raise TooManyRejects(
            f"no lesson is left, so nothing is trained: `{made.stage}` rejected {why.total():,} ({most:,} as `{reason}`). "
            f"`orcamath {verb} {run}` shows some of each reason; the setting to look at first is `{key}`. The calls stay "
            f"remembered",
            key=key,
        )
    if made.stage == "teach" and (without := made.said(TeachFacts).without):
        raise TooManyRejects(
            f"no lesson is left, so nothing is trained; {without_lesson(without, made.count('problems'))}. Name the column of "
            f"solutions (`columns: {{solution: …}}`), or let a teacher solve them (`teach: {{by: teacher}}`)",
            key="teach.by",
        )


def _solved(settings: TeachSettings, recipe: Recipe, shop: Workshop, problems: Artifact, which: str = "") -> Artifact:
    """Have problems solved: by the teacher, or by the cheapest rung of a ladder that verification accepts."""
    tools = shop.tools
    if recipe.ladder:
        rungs = [tools.chat(rung) for rung in (*recipe.ladder, recipe.teacher)]
        return shop.stage(teach_by_ladder.of(which), settings, problems, rungs)
    return shop.stage(teach.of(which), settings, problems, tools.chat(recipe.teacher))


def unmarked(shop: Workshop, taught: Artifact, which: str = "") -> Artifact:
    """Leave out what a reader marked as bad."""
    bad = marked_bad(taught, shop.reviewers.marks)
    return shop.stage(review.of(which), ReviewSettings(bad=bad), taught) if bad else taught


def grown_again(
    number: int,
    settings: GrowSettings,
    recipe: Recipe,
    shop: Workshop,
    lessons: Artifact,
    tests: Artifact,
    rounds: Sequence[Round],
) -> Artifact:
    """Harden what has become too easy, ask about what is too hard, have both solved; returns all lessons, gated again."""
    tools, writer, parts = shop.tools, recipe.writer or recipe.teacher, list[Artifact]()
    if recipe.suggester_editor is not None:
        easy = PickSettings(which="too_easy", **dict(settings))
        picked = shop.stage(pick.of(f"{number} easy"), easy, lessons, rounds)
        parts.append(shop.stage(edit.of(number), recipe.suggester_editor, picked, tools.chat(writer)))
    if recipe.ask_me_anything is not None:
        hard = PickSettings(which="too_hard", **dict(settings))
        picked = shop.stage(pick.of(f"{number} hard"), hard, lessons, rounds)
        parts.append(shop.stage(ask.of(number), recipe.ask_me_anything, picked, tools.chat(writer)))
    problems = shop.stage(collect.of(number), recipe.collect, parts)
    all_of_them = recipe.teach.model_copy(update={"max_problems": None, "by": "teacher"})
    taught = unmarked(shop, _solved(all_of_them, recipe, shop, problems, str(number)), str(number))
    together = shop.stage(grown.of(number), JoinSettings(), lessons, taught)
    return shop.stage(gate.of(number), recipe.gate, together, tests, tools.screens(recipe.screens))
