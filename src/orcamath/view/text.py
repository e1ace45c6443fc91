"""An ancestry as text for a terminal. Models and files wrote most of it, so nothing of theirs may steer the terminal.

Controls, escape sequences and bidirectional marks become visible signs (`visible`); long texts are cut with their
count; every line of theirs is indented, so that it cannot pass for one of ours.
"""

from collections.abc import Iterator
from typing import NamedTuple

from orcamath.records import Preference, Problem, Response
from orcamath.view.ancestry import Ancestry, Practised
from orcamath.visible import clip, one_line, visible

__all__ = ["rendered"]


class _Cut(NamedTuple):
    """How long a text of theirs may be before it is cut."""

    max_chars: int = 4_000
    max_within: int = 160
    """Characters of what stands within a line of ours."""

    def block(self, text: str, indent: str = "    ") -> Iterator[str]:
        """Return the lines of a text."""
        return (indent + line for line in clip(visible(text), self.max_chars).split("\n"))

    def line(self, text: str) -> str:
        """Return a text on one line."""
        return one_line(text, self.max_within)


_UNCUT = _Cut(10**9, 10**9)


def rendered(found: Ancestry, *, full: bool = False) -> str:
    """Return the whole story of a problem as plain text, `full` without cutting texts short."""
    cut = _UNCUT if full else _Cut()
    return "\n".join(line for part in (_head, _family, _fate, _learnt) for line in part(found, cut)) + "\n"


def _brief(problem: Problem, cut: _Cut) -> str:
    question = cut.line(problem.question)
    asked = f" (asks for {cut.line(problem.target)})" if problem.target else ""
    return f"  {problem.id[:12]}  {cut.line(problem.origin)}{f' {problem.round}' if problem.round else ''}{asked}: {question}"


def _head(found: Ancestry, cut: _Cut) -> Iterator[str]:
    p = found.problem
    yield f"problem {p.id}"
    about = [
        f"{p.origin}{f', round {p.round}' if p.round else ''}",
        f"from {p.source} ({p.split})",
        p.licence or "licence not stated",
    ]
    yield "  " + cut.line(" · ".join(about))
    yield from cut.block(p.asked)
    if p.answer is not None:
        yield f"  answer known without a teacher ({p.answer_from or 'gold'}): {cut.line(p.answer)}"
    if p.cluster:
        yield f"  near-duplicate cluster {p.cluster}"


def _family(found: Ancestry, cut: _Cut) -> Iterator[str]:
    for what, n, some in (
        ("made from", len(found.parents), found.parents),
        ("made from the same", found.n_siblings, found.siblings),
        ("what was made of it", found.n_children, found.children),
    ):
        if n:
            yield ""
            yield f"{what} ({n}{f', the first {len(some)}' if len(some) < n else ''})"
            yield from (_brief(p, cut) for p in some)


def _fate(found: Ancestry, cut: _Cut) -> Iterator[str]:
    yield ""
    yield "held by " + (", ".join(f"{s.stage} ({s.table})" for s in found.seen) or "no stage")
    for stage, rejected in found.rejected:
        whose = "" if rejected.item == found.problem.id else f" {rejected.item[:12]}"
        said = cut.line(rejected.detail)
        yield f"rejected by {stage}{whose}: {cut.line(rejected.reason)}{f', {said}' if said else ''}"
        if rejected.text:
            yield from cut.block(rejected.text)
    for stage, chosen in found.chosen:
        yield f"chosen by {stage} as {cut.line(chosen.why)}"
    for lesson in found.lessons:
        short = "none found" if lesson.final_answer is None else cut.line(lesson.final_answer)
        yield ""
        yield f"lesson {lesson.id[:12]} by {cut.line(lesson.teacher)}: {short} ({lesson.verified})"
        yield from cut.block(lesson.answer)


def _learnt(found: Ancestry, cut: _Cut) -> Iterator[str]:
    for practised in found.practised:
        yield from _practised(practised, cut)
    for stage, preference in found.preferences:
        yield from _preference(stage, preference, cut)
    for stage, scored in found.scored:
        short = "none found" if scored.final_answer is None else cut.line(scored.final_answer)
        gold = cut.line(scored.gold)
        yield ""
        yield f"evaluated by {stage} ({cut.line(scored.benchmark)}): {scored.outcome}, answered {short}, gold {gold}"
        yield from cut.block(scored.text)


def _practised(practised: Practised, cut: _Cut) -> Iterator[str]:
    yield ""
    exercise = practised.exercise
    held = f", held against {cut.line(exercise.reference)} ({exercise.label})" if exercise else ""
    yield f"practised in {practised.stage}{held}"
    for attempt, verdict in practised.attempts:
        said = f"{verdict.outcome} by {cut.line(verdict.by)}" if verdict else "not judged"
        why = f": {cut.line(verdict.reason)}" if verdict and verdict.reason else ""
        ended = ", cut off" if attempt.finish_reason == "length" else ""
        yield f"  answer {attempt.draw + 1}{ended}, {said}{why}"
        yield from cut.block(attempt.text, "      ")


def _preference(stage: str, preference: Preference, cut: _Cut) -> Iterator[str]:
    yield ""
    n = len(preference.positives) * len(preference.negatives) if preference.pairs is None else len(preference.pairs)
    yield f"preference in {stage}: {len(preference.positives)} × {len(preference.negatives)}, {n} pairs"
    for sign, responses in (("+", preference.positives), ("−", preference.negatives)):
        for response in responses:
            yield f"  {sign} {_response(response, cut)}"


def _response(response: Response, cut: _Cut) -> str:
    times = f" ×{response.multiplicity}" if response.multiplicity > 1 else ""
    return f"{response.origin}{times}: {cut.line(response.text)}"
