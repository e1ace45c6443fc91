"""A chapter of the recipe: problems become lessons, first of all and whenever practice asks for more.

In: problems, or earlier rounds of practice. Out: lessons. As in `recipe`, every line that says `stage` is made once.
"""

from collections.abc import Sequence

from orcamath.errors import TooManyRejects
from orcamath.recipe_settings import Recipe
from orcamath.stages.aiming import Round
from orcamath.stages.ask import ask
from orcamath.stages.collect import collect
from orcamath.stages.edit import edit
from orcamath.stages.gate import gate
from orcamath.stages.grow import GrowSettings, JoinSettings, PickSettings, grown, pick
from orcamath.stages.ladder import teach_by_ladder
from orcamath.stages.review import ReviewSettings, marked_bad, review
from orcamath.stages.teach import TeachSettings, teach, teach_from_seeds
from orcamath.store.artifacts import Artifact
from orcamath.worked import FEW_WORDS
from orcamath.workshop import Workshop

__all__ = ["first_lessons", "grown_again", "unmarked"]


def first_lessons(recipe: Recipe, shop: Workshop, problems: Artifact) -> Artifact:
    """Make the lessons that the first student imitates. Raises TooManyRejects where there is none: nothing could be trained."""
    if recipe.teach.by == "seeds":
        taught = shop.stage(teach_from_seeds, recipe.teach, problems)
        tried = taught.count("problems")
        why = (
            f"none of {tried:,} problems has a solution of its own that reaches its answer in {FEW_WORDS} words or more, so "
            f"nothing is trained; name their column (`columns: {{solution: …}}`), or let a teacher solve them "
            f"(`teach: {{by: teacher}}`)"
        )
    else:
        taught = _solved(recipe.teach, recipe, shop, problems)
        tried = int(taught.balance["asked"])
        why = (
            f"of {tried:,} solutions no lesson is left, so nothing is trained; the calls stay remembered. "
            f"`orcamath report {recipe.name}` shows why each was rejected"
        )
    if tried and not taught.count("lessons"):
        raise TooManyRejects(why)
    return taught


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
