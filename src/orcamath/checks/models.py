"""The models of a recipe: endpoints, keys and prices; the student and local teachers; what their training needs here.

In: a recipe. Out: troubles. Nothing is sent and no weights are read; a student's configuration, tokenizer and template are.
"""

import importlib.util
import math
import os
import shlex
import shutil
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from orcamath.assemble import size_of, student_folder
from orcamath.backends.served import lacking
from orcamath.backends.wire_keys import door_of
from orcamath.checks.trouble import Notes
from orcamath.errors import OrcamathError, UsageError
from orcamath.held import held
from orcamath.plan.sizes import size_by_name
from orcamath.recipe_settings import Recipe, look_wanted
from orcamath.records import Problem
from orcamath.settings import ModelSettings, read_options
from orcamath.sources.source import Unsplit, is_generated
from orcamath.stages.evaluate import EvaluateSettings
from orcamath.stages.practice import PracticeSettings
from orcamath.store.hosts import OPENAI, host_named, is_loopback
from orcamath.store.prices import price_of
from orcamath.student.settings import TrainSettings

if TYPE_CHECKING:
    from orcamath.plan.sizes import ModelSize
    from orcamath.student.encode import Encoder

__all__ = ["check_models", "models_asked", "require_for", "trainings"]

ANSWER_TOKENS = 16
"""The least room for an answer beside a prompt."""
GPU_BYTES = 80e9
"""Memory of a large GPU, for the least number of them that hold a model's weights in 16 bits."""


def check_models(recipe: Recipe, notes: Notes, *, student: bool = True, on_cluster: bool = False) -> None:
    """Check every model that is called, then the student: its files, its template, and what training it needs here."""
    for key, model in models_asked(recipe).items():
        _called(key, model, recipe.budget.cap_usd, notes)
    _ladder(recipe, notes)
    if student:
        _judge(recipe, notes)
        _left_out(recipe, notes)
        for i, step in enumerate(recipe.iterations):
            if step.practice.server is not None and step.more_sft is None and step.online is None:
                _served(f"iterations.{i}.practice.server", step.practice.server.line(), notes, on_cluster=on_cluster)
        _extras(recipe, notes)
        _devices(recipe, notes, on_cluster=on_cluster)
        if _installed("torch"):
            _student(recipe, notes)


def _left_out(recipe: Recipe, notes: Notes) -> None:
    """Warn where the recipe names no student and its problems are its own: the one that would be trained is a small stand-in."""
    own = recipe.start_from is not None
    with suppress(OrcamathError):  # `check_names` says so
        own = own or not all(is_generated(held("source", source.name)) for source in recipe.seeds.sources)
    if own and "student" not in recipe.model_fields_set:
        what = f"none is named, so `{recipe.student.base}` would be trained, which is a toy for problems of its own"
        notes.warn("student.base", f"{what}: name a model, or stop before it with `--until gate`")


def _judge(recipe: Recipe, notes: Notes) -> None:
    """Note a judge that cannot judge without a model where the recipe names none."""
    if recipe.judge_model is None:
        with notes.at("judge"), suppress(ImportError):  # a package that is missing is told with the extras
            held("judge", recipe.judge.name)(recipe.judge, None)


def _served(key: str, line: str, notes: Notes, *, on_cluster: bool) -> None:
    """Note a server that cannot be started here, or that nobody would know."""
    if missing := lacking(line):
        notes.trouble(key, f"`{line}` lacks {', '.join(missing)}: put it where the command takes it")
    program = shlex.split(line)[:1]
    if not on_cluster and program and shutil.which(program[0]) is None:
        what = f"the program `{program[0]}` is not on this machine's PATH; install it, or write its whole path in `command`"
        notes.lacks(key, what)


def models_asked(recipe: Recipe) -> dict[str, ModelSettings]:
    """Return the models that a run sends calls to, by their section of the recipe."""
    return {key: model for key, model in recipe.models().items() if key != "teacher" or _teacher_is_asked(recipe)}


def _ladder(recipe: Recipe, notes: Notes) -> None:
    """Note a rung that costs more than the one above it."""
    prices = []
    for model in (*recipe.ladder, recipe.teacher) if recipe.ladder else ():
        try:
            prices.append(price_of(model))
        except OrcamathError:
            return  # said above
    for i, (price, above) in enumerate(pairwise(prices)):
        if price.prompt >= above.prompt and price.completion >= above.completion and price != above:
            cost = f"${price.prompt:g} and ${price.completion:g} a million tokens"
            notes.trouble(f"ladder.{i}", f"{cost} are more than those of the next rung; put the cheaper first")


def _teacher_is_asked(recipe: Recipe) -> bool:
    """Tell whether any call goes to the teacher: lessons of the seeds' own, or of the user's, need none; growing again does."""
    if any(step.grow is not None for step in recipe.iterations):
        return True
    if recipe.start_from is not None and recipe.start_from.stage != "problems":
        return recipe.reask is not None
    agents = recipe.ask_me_anything is not None or recipe.suggester_editor is not None or bool(recipe.agents)
    writes = recipe.writer is None and agents and recipe.start_from is None
    solves = recipe.confirm is not None and recipe.solver is None
    return recipe.teach.by == "teacher" or writes or solves or recipe.reask is not None


def _called(key: str, model: ModelSettings, cap_usd: float | None, notes: Notes) -> None:
    if model.backend == "transformers_local":
        _encoder(f"{key}.model", model.model, model.revision, notes)
        return
    with notes.at(key):
        price_of(model)
    if cap_usd is not None and cap_usd <= 0 and model.backend.startswith("openai"):
        notes.trouble("budget.cap_usd", f"${cap_usd:g} allows no call to `{model.model}`; raise it, or leave it out")
    if not notes.everything:
        if model.backend.startswith("openai"):
            notes.left_out(f"{key}: whether `{model.model}` answers, and its key")
        return
    try:
        open_chat = held("backend", model.backend)
    except OrcamathError:
        return  # `check_names` says so
    with notes.at(key):
        open_chat(model)
        if model.backend.startswith("openai"):
            door_of(model, model.base_url or OPENAI)


_TRACKERS = ("tensorboard", "trackio", "wandb")
_PACKAGES = {
    "peft": "lora",
    "gguf": "gguf",
    "datasets": "hub",
    "torch": "student",
    **{name: name for name in _TRACKERS},
}


def _extras(recipe: Recipe, notes: Notes) -> None:
    """Note packages that are missing for what the recipe asks for."""
    wanted = {"torch": "student"}
    if any(t.adapter is not None for t in trainings(recipe).values()):
        wanted["peft"] = "adapter"
    if any(t.adapter is not None and t.adapter.quantize == "4bit" for t in trainings(recipe).values()):
        wanted["bitsandbytes"] = "adapter.quantize: 4bit"
    wanted |= {name: f"trackers: [{name}]" for name in recipe.trackers if name in _TRACKERS}
    if recipe.student.base.endswith(".gguf"):
        wanted["gguf"] = "student.base"
    for package, where in wanted.items():
        if not _installed(package):
            notes.lacks(where, _needs(package))


def _needs(package: str) -> str:
    extra = f"pip install 'orcamath[{_PACKAGES[package]}]'" if package in _PACKAGES else f"pip install {package}"
    return f"needs the package `{package}`, which is not installed: {extra}"


def require_for(what: str, package: str) -> None:
    """Raise UsageError where what a command is told to use needs a package that is not installed."""
    if not _installed(package):
        raise UsageError(f"{what} {_needs(package)}")


def _devices(recipe: Recipe, notes: Notes, *, on_cluster: bool) -> None:
    """Note where training needs a GPU, or more of them, than are here."""
    if not _installed("torch"):
        return
    from orcamath.student.processes import n_gpus

    here = n_gpus()
    for key, training in trainings(recipe).items():
        if training.adapter is not None and training.adapter.quantize == "4bit" and not here:
            what = "4bit needs a GPU, and torch sees none here; leave it out, or train elsewhere"
            notes.lacks(f"{key}.adapter.quantize", what)
        elif here and not on_cluster and training.processes > here:
            what = f"{training.processes} are more than the {here} GPUs that torch sees; one a GPU at most"
            notes.lacks(f"{key}.processes", what)
    if here and not on_cluster and "CUDA_VISIBLE_DEVICES" not in os.environ:
        _shared_with_servers(recipe, here, notes)


def _shared_with_servers(recipe: Recipe, here: int, notes: Notes) -> None:
    """Warn where a model is served by this machine too: its GPUs are not told apart from those of the student."""
    served = {
        (m.base_url, m.model): key
        for key, m in models_asked(recipe).items()
        if is_loopback(host_named(m.base_url or ""))
    }
    sizes = {key: size for (_, name), key in served.items() if (size := size_by_name(name)) is not None}
    if not sizes:
        return
    wanted = {key: math.ceil(2 * size.n_params / GPU_BYTES) for key, size in sizes.items()}
    processes = max(training.processes for training in trainings(recipe).values())
    least = processes + sum(wanted.values())
    few = f"together they want at least {least} GPUs, and torch sees {here}; " if least > here else ""
    for key in wanted:
        what = f"this machine serves `{recipe.models()[key].model}`, and the student takes its GPUs from number 0 on: {few}"
        notes.warn(f"{key}.base_url", f"{what}give the server and this run their own by CUDA_VISIBLE_DEVICES")


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # a module set aside on purpose (`sys.modules[name] = None`)
        return False


def trainings(recipe: Recipe) -> dict[str, TrainSettings]:
    """Return the settings of every training, by their place in the recipe."""
    found: dict[str, TrainSettings] = {"imitate": recipe.imitate}
    look = look_wanted(recipe)
    if look is not None and look.more_sft is not None:
        found["readiness.more_sft"] = look.more_sft
    for i, step in enumerate(recipe.iterations):
        ways = {"more_sft": step.more_sft, "online": step.online, "learn": step.learn}
        way, settings = next((way, settings) for way, settings in ways.items() if settings is not None)
        found[f"iterations.{i}.{way}"] = settings
    return found


def _student(recipe: Recipe, notes: Notes) -> None:
    from orcamath.backends.transformers_local import LocalOptions

    where = "student.base"
    with notes.at("student.options"):
        read_options(LocalOptions, recipe.student.options, "the student")
    base = student_folder(recipe.student)
    encoder = _encoder(where, base, recipe.student.revision, notes)
    if encoder is None:
        return
    with notes.at(where):
        n = len(encoder.prompt(_example(recipe)))
        for key, training in trainings(recipe).items():
            if training.max_tokens < n + ANSWER_TOKENS:
                what = f"{training.max_tokens} do not hold one example (a question alone takes {n}); raise it"
                notes.trouble(f"{key}.max_tokens", what)
        _context(recipe, n, notes)


def _student_size(recipe: Recipe, notes: Notes) -> "ModelSize | None":
    """Return how large a recipe's student is, read once for all its arms; None where nothing tells. Raises as `size_of`."""
    if recipe.student.base not in notes.sizes:
        notes.sizes[recipe.student.base] = size_of(recipe.student)
    return notes.sizes[recipe.student.base]


def _context(recipe: Recipe, n: int, notes: Notes) -> None:
    """Note answers that would be cut at the student's context, beside a question of `n` tokens."""
    size = _student_size(recipe, notes)
    if size is None or size.context is None:
        return
    room = size.context - n
    if room < ANSWER_TOKENS:
        what = (
            f"its context of {size.context} tokens holds no answer beside a question ({n} tokens); name another model"
        )
        notes.trouble("student.base", what)
        return
    wanted = {"evaluate.max_new_tokens": _told(recipe.evaluate)}
    if (look := look_wanted(recipe)) is not None:
        wanted["readiness.evaluate.max_new_tokens"] = _told(look.evaluate)
    for i, step in enumerate(recipe.iterations):
        wanted[f"iterations.{i}.practice.max_new_tokens"] = _told(step.practice)
    for key, tokens in wanted.items():
        if tokens > room:
            what = f"{tokens} and a question ({n} tokens) do not fit the student's context of {size.context}"
            notes.warn(key, f"{what}: answers are cut at {room}; lower it")


def _told(settings: EvaluateSettings | PracticeSettings) -> int:
    """Return how long an answer may get by the recipe; 0 where it leaves that open."""
    return settings.max_new_tokens if "max_new_tokens" in settings.model_fields_set else 0


def _example(recipe: Recipe) -> str:
    """Return the first question of the recipe's own data, or one of ours where it cannot be read here."""
    for source in recipe.seeds.sources:
        with suppress(OrcamathError):  # `check_names` and `check_data` say so
            read = held("source", source.name)
            for found in read(source) if source.path is not None or is_generated(read) else ():
                if isinstance(found, Unsplit):
                    return found.problem.question
                if isinstance(found, Problem):
                    return found.question
    return "Tom has 3 apples and buys 4 more. How many apples does Tom have now?"


def _encoder(where: str, name: str, revision: str | None, notes: Notes) -> "Encoder | None":
    """Return a local model's tokenizer with its template, after a look at its files; None where it is not here or not fit."""
    if not _installed("transformers"):
        return None
    from orcamath.student.encode import Encoder
    from orcamath.student.model import load_tokenizer, local_folder, look_at

    remote = not Path(name).expanduser().exists() and name.count("/") == 1 and not name.startswith((".", "/", "~"))
    if remote and not notes.everything:
        notes.left_out(f"{where}: `{name}` comes from the hub")
        return None
    with notes.at(where):
        if (name, revision) not in notes.encoders:
            path = local_folder(name, revision)
            look_at(path)
            notes.encoders[name, revision] = Encoder(load_tokenizer(path))
        return notes.encoders[name, revision]
    return None
