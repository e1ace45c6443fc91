"""What training, practice and measuring will need: tokens, memory, GPU hours and disk of each stage, from sizes and counts alone.

Memory: weights, gradients and AdamW's moments by parameter; activations a token and layer as measured on an unfused Llama
(`benchmarks/training_memory.py`; Korthikanti et al. 2022, arXiv 2205.05198, eq. 2 comes to 17 numbers a hidden unit). Time:
6 FLOPs a parameter and token (Kaplan et al. 2020, section 2.1), 2 of them for the weights' own gradient, which adapters do not
need; 2 more where activations are computed again, and 2 for a reference.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from orcamath.plan.ranges import Range
from orcamath.plan.sizes import ModelSize
from orcamath.recipe_settings import Iteration, Recipe, look_wanted
from orcamath.records import digest
from orcamath.student.settings import (
    KEPT_A_LAYER,
    TOKENS_AT_ONCE,
    AdapterSettings,
    SftSettings,
    TrainSettings,
)

__all__ = ["Lengths", "TrainingPlan", "exercises", "measuring", "memory_gb", "served_hours", "training_plans"]

TRAIN_SHARE, SAMPLE_SHARE, SERVED_SHARE = Range(0.2, 0.5), Range(0.02, 0.1), Range(0.1, 0.4)
"""How much of the GPU's peak is reached: training, sampling in this process, sampling behind a server."""
LOGITS_BYTES = (1 << 25) * 4  # logits are made in parts of at most this size, see student.logprobs
SLACK = Range(0.8, 1.3)
SAMPLE_BYTES = Range(300, 1000)
CHECKPOINTS = 4
"""At most so many at a time: the last two, the last end of an epoch, and the one that is being written."""


class Lengths(NamedTuple):
    """How many lessons there will be, and how long they are, in tokens."""

    lessons: Range
    unlearned: Range
    """Problems that are left over for practice on fresh ones."""
    question: Range
    answer: Range
    solutions: int = 1
    """Lessons of one problem; practice takes each problem once."""


class TrainingPlan(NamedTuple):
    """One stage on the student. None where the student's size is not known."""

    arm: str
    stage: str
    tokens: Range
    """Forwarded in training, or sampled in practice and on benchmarks."""
    memory_gb: Range | None
    gpu_hours: Range | None
    disk_mb: Range | None
    checkpoints_mb: float = 0.0
    """Of the upper end of `disk_mb`, what is removed when the stage is done."""


def training_plans(
    arm: str, recipe: Recipe, lengths: Lengths, size: ModelSize | None, tflops: float, done: set[str], data: str
) -> list[TrainingPlan]:
    """Return a recipe's stages on its student: imitation, then every round of practice and learning.

    `tflops`: the GPU's peak in the dtype of training (A100 in bfloat16: 312). `done`: names of the stages that other arms have
    listed already (arms share them); this recipe's are added. `data` names what the lessons are made of.
    """
    rows: list[TrainingPlan] = []

    def listed(rest: Callable[[], TrainingPlan], *made_of: object) -> str:
        name = digest(*made_of)
        if name not in done:
            done.add(name)
            rows.append(rest())
        return name

    student = digest(data, recipe.gate.identity(), recipe.student.identity())
    if recipe.start_from is None or recipe.start_from.stage != "verdicts":
        student = listed(
            lambda: _imitation(arm, "imitate", recipe.imitate, lengths, size, tflops),
            student,
            recipe.imitate.identity(),
        )
    if (look := look_wanted(recipe)) is not None and (again := look.more_sft) is not None:
        listed(partial(_imitation, arm, "imitate once more", again, lengths, size, tflops), student, again.identity())
    for n, step in enumerate(recipe.iterations, start=2):
        if (more := step.more_sft) is not None:
            make = partial(_imitation, arm, f"imitate {n}", more, lengths, size, tflops)
            student = listed(make, student, more.identity())
        elif step.online is not None:
            make = partial(_online, arm, f"online {n}", step, lengths, size, tflops)
            student = listed(make, student, step.online.identity(), step.practice.identity())
        else:
            make = partial(_practice, arm, f"practice {n}", step, lengths, size, tflops)
            practised = listed(make, student, step.practice.identity())
            make = partial(_learning, arm, f"learn {n}", step, lengths, size, tflops)
            student = listed(make, practised, step.preferences.identity(), step.learn.identity(), recipe.reference)
    return rows


def measuring(
    arm: str, recipe: Recipe, answers: int, lengths: Lengths, size: ModelSize | None, tflops: float
) -> TrainingPlan:
    """Return what so many answers to benchmark problems take, of all students of an arm together."""
    sampled = lengths.answer.at_most(recipe.evaluate.max_new_tokens).times(answers)
    return _sampling(arm, "evaluate", sampled, SAMPLE_BYTES.times(answers), SAMPLE_SHARE, size, tflops)


def _imitation(
    arm: str, stage: str, settings: SftSettings, lengths: Lengths, size: ModelSize | None, tflops: float
) -> TrainingPlan:
    read = lengths.lessons.times(settings.epochs)
    if settings.train_steps is not None:  # so many, whatever the lessons
        read = Range(1, 1).times(settings.train_steps * settings.batch_size)
    tokens = read.times(lengths.question.plus(lengths.answer))
    if settings.train_tokens is not None:
        tokens = Range(settings.train_tokens, settings.train_tokens)
    return _trained(arm, stage, settings, tokens, size, tflops, more_flops=0)


def _online(
    arm: str, stage: str, step: Iteration, lengths: Lengths, size: ModelSize | None, tflops: float
) -> TrainingPlan:
    """Every answer sampled, and trained on once with its prompt; where all of a problem are alike, only sampled."""
    online = step.online
    assert online is not None
    answers = exercises(step, lengths).at_most(online.problems).times(online.rounds * online.samples)
    answer = lengths.answer.at_most(online.max_new_tokens)
    trained = _trained(arm, stage, online, answers.times(lengths.question.plus(answer)), size, tflops, more_flops=0)
    sampling = _hours(2, answers.times(answer), size, tflops, SAMPLE_SHARE)
    hours = trained.gpu_hours.plus(sampling) if trained.gpu_hours is not None and sampling is not None else None
    return trained._replace(gpu_hours=hours)


def _practice(
    arm: str, stage: str, step: Iteration, lengths: Lengths, size: ModelSize | None, tflops: float
) -> TrainingPlan:
    attempts = exercises(step, lengths).times(_samples(step))
    sampled = attempts.times(lengths.answer.at_most(step.practice.max_new_tokens))
    share = SAMPLE_SHARE if step.practice.server is None else SERVED_SHARE
    return _sampling(arm, stage, sampled, attempts.times(SAMPLE_BYTES), share, size, tflops)


def _sampling(
    arm: str, stage: str, tokens: Range, n_bytes: Range, share: Range, size: ModelSize | None, tflops: float
) -> TrainingPlan:
    hours = _hours(2, tokens, size, tflops, share)
    return TrainingPlan(arm, stage, tokens, _at_rest(size), hours, n_bytes.times(1e-6))


def _learning(
    arm: str, stage: str, step: Iteration, lengths: Lengths, size: ModelSize | None, tflops: float
) -> TrainingPlan:
    """Each problem's prompt once, and its distinct responses: the teacher's, the samples, or borrowed ones."""
    responses = Range(2, 1 + _samples(step).high + step.preferences.synthetic_negatives)
    answers = responses.times(lengths.answer.at_most(step.practice.max_new_tokens))
    tokens = exercises(step, lengths).times(lengths.question.plus(answers)).times(step.learn.epochs)
    kto = 2 if step.learn.loss == "kto" else 0  # the mismatched responses of z0
    return _trained(arm, stage, step.learn, tokens, size, tflops, more_flops=2 + kto)


def _samples(step: Iteration) -> Range:
    """Samples of a problem: as many as are told, or from the first spell's to the most that one may need."""
    until = step.practice.until
    return Range(step.practice.samples, step.practice.samples if until is None else until.alike)


def exercises(step: Iteration, lengths: Lengths) -> Range:
    """Return how many problems an iteration may practise on: each once, however many lessons it has."""
    taught = lengths.lessons.times(1 / lengths.solutions)
    problems = {"lessons": taught, "fresh": lengths.unlearned, "all": taught.plus(lengths.unlearned)}
    return problems[step.practice.problems].at_most(step.practice.max_problems)


def _trained(
    arm: str,
    stage: str,
    settings: TrainSettings,
    tokens: Range,
    size: ModelSize | None,
    tflops: float,
    *,
    more_flops: int,
) -> TrainingPlan:
    flops = (4 if settings.adapter else 6) + (2 if settings.gradient_checkpointing else 0) + more_flops
    hours = _hours(flops, tokens, size, tflops, TRAIN_SHARE)
    if size is None:
        return TrainingPlan(arm, stage, tokens, None, hours, None)
    weights = size.n_params * 4 / 1e6  # adapters are merged into float32 too
    checkpoints = CHECKPOINTS * _trained_params(settings.adapter, size) * 12 / 1e6  # weights and both moments
    disk = Range(weights, weights + checkpoints)
    return TrainingPlan(arm, stage, tokens, memory_gb(settings, size), hours, disk, checkpoints)


def memory_gb(settings: TrainSettings, size: ModelSize | None) -> Range | None:
    """Return what each process needs to train, in GB (10⁹ bytes); None where the model's size is not known.

    Where processes share weights and moments out (FSDP2), each holds its part of them, and all of its own activations.
    """
    if size is None:
        return None
    narrow = settings.dtype != "float32"
    trained = _trained_params(settings.adapter, size)
    if settings.adapter is None:
        weights = size.n_params * (6 if narrow else 4)  # float32, and a 16-bit copy while computing
    elif settings.adapter.quantize == "4bit":
        embedded = size.vocabulary * size.hidden * (1 if size.tied else 2)
        weights = (size.n_params - embedded) * 0.56 + embedded * 2 + trained * 4
    else:
        weights = size.n_params * (2 if narrow else 4) + trained * 4
    a_layer = KEPT_A_LAYER * size.hidden * (2 if narrow else 4)
    per_token = size.layers * a_layer
    if settings.gradient_checkpointing:
        per_token = size.layers * size.hidden * (2 if narrow else 4) + a_layer
    at_once = settings.batch_tokens or TOKENS_AT_ONCE
    logits = min(LOGITS_BYTES, at_once * size.vocabulary * 4.0) * 1.5
    shares = settings.processes if settings.sharding != "none" and settings.adapter is None else 1  # on GPUs
    whole = (weights + trained * 12) / shares + at_once * per_token + logits
    return SLACK.times(whole / 1e9)


def _trained_params(adapter: AdapterSettings | None, size: ModelSize) -> float:
    """All parameters, or the adapters': rank × (inputs + outputs) of seven matrices a layer, about 20 hidden sizes."""
    return size.n_params if adapter is None else 20.0 * size.hidden * size.layers * adapter.rank


def _at_rest(size: ModelSize | None) -> Range | None:
    """Weights in 16 bits, and a tenth to a half more for keys and values."""
    return None if size is None else Range(2.2, 3.0).times(size.n_params / 1e9)


def served_hours(tokens: Range, size: ModelSize, tflops: float) -> Range:
    """Return the GPU hours of reading and writing so many tokens behind an inference server: 2 FLOPs a parameter and token."""
    hours = _hours(2, tokens, size, tflops, SERVED_SHARE)
    assert hours is not None
    return hours


def _hours(flops: float, tokens: Range, size: ModelSize | None, tflops: float, share: Range) -> Range | None:
    if size is None:
        return None
    low, high = tokens.times(flops * size.n_params / (tflops * 1e12 * 3600))
    return Range(low / share.high, high / share.low)
