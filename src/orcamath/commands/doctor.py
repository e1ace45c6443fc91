"""Is this machine fit, and does the teacher answer? `orcamath doctor`."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from orcamath.commands.ending import say
from orcamath.commands.purse import UNLIMITED, Purse
from orcamath.errors import OrcamathError
from orcamath.ports import Request, Sampling
from orcamath.recipe_settings import Recipe
from orcamath.store.under_way import stage_under_way

__all__ = ["check_up"]


def check_up(recipe: str | None, purse: Purse = UNLIMITED) -> tuple[str, bool]:
    """Check the environment; with a recipe all that `run` checks, and one real call to its teacher. Returns (report, healthy)."""
    from orcamath.checks.whole import check
    from orcamath.recipe_file import load

    lines, healthy = [f"python {platform.python_version()} on {platform.system()} {platform.machine()}"], True
    for package in ("torch", "transformers", "pyarrow", "aiohttp", "peft", "datasets", "gguf"):
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package}: not installed{_needed_for(package)}")
    free = shutil.disk_usage(".").free / 1e9
    lines.append(f"{free:,.0f} GB free here, {os.cpu_count()} processors")
    if free < 2:
        lines.append("problem: less than 2 GB free; checkpoints and samples may not fit")
        healthy = False
    if recipe is not None:
        loaded = load(recipe)
        found = check(loaded, Path("store"))
        lines += [f"problem: {t.line()}" for t in found.troubles]
        said, answered = _teacher_says(loaded, purse) if not found.troubles else ("the teacher was not asked", False)
        lines.append(said)
        healthy = healthy and answered
        said, fine = _student_says(loaded)
        lines.append(said)
        healthy = healthy and fine
    return "\n".join(lines), healthy


def _needed_for(package: str) -> str:
    extra = {"torch": "student", "transformers": "student", "peft": "lora", "datasets": "hub", "gguf": "gguf"}.get(
        package
    )
    return f" (pip install 'orcamath[{extra}]')" if extra else ""


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
    from orcamath.families import find
    from orcamath.prompts import block
    from orcamath.prompts import load as load_prompt

    question = "Tom has 3 apples and buys 4 more. How many apples does Tom have now?"
    try:
        chat = find("backend", loaded.teacher.backend).open_chat(purse.settings(loaded.teacher))
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
    n = reply.usage.completion_tokens
    return f"teacher of `{loaded.name}` ({chat.fingerprint}) answered with {n} tokens: {reply.text[-80:]!r}", True
