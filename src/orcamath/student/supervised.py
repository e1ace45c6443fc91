"""Supervised training on lessons: what `imitate` does once torch is loaded."""

import math

from orcamath.errors import TooManyRejects
from orcamath.records import Lesson
from orcamath.store.artifacts import Artifact, Output
from orcamath.student.adapters import quantize_of, training_dtype
from orcamath.student.encode import Encoder
from orcamath.student.facts import ImitateFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.groups import Group
from orcamath.student.loop import Training, epoch_steps, planned_steps, train
from orcamath.student.losses.nll import loss as nll
from orcamath.student.model import load_model
from orcamath.student.prepare import mostly_rounded, prepared, write_student
from orcamath.student.processes import ALONE, World
from orcamath.student.settings import LossSettings, SftSettings
from orcamath.student.steps import Objective, Referenced

__all__ = ["train_on_lessons"]


def train_on_lessons(
    out: Output,
    settings: SftSettings,
    lessons: Artifact,
    base: ModelFolder,
    world: World = ALONE,
) -> ImitateFacts:
    """Do the work of the stage `imitate`."""
    loaded = load_model(base, dtype=training_dtype(settings), quantize=quantize_of(settings), to_train=True)
    groups, n_cut, n_long = _lesson_groups(lessons, Encoder(loaded.tokenizer, settings.max_tokens))
    if not groups:
        why = (
            f"all {n_long:,} are longer than `max_tokens: {settings.max_tokens}`; raise it"
            if n_long
            else "the stages before left none; `orcamath report RUN` shows what they rejected, and why"
        )
        raise TooManyRejects(f"there is no lesson to learn from: {why}")
    steps = _steps(groups, settings)
    ready = [Referenced(g, (0.0,)) for g in groups]
    objective = Objective(nll, LossSettings())
    model = prepared(loaded, settings, world)
    work = Training(model, settings, ready, steps, objective)
    done = train(work, out.scratch / "steps", out.progress, out.metric, world)
    written = write_student(model, loaded, base, out.folder / "model", settings, world)
    return ImitateFacts(
        n_lessons=len(groups),
        n_cut=n_cut,
        n_too_long=n_long,
        n_answer_tokens=sum(len(groups[k].responses[0]) for s in steps for k in s),
        base=base.fingerprint,
        warnings=mostly_rounded(written, settings),
        **written._asdict(),
        **done._asdict(),
    )


def _lesson_groups(lessons: Artifact, encoder: Encoder) -> tuple[list[Group], int, int]:
    """Tokenise lessons: groups of one right answer, how many were cut, how many prompts leave no room at all."""
    groups, n_cut, n_long = [], 0, 0
    for lesson in lessons.read(Lesson):
        encoded = encoder.join(encoder.prompt(lesson.asked), encoder.answer(lesson.answer))
        if encoded is None:
            n_long += 1
            continue
        n_cut += encoded.truncated
        prompt, answer = encoded.ids[: encoded.n_prompt], encoded.ids[encoded.n_prompt :]
        groups.append(Group(lesson.id, prompt, (answer,), (True,), (1.0,), (), (False,)))
    return groups, n_cut, n_long


def _steps(groups: list[Group], settings: SftSettings) -> list[list[int]]:
    if settings.train_steps is not None:
        epochs = math.ceil(settings.train_steps / epoch_steps(len(groups), settings))
        return planned_steps(len(groups), settings.model_copy(update={"epochs": float(epochs)}))[: settings.train_steps]
    if settings.train_tokens is None:
        return planned_steps(len(groups), settings)
    epochs = math.ceil(settings.train_tokens / sum(g.n_tokens for g in groups))
    steps, counted = [], 0
    for step in planned_steps(len(groups), settings.model_copy(update={"epochs": float(epochs)})):
        if counted >= settings.train_tokens:
            break
        steps.append(step)
        counted += sum(groups[k].n_tokens for k in step)
    return steps
