"""Training on preferences: what `learn` does once torch is loaded.

Reference log-probs are computed once a response, and the reference model is let go of before training begins.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from orcamath.errors import ModelError, TooManyRejects
from orcamath.records import Preference, Rejected
from orcamath.store.artifacts import Artifact, Output
from orcamath.student.adapters import quantize_of, training_dtype
from orcamath.student.encode import Encoder
from orcamath.student.facts import LearnFacts
from orcamath.student.folder import ModelFolder
from orcamath.student.groups import Group, encode_groups, mismatches, only, per_problem
from orcamath.student.logprobs import Posed
from orcamath.student.loop import Training, planned_steps, train
from orcamath.student.losses import LossFunction, needs_of
from orcamath.student.model import load_model
from orcamath.student.prepare import mostly_rounded, prepared, write_student
from orcamath.student.processes import ALONE, World
from orcamath.student.reference import reference_logprobs
from orcamath.student.settings import LearnSettings
from orcamath.student.steps import Compared, Objective, Referenced
from orcamath.student.watch import Watch

__all__ = ["train_on_preferences", "usable"]


def _needed(loss: LossFunction, settings: LearnSettings) -> frozenset[str]:
    """Return what a loss needs (see `needs_of`). Raises ModelError for one that learns online only."""
    need = needs_of(loss)
    if "samples" in need:
        raise ModelError(
            f"`learn.loss: {settings.loss}` needs the samples of online rounds: say `online: {{loss: {settings.loss}}}`"
        )
    return need


def _counts(groups: Sequence[Group]) -> dict[str, int]:
    return {
        "n_problems": len(groups),
        "n_responses": sum(len(g.responses) for g in groups),
        "n_pairs": sum(len(g.pairs) for g in groups),
        "n_off_topic": sum(sum(g.off_topic) for g in groups),
        "n_cut": sum(g.n_cut for g in groups),
    }


def train_on_preferences(
    out: Output,
    settings: LearnSettings,
    preferences: Artifact,
    student: ModelFolder,
    reference: ModelFolder,
    loss: LossFunction,
    world: World = ALONE,
) -> LearnFacts:
    """Do the work of the stage `learn`."""
    remembered, need = (out.shared or out.scratch) / "reference", _needed(loss, settings)
    loaded = load_model(student, dtype=training_dtype(settings), quantize=quantize_of(settings), to_train=True)
    groups, dropped = _groups(out, settings, preferences, Encoder(loaded.tokenizer, settings.max_tokens), need)
    steps = planned_steps(len(groups), settings)
    apart = "z0" in need and settings.z0 == "mismatched"
    strangers = [mismatches([groups[k] for k in s], settings.z0_per_problem) if apart else {} for s in steps]
    asked = list(_asked(groups, steps, strangers, need))
    known = (
        reference_logprobs(asked, reference, student, loaded.model, settings, remembered, out.progress, world)
        if asked
        else {}
    )
    ready = [Referenced(g, known[_posed(g)] if "reference" in need else (0.0,) * len(g.responses)) for g in groups]
    model = prepared(loaded, settings, world)
    compared = None
    if "z0" in need:
        others = strangers if apart else [None] * len(steps)
        compared = [[_compared(groups[k], o, known) for k in s] for s, o in zip(steps, others, strict=True)]
    objective = Objective(loss, settings, settings.nll_weight)
    work = Training(model, settings, ready, steps, objective, compared)
    watch = Watch(out.metric, len(steps))
    done = train(work, out.scratch / "steps", out.progress, watch, world)
    written = write_student(model, loaded, student, out.folder / "model", settings, world)
    trained = [groups[k] for s in steps for k in s]
    return LearnFacts(
        loss=settings.loss,
        dropped=dict(sorted(dropped.items())),
        **_counts(groups),
        n_answer_tokens=sum(len(r) for g in trained for r in g.responses),
        n_tokens_without_gradient=_scored(asked, compared or ()),
        warnings=(*watch.said, *mostly_rounded(written, settings)),
        student=student.fingerprint,
        reference=reference.fingerprint,
        **written._asdict(),
        **done._asdict(),
    )


def _posed(group: Group) -> Posed:
    return Posed(group.prompt, group.responses)


Strangers = dict[str, tuple[tuple[int, ...], ...]]
"""Problem → answers to other problems, as ids."""


def _compared(group: Group, strangers: Strangers | None, known: Mapping[Posed, tuple[float, ...]]) -> Compared:
    """Return the answers whose log-ratios KTO's baseline is the mean of: those of other problems, or the group's own."""
    posed = _posed(group) if strangers is None else Posed(group.prompt, strangers[group.problem_id])
    return Compared(posed, known[posed] if posed.answers else ())


def _asked(
    groups: Sequence[Group], steps: Sequence[Sequence[int]], strangers: Sequence[Strangers], need: frozenset[str]
) -> Iterator[Posed]:
    """Say what the reference must score: every response, and KTO's mismatched ones."""
    if "reference" in need:
        yield from map(_posed, groups)
    for step, other in zip(steps, strangers, strict=True):
        yield from (
            Posed(groups[k].prompt, other[groups[k].problem_id]) for k in step if other.get(groups[k].problem_id)
        )


def _scored(asked: Sequence[Posed], compared: Sequence[Sequence[Compared]]) -> int:
    """Count the tokens that are scored without gradient: by the reference, once each, and by the student for its baselines."""
    baselines = (c.posed for step in compared for c in step)
    return sum(p.n_tokens for p in chain(dict.fromkeys(asked), baselines))


def _groups(
    out: Output, settings: LearnSettings, preferences: Artifact, encoder: Encoder, need: frozenset[str]
) -> tuple[list[Group], Counter[str]]:
    made, skipped = encode_groups(preferences.read(Preference), encoder, multiplicity=settings.multiplicity)
    groups, dropped = usable(made, settings, need)
    groups = [per_problem(g) for g in groups] if settings.per_problem else groups
    for problem_id, reason in [*skipped, *dropped]:
        out.reject(Rejected(item=problem_id, reason=reason))
    out.keep(len(groups))
    counts = Counter(reason for _, reason in [*skipped, *dropped])
    if not groups:
        why = ", ".join(f"{n:,} as `{reason}`" for reason, n in counts.most_common()) or "`preferences` made none"
        raise TooManyRejects(
            f"no preference is left to learn from ({why}); `orcamath report RUN` shows what practice came to"
        )
    return groups, counts


def usable(
    groups: Sequence[Group], settings: LearnSettings, need: frozenset[str]
) -> tuple[list[Group], list[tuple[str, str]]]:
    """Keep what a loss can learn from, and say what was dropped and why.

    Pair losses need a pair and read the responses in pairs; losses that read neither pairs nor a reference learn from
    right answers only; others take each response, and problems without a right one only where `negative_only`.
    """
    kept: list[Group] = []
    dropped: list[tuple[str, str]] = []
    for group in groups:
        if "pairs" in need:
            paired = {i for w, loser, _ in group.pairs for i in (w, loser)}
            nll = settings.nll_weight > 0
            slim = only(group, [i in paired or (nll and d) for i, d in enumerate(group.desirable)])
            reason = "" if paired else "no_pair"
        elif "reference" not in need:
            slim, reason = only(group, group.desirable), "" if any(group.desirable) else "no_right_answer"
        else:
            slim, reason = group, "" if any(group.desirable) or settings.negative_only else "no_right_answer"
            if not group.responses:
                reason = "no_answer"
        if reason:
            dropped.append((group.problem_id, reason))
        else:
            kept.append(slim)
    return kept, dropped
