"""An ancestry as text for a terminal. Models and files wrote most of it, so nothing of theirs may steer the terminal.

Controls, escape sequences and bidirectional marks become visible signs (`visible`); long texts are cut with their
count; every line of theirs is indented, so that it cannot pass for one of ours.
"""

from collections.abc import Iterator

from orcamath.answers.wording import letter_of
from orcamath.records import Preference, Problem, Response
from orcamath.view.ancestry import Ancestry, Practised
from orcamath.visible import clip, one_line, visible

__all__ = ["markup", "rendered"]

TEXT, BRIEF = 4_000, 160


def rendered(found: Ancestry, *, full: bool = False) -> str:
    """Return the whole story of a problem as plain text, `full` without cutting texts short."""
    limit = 10**9 if full else TEXT
    return "\n".join(line for part in (_head, _family, _fate, _learnt) for line in part(found, limit)) + "\n"


def markup(text: str) -> str:
    """Escape text for a rich console: what looks like a tag stays text."""
    from rich.markup import escape

    return escape(visible(text))


def _line(text: str) -> str:
    return one_line(text, BRIEF)


def _theirs(text: str, limit: int, indent: str = "    ") -> Iterator[str]:
    shown = clip(visible(text), limit)
    return (indent + line for line in shown.split("\n"))


def _brief(problem: Problem) -> str:
    question = _line(problem.question)
    asked = f" (asks for {_line(problem.target)})" if problem.target else ""
    return (
        f"  {problem.id[:12]}  {_line(problem.origin)}{f' {problem.round}' if problem.round else ''}{asked}: {question}"
    )


def _head(found: Ancestry, limit: int) -> Iterator[str]:
    p = found.problem
    yield f"problem {p.id}"
    about = [
        f"{p.origin}{f', round {p.round}' if p.round else ''}",
        f"from {p.source} ({p.split})",
        p.licence or "licence not stated",
    ]
    yield "  " + _line(" · ".join(about))
    yield from _theirs(p.question, limit)
    for i, option in enumerate(p.options):
        yield f"    {letter_of(i)}) {_line(option)}"
    if p.answer is not None:
        yield f"  answer known without a teacher ({p.answer_from or 'gold'}): {_line(p.answer)}"
    if p.cluster:
        yield f"  near-duplicate cluster {p.cluster}"


def _family(found: Ancestry, _limit: int) -> Iterator[str]:
    for what, n, some in (
        ("made from", len(found.parents), found.parents),
        ("made from the same", found.n_siblings, found.siblings),
        ("what was made of it", found.n_children, found.children),
    ):
        if n:
            yield ""
            yield f"{what} ({n}{f', the first {len(some)}' if len(some) < n else ''})"
            yield from (_brief(p) for p in some)


def _fate(found: Ancestry, limit: int) -> Iterator[str]:
    yield ""
    yield "held by " + (", ".join(f"{s.stage} ({s.table})" for s in found.seen) or "no stage")
    for stage, rejected in found.rejected:
        whose = "" if rejected.item == found.problem.id else f" {rejected.item[:12]}"
        said = _line(rejected.detail)
        yield f"rejected by {stage}{whose}: {_line(rejected.reason)}{f', {said}' if said else ''}"
        if rejected.text:
            yield from _theirs(clip(rejected.text, 500), limit)
    for stage, chosen in found.chosen:
        yield f"chosen by {stage} as {_line(chosen.why)}"
    for lesson in found.lessons:
        short = "none found" if lesson.final_answer is None else _line(lesson.final_answer)
        yield ""
        yield f"lesson {lesson.id[:12]} by {_line(lesson.teacher)}: {short} ({lesson.verified})"
        yield from _theirs(lesson.answer, limit)


def _learnt(found: Ancestry, limit: int) -> Iterator[str]:
    for practised in found.practised:
        yield from _practised(practised, limit)
    for stage, preference in found.preferences:
        yield from _preference(stage, preference)
    for stage, scored in found.scored:
        short = "none found" if scored.final_answer is None else _line(scored.final_answer)
        gold = _line(scored.gold)
        yield ""
        yield f"evaluated by {stage} ({_line(scored.benchmark)}): {scored.outcome}, answered {short}, gold {gold}"
        yield from _theirs(scored.text, limit)


def _practised(practised: Practised, limit: int) -> Iterator[str]:
    yield ""
    exercise = practised.exercise
    held = f", held against {_line(exercise.reference)} ({exercise.label})" if exercise else ""
    yield f"practised in {practised.stage}{held}"
    for attempt, verdict in practised.attempts:
        said = f"{verdict.outcome} by {_line(verdict.by)}" if verdict else "not judged"
        why = f": {_line(verdict.reason)}" if verdict and verdict.reason else ""
        cut = ", cut off" if attempt.finish_reason == "length" else ""
        yield f"  answer {attempt.draw + 1}{cut}, {said}{why}"
        yield from _theirs(attempt.text, limit, "      ")


def _preference(stage: str, preference: Preference) -> Iterator[str]:
    yield ""
    n = len(preference.positives) * len(preference.negatives) if preference.pairs is None else len(preference.pairs)
    yield f"preference in {stage}: {len(preference.positives)} × {len(preference.negatives)}, {n} pairs"
    for sign, responses in (("+", preference.positives), ("−", preference.negatives)):
        for response in responses:
            yield f"  {sign} {_response(response)}"


def _response(response: Response) -> str:
    times = f" ×{response.multiplicity}" if response.multiplicity > 1 else ""
    return f"{response.origin}{times}: {_line(response.text)}"
