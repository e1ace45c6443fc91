"""The labels of the stages that a recipe will ask for, in order, without making anything: what is still to come.

It follows `recipe.run` line by line; a test holds the two against each other.
"""

from collections.abc import Iterator

from orcamath.recipe_settings import Recipe, look_wanted

__all__ = ["outline"]


def outline(recipe: Recipe) -> list[str]:
    """Return the labels that running this recipe gives its stages; its arms have outlines of their own.

    Without `review`, which is made only where a reader marked something bad.
    """
    start = recipe.start_from.stage if recipe.start_from is not None else "seeds"
    labels = ["benchmarks"]
    if start == "verdicts":
        return [*labels, "verdicts", "preferences 2", "learn 2", "evaluate M2"]
    if start == "lessons":
        labels.append("lessons")
    elif start == "problems":
        labels.append("problems")
    else:
        labels.append("seeds")
        labels += ["ask"] * (recipe.ask_me_anything is not None)
        labels += ["edit"] * (recipe.suggester_editor is not None)
        labels += [f"agent {agent.title}" for agent in recipe.agents]
        labels += ["seeds as they are"] * (recipe.as_they_are is not None)
        labels.append("collect")
    labels += ["teach"] * (start != "lessons")
    bases = [f"evaluate base {n}" for n in recipe.base_shown]
    labels += ["confirm"] * (recipe.confirm is not None)
    return [*labels, "gate", "unseen", *bases, "imitate", "evaluate M1", *_readiness(recipe), *_iterations(recipe)]


def _readiness(recipe: Recipe) -> Iterator[str]:
    if (look := look_wanted(recipe)) is not None:
        yield "evaluate M1 apart"
        if look.more_sft is not None:
            yield from ("imitate once more", "evaluate M1 once more")
        yield "readiness"


def _iterations(recipe: Recipe) -> Iterator[str]:
    for number, step in enumerate(recipe.iterations, start=2):
        if step.grow is not None:
            yield from _growth(number, recipe)
        if step.more_sft is not None:
            yield f"imitate {number}"
        elif step.online is not None:
            yield f"online {number}"
        else:
            if step.practice.until is not None:
                for n in range(1, step.practice.n_spells + 1):
                    yield from (f"practice {number}.{n}", f"judge {number}.{n}")
            yield from (f"practice {number}", f"judge {number}")
            if recipe.reask is not None:
                yield f"reask {number}"
            yield from (f"preferences {number}", f"learn {number}")
        yield f"evaluate M{number}"


def _growth(number: int, recipe: Recipe) -> Iterator[str]:
    if recipe.suggester_editor is not None:
        yield from (f"pick {number} easy", f"edit {number}")
    if recipe.ask_me_anything is not None:
        yield from (f"pick {number} hard", f"ask {number}")
    yield from (f"{stage} {number}" for stage in ("collect", "teach", "grown", "gate"))
