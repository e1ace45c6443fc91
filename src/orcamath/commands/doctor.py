"""Is this machine fit, and does the teacher answer? `orcamath doctor`."""

import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from orcamath.checks.models import models_asked
from orcamath.checks.whole import check, free_bytes
from orcamath.commands.ending import say
from orcamath.commands.purse import UNLIMITED, Purse
from orcamath.errors import OrcamathError, UsageError
from orcamath.ports import Request, Sampling
from orcamath.recipe_settings import Recipe
from orcamath.store.under_way import stage_under_way

__all__ = ["check_up"]


def check_up(
    recipe: str | None,
    purse: Purse = UNLIMITED,
    *,
    runs: Path = Path("runs"),
    store: Path = Path("store"),
    writer: bool = False,
) -> tuple[str, bool]:
    """Check the environment; with a recipe all that `run` checks, and one real call to its teacher. Returns (report, healthy).

    `runs` and `store` are where the run would lie. `writer`: find the size of the recipe's writer too, by at most 20 calls.
    Raises UsageError where there is no recipe then.
    """
    from orcamath.recipe_file import load

    if writer and recipe is None:
        raise UsageError("--writer tries the writer of a recipe; name one: `orcamath doctor recipe.yaml --writer`")
    told = list(_machine_says(store))
    if recipe is not None:
        told += _recipe_says(load(recipe), purse, runs, store, writer=writer)
    return "\n".join(line for line, _ in told), all(fine for _, fine in told)


def _machine_says(store: Path) -> Iterator[tuple[str, bool]]:
    yield f"python {platform.python_version()} on {platform.system()} {platform.machine()}", True
    yield from ((line, True) for line in _packages())
    free = free_bytes(store) / 1e9
    yield f"{free:,.0f} GB free here, {os.cpu_count()} processors", True
    if free < 2:
        yield "problem: less than 2 GB free; checkpoints and samples may not fit", False


def _recipe_says(recipe: Recipe, purse: Purse, runs: Path, store: Path, *, writer: bool) -> Iterator[tuple[str, bool]]:
    found = check(recipe, store)
    yield from ((f"problem: {t.line()}", False) for t in found.troubles)
    yield from ((f"warning: {w}", True) for w in found.warnings)
    if not found.troubles:
        yield _disk_says(recipe, runs, store)
    # what is wrong elsewhere is no reason to hide that the teacher, too, does not answer
    sections = {t.where.partition(".")[0] for t in found.troubles}
    if "teacher" not in models_asked(recipe):
        yield "the recipe asks no teacher", True
    elif sections & ASKED_BY:
        yield "the teacher was not asked: mend first what is said of it", False
    else:
        yield _teacher_says(recipe, purse)
    if writer and not sections & {*ASKED_BY, "writer"}:
        yield _writer_says(recipe, purse)
    yield _student_says(recipe)


ASKED_BY = frozenset({"teacher", "budget"})
"""The sections of a recipe by which its teacher is asked."""


OF_DEVELOPERS = ("dev", "docs", "browser")
"""Extras that nobody needs to run a recipe."""
_WANTED = re.compile(r"([\w.-]+)[^;]*(?:;.*extra == ['\"]([\w-]+)['\"])?")


def _packages() -> Iterator[str]:
    """Yield what this package needs and has here: one line for itself, one an extra, with how to get what is missing."""
    by_extra: dict[str, dict[str, str | None]] = {"": {}}
    for wanted in requires("orcamath") or ():
        if (found := _WANTED.match(wanted)) is not None and found[2] not in OF_DEVELOPERS:
            by_extra.setdefault(found[2] or "", {})[found[1]] = _version(found[1])
    for extra, versions in by_extra.items():
        missing = [name for name, v in versions.items() if v is None]
        here = ", ".join(f"{name} {v}" for name, v in versions.items() if v is not None)
        get = (
            f"{'; ' if here else ''}not installed: {', '.join(missing)} (pip install 'orcamath[{extra}]')"
            if missing
            else ""
        )
        yield f"{f'extra {extra}' if extra else 'needed'}: {here}{get}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _disk_says(recipe: Recipe, runs: Path, store: Path) -> tuple[str, bool]:
    """Hold what the plan says a run writes against what is free here."""
    from orcamath.commands.costs import planned
    from orcamath.commands.disk import disk_of
    from orcamath.report.progress import Bars
    from orcamath.store.artifacts import Store

    try:
        disk = disk_of(recipe, planned(recipe, Store(store), Bars(), fetches=True), runs / recipe.name, store)
    except OrcamathError as e:
        return f"problem: what a run writes cannot be planned: {e}", False
    return f"{'' if disk.holds else 'problem: '}{disk.line()}", disk.holds


def _student_says(recipe: Recipe) -> tuple[str, bool]:
    """Check the base student's tokenizer and template, where it is on this machine; weights are not loaded."""
    from orcamath.assemble import student_folder

    name = student_folder(recipe.student)
    if not Path(name).exists():
        return f"student `{name}` is not on this machine yet; `orcamath check-model` checks it", True
    try:
        from orcamath.student.conformance import check_template
        from orcamath.student.encode import Encoder
        from orcamath.student.model import open_folder

        found = check_template(Encoder.of(open_folder(name)), "How much is 2 + 3?")
    except (OrcamathError, ImportError) as e:
        return f"problem: the student `{name}` cannot be checked: {e}", False
    return f"{'' if found.holds else 'problem: '}template of the student `{name}`: {found.seen}", found.holds


def _teacher_says(loaded: Recipe, purse: Purse) -> tuple[str, bool]:
    """Make one real call, past the ledger: a check that answers from memory checks nothing."""
    from orcamath.held import held
    from orcamath.prompts import block, load_prompt

    question = "Tom has 3 apples and buys 4 more. How many apples does Tom have now?"
    try:
        chat = held("backend", loaded.teacher.backend)(purse.settings(loaded.teacher))
        messages = load_prompt("solver").messages({"problem": block("problem", question)})
        teacher = loaded.teacher
        waits = f"up to {teacher.timeout_s:g} s a try, {teacher.max_tries} tries"
        say(f"waiting for the teacher `{teacher.model or teacher.backend}` to answer one question: {waits}")
        with purse.opened() as budget, stage_under_way("doctor", budget):
            (reply,) = chat([Request(messages, sampling=Sampling(max_tokens=400))])
    except OrcamathError as e:
        return f"problem: the teacher of `{loaded.name}` cannot be asked: {e}", False
    if reply.error is not None:
        return f"problem: the teacher of `{loaded.name}` did not answer: {reply.error}", False
    n, who = reply.usage.completion_tokens, f"the teacher `{teacher.model or teacher.backend}` of `{loaded.name}`"
    return f"{who} answered with {n} tokens: {reply.text[-80:]!r}", True


def _writer_says(loaded: Recipe, purse: Purse) -> tuple[str, bool]:
    """Try the writer in every way of asking until one fits, past the ledger, and name its `writer_size`."""
    from orcamath.agents.ask_me_anything import AskSettings
    from orcamath.agents.pilot import pilot
    from orcamath.held import held

    model = loaded.writer or loaded.teacher
    name, lines, n_calls = model.model or model.backend, [], 0
    try:
        chat = held("backend", model.backend)(purse.settings(model))
        say(f"trying the writer `{name}`: at most 20 calls")
        with purse.opened() as budget, stage_under_way("doctor", budget):
            for trial in pilot(chat, loaded.ask_me_anything or AskSettings()):
                n_calls += trial.n_calls
                lost = ", ".join(f"{reason} {n}" for reason, n in trial.lost.most_common(4))
                kept = f"{len(trial.kept)} of {trial.n_numbers} numbers became problems"
                lines.append(f"  as {trial.size}: {kept}{f'; not kept: {lost}' if lost else ''}")
                lines += [f"    {p.question} ⇒ {p.answer}" for p in trial.kept[:3]]
    except OrcamathError as e:
        return f"problem: the writer of `{loaded.name}` cannot be tried: {e}", False
    found = f"`writer_size: {trial.size}` fits" if trial.enough else "problem: too small a writer in every way"
    recipe = f"; the recipe says {loaded.writer_size}" if trial.enough and trial.size != loaded.writer_size else ""
    return "\n".join([f"writer `{name}`, {n_calls} calls: {found}{recipe}", *lines]), trial.enough
