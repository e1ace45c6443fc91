"""Many recipes over shared stages: the base and its arms, a few at a time, each arm in a process of its own.

Sharing needs no plan: arms that ask for the same stage get the same digest, and the second finds it sealed (or waits for
the first). Arms that train an M1 of their own run beside the base, the others after it; one whose M1 a running arm is making
lets others go first, since it would only wait. A control that must see as many tokens as another arm runs after that one.
Several seeds of training are arms as well: the base and each arm again, with another seed from M1 on.
"""

import os
import signal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import active_children, get_context
from typing import NamedTuple, TypeVar

from orcamath.errors import Stopped
from orcamath.recipe_settings import Recipe
from orcamath.records import Settings
from orcamath.signals import hearing_interrupts, remember_interrupts
from orcamath.stages.practice import PracticeSettings

S = TypeVar("S", bound=Settings)

__all__ = ["TO_LESSONS", "TO_M1", "Arm", "first_students_own", "matched", "run_arms", "seeded"]


TO_LESSONS = (
    "start_from",
    "seeds",
    "as_they_are",
    "benchmarks",
    "writer",
    "teacher",
    "ladder",
    "ask_me_anything",
    "suggester_editor",
    "agents",
    "collect",
    "teach",
    "solver",
    "confirm",
)
"""The sections of a recipe that decide on its problems and lessons."""
TO_M1 = (*TO_LESSONS, "gate", "screens", "student", "imitate")
"""Those that make its first student."""


class Arm(NamedTuple):
    """One arm's recipe and, once it ran, the counted tokens of each of its training stages (iteration 1 first)."""

    name: str
    recipe: Recipe
    tokens: tuple[int, ...] = ()


def matched(recipe: Recipe, tokens: tuple[int, ...]) -> Recipe:
    """Return a control's recipe with each iteration's `more_sft` set to see exactly the other arm's counted tokens."""
    steps = []
    for step, budget in zip(recipe.iterations, tokens[1:], strict=True):
        sft = step.more_sft
        steps.append(
            step
            if sft is None
            else step.model_copy(
                update={"more_sft": sft.model_copy(update={"train_tokens": budget, "train_steps": None})}
            )
        )
    return recipe.model_copy(update={"iterations": tuple(steps)})


def seeded(recipe: Recipe, seed: int, base: str | None = None) -> Recipe:
    """Return the recipe with this seed in all of its training, and begun from another `base` where one is given. Problems
    and benchmarks stay what they are; so do lessons and practised problems, unless the recipe says `repeat_lessons`."""

    def sown(settings: S | None) -> S | None:
        return None if settings is None else settings.model_copy(update={"seed": seed})

    steps = [
        i.model_copy(update={"learn": sown(i.learn), "more_sft": sown(i.more_sft), "online": sown(i.online)})
        for i in recipe.iterations
    ]
    update: dict[str, Settings | None] = {"imitate": sown(recipe.imitate), "learn": sown(recipe.learn)}
    if recipe.readiness is not None:
        update["readiness"] = recipe.readiness.model_copy(update={"more_sft": sown(recipe.readiness.more_sft)})
    if base is not None:
        update["student"] = recipe.student.model_copy(update={"base": base})
    if recipe.repeat_lessons:
        update["teach"] = sown(recipe.teach)
        steps = [i.model_copy(update={"practice": _elsewhere(i.practice, seed)}) for i in steps]
    return recipe.model_copy(update={**update, "iterations": tuple(steps)})


def _elsewhere(practice: PracticeSettings, seed: int) -> PracticeSettings:
    # iterations may name seeds of their own, so that each practises on other problems
    return practice.model_copy(update={"seed": practice.seed + 1000 * seed})


def first_students_own(recipe: Recipe, base: Recipe) -> bool:
    """Tell whether an arm trains an M1 of its own, and so need not wait for the base recipe's."""
    return _first_student(recipe) != _first_student(base)


def _first_student(recipe: Recipe) -> tuple[object, ...]:
    """Return what a recipe's M1 is made of."""
    return tuple(getattr(recipe, section) for section in TO_M1)


def _best_of(ready: Mapping[str, Recipe], running: Sequence[Arm], done: Sequence[Arm]) -> str:
    """Return the first arm that need not wait for an M1 which a running one is making; the first of all where each would."""
    made = [_first_student(arm.recipe) for arm in done]
    making = [m1 for arm in running if (m1 := _first_student(arm.recipe)) not in made]
    return min(ready, key=lambda name: _first_student(ready[name]) in making)


def run_arms(
    recipes: Mapping[str, Recipe],
    run_one: Callable[[str, Recipe], tuple[int, ...]],
    workers: int,
    *,
    base: Callable[[], None] = lambda: None,
    beside: Callable[[Recipe], bool] = lambda _: False,
) -> Iterator[Arm]:
    """Run `base` here and every arm in a process, and yield an arm when it is done, controls after what they are matched to.

    While `base` runs it counts as one of the `workers`, and only arms of which `beside` is true run with it.
    `run_one(name, recipe)` must be picklable; it returns the counted tokens of the arm's training stages. The first
    error stops handing out arms, lets the running ones end, and is raised; Stopped where a process was killed. An interrupt
    of this process interrupts theirs.
    """
    waiting = dict(recipes)
    done: dict[str, Arm] = {}
    running: dict[Future[tuple[int, ...]], Arm] = {}

    def hand_out(pool: ProcessPoolExecutor, at_once: int, wanted: Callable[[Recipe], bool]) -> None:
        ready = {name: r for name, r in waiting.items() if wanted(r) and (r.match_tokens_of or "") in {"", *done}}
        while ready and len(running) < at_once:
            name = _best_of(ready, list(running.values()), list(done.values()))
            recipe, target = ready.pop(name), waiting.pop(name).match_tokens_of
            recipe = recipe if target is None else matched(recipe, done[target].tokens)
            running[pool.submit(_heard, run_one, name, recipe)] = Arm(name, recipe)

    with _processes(workers, running) as pool:
        hand_out(pool, workers - 1, beside)
        base()
        while waiting or running:
            hand_out(pool, workers, lambda _: True)
            if not running:
                raise AssertionError(f"arms wait for each other: {sorted(waiting)}")
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                arm = running.pop(future)
                try:
                    done[arm.name] = arm._replace(tokens=future.result())
                except BrokenProcessPool as e:  # that of any of them: all others are ended with it
                    killed = ", ".join(f"`{a.name}`" for a in (arm, *running.values()))
                    raise Stopped(
                        f"the process of an arm was killed, as a machine does whose memory is full; at work were {killed}. What "
                        f"was sealed is kept: run again, with a lower `workers` if it was the memory"
                    ) from e
                yield done[arm.name]


@contextmanager
def _processes(n: int, running: Collection[Future[tuple[int, ...]]]) -> Iterator[ProcessPoolExecutor]:
    """Open `n` processes, which an error lets end. No terminal interrupts them, this one does, and once more kills them."""
    others = {p.pid for p in active_children()}
    pool = ProcessPoolExecutor(n, mp_context=get_context("spawn"), initializer=_idle)
    try:
        try:
            yield pool
        except Exception:
            wait(running)
            raise
    except (KeyboardInterrupt, GeneratorExit):  # GeneratorExit: whoever reads arms was interrupted
        own = [p for p in active_children() if p.pid not in others]
        with suppress(KeyboardInterrupt):
            for process in own:
                if process.pid is not None and process.is_alive():
                    os.kill(process.pid, signal.SIGINT)
            wait(running)
        for process in own:  # each is done, or not to be waited for; what was sealed is kept either way
            process.kill()
        raise
    finally:
        pool.shutdown()


def _idle() -> None:
    """Leave the terminal's group, and hear no interrupt but at work: one that comes while that is still unpacked ends it."""
    os.setpgrp()
    remember_interrupts()


def _heard(run_one: Callable[[str, Recipe], tuple[int, ...]], name: str, recipe: Recipe) -> tuple[int, ...]:
    with hearing_interrupts():
        return run_one(name, recipe)
