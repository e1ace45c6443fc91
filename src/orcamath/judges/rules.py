"""The first judge: rules only, no model, microseconds an answer. It decides where it is sure and says so where it is not.

In: a comparison (question, reference, response). Out: `agrees`, `disagrees`, or `unjudged` with the doubt as reason. `guess`
always takes a side; it is what forced accuracy is measured with.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, get_args

from orcamath.answers import Answer, final_answer, find_answer, kind_of, likely, quantities, same
from orcamath.answers.compare import MAX_QUESTION
from orcamath.answers.latex import plain
from orcamath.answers.science import SAYS, held_as_measures
from orcamath.answers.stated import CONCLUDES, breaks_off, mentions, restates, rules_out
from orcamath.answers.writing import decimal_comma, in_points, writes_comma
from orcamath.ports import Comparison, Finding, Judge
from orcamath.records import AnswerKind, Outcome

__all__ = ["RulesJudge", "Ruling", "make", "rule", "short_reference"]

RULES_VERSION = 9
"""Raised whenever a verdict can change: it is part of what a sealed stage is called."""

_LOSS = re.compile(r"\b(?:loss|lost|loses?|below|owes?|owed|debt|deficit|drop(?:s|ped)?|decreased?)\b", re.IGNORECASE)
"""With these a positive number may be meant as a negative one."""
NEAR = 240
"""Characters at the end of a response in which a number may be the answer that was meant."""


_KINDS: dict[str, AnswerKind] = {k: k for k in get_args(AnswerKind)}


class Ruling(NamedTuple):
    """What the rules say: a verdict (None in doubt), the side they would take, why, and the answer they read."""

    agrees: bool | None
    guess: bool
    reason: str
    answer: str | None
    raw: str = ""
    """The answer as written, LaTeX and all, where it was found but is in doubt."""

    @property
    def outcome(self) -> Outcome:
        """The verdict as the records spell it."""
        return "unjudged" if self.agrees is None else "agrees" if self.agrees else "disagrees"


def short_reference(comparison: Comparison) -> str | None:
    """Return the yardstick's short answer, a decimal comma of its language as a point; a whole solution is searched for it."""
    kind = _kind(comparison)
    written = _written(comparison, kind)
    return None if written is None else _pointed(written, kind, comparison.question)


def _written(comparison: Comparison, kind: AnswerKind) -> str | None:
    """Return the yardstick's short answer as it stands there."""
    reference = comparison.reference.strip()
    if "\n" in reference or "####" in reference or len(reference) > 80:
        return final_answer(reference, kind, comparison.question, comparison.options)
    return reference or None


def _pointed(written: str, kind: AnswerKind, question: str) -> str:
    return in_points(written, question) if kind in ("number", "set") and "," in written else written


def _kind(comparison: Comparison) -> AnswerKind:
    return _KINDS.get(comparison.kind) or kind_of(comparison.reference, comparison.options, comparison.question)


def rule(comparison: Comparison) -> Ruling:
    """Judge one comparison."""
    if len(comparison.question) > MAX_QUESTION:
        comparison = comparison._replace(question=comparison.question[-MAX_QUESTION:])
    kind = _kind(comparison)
    written = _written(comparison, kind)
    if written is None:
        return Ruling(None, False, "reference_unreadable", None)
    reference = _pointed(written, kind, comparison.question)
    if kind == "number" and not any(c.isdigit() for c in reference) and not quantities(reference):
        kind = kind_of(reference, comparison.options, comparison.question)  # some sets hold `Yes` among their numbers
    if not comparison.response or comparison.response.isspace():
        return Ruling(False, False, "no_answer", None)
    answer = find_answer(comparison.response, kind, comparison.question)
    if answer is None:
        return Ruling(False, False, "cut_off" if "<think>" in comparison.response else "no_answer", None)
    if not comparison.finished and answer.how == "sentence":
        return Ruling(False, False, "cut_off", answer.text)
    # `same` reads a comma itself: pointed twice, `2,375` would be 2375 as well
    verdict = _verdict(kind, answer, written, reference, comparison)
    if answer.open:
        return Ruling(False, False, "no_result", answer.text)
    if answer.rival and same(kind, answer.rival, written, comparison.question, comparison.options) is not verdict:
        return Ruling(None, bool(verdict), "contradicted", answer.text)
    if verdict:
        return _agrees(answer, comparison)
    if verdict is None:
        guess = likely(kind, answer.text, reference, comparison.question)
        reason = "unclear_value" if kind == "number" else "unclear_form"
        return Ruling(None, guess, reason, answer.text, answer.raw)
    return _differs(answer, kind, reference, comparison)


def _verdict(kind: AnswerKind, answer: Answer, written: str, reference: str, comparison: Comparison) -> bool | None:
    """Hold what was found against the yardstick; where this is a measure, the whole stretch, for a unit that stands behind."""
    if kind in ("number", "text", "expression"):
        stretch = _pointed(answer.raw or answer.segment, "number", comparison.question)
        if (said := held_as_measures(stretch, reference, answer.text)) is not None:
            return SAYS[said]
    return same(kind, answer.text, written, comparison.question, comparison.options)


def _agrees(answer: Answer, comparison: Comparison) -> Ruling:
    """The number found is the yardstick's: does the response put it forward as its answer?"""
    question = comparison.question
    if answer.unclear:
        return Ruling(None, True, "unclear_form", answer.text, answer.raw)
    if answer.how == "sentence" and answer.among and restates(answer.segment, answer.among[0], question):
        return Ruling(None, False, "restated", answer.text)
    if not answer.stated and rules_out(answer.segment, answer.text):
        return Ruling(None, False, "not_stated", answer.text)
    if not answer.stated and mentions(answer.segment, answer.among, question):
        return Ruling(None, True, "not_stated", answer.text)
    if not answer.stated and breaks_off(comparison.response):
        return Ruling(None, True, "cut_off", answer.text)
    if "below zero" in answer.segment and "below zero" not in question and answer.among and answer.among[0].value > 0:
        return Ruling(None, False, "unclear_value", answer.text)
    if answer.several:
        return Ruling(None, True, "several_answers", answer.text)
    return Ruling(True, True, "same_answer", answer.text)


def _differs(answer: Answer, kind: AnswerKind, reference: str, comparison: Comparison) -> Ruling:
    """The number found is another: could the yardstick's have been meant?"""
    if kind == "number" and _in_the_other_writing(answer, reference, comparison.question):
        return Ruling(None, False, "unclear_value", answer.text)
    if kind == "number" and reference[:1] in "-−–" and (answer.segment[:2] == "- " or _LOSS.search(answer.segment)):
        return Ruling(None, False, "unclear_value", answer.text)
    if not answer.stated and mentions(answer.segment, answer.among, comparison.question):
        return Ruling(None, False, "not_stated", answer.text)
    if not answer.sure and answer.among and _could_be(answer, reference):
        return Ruling(None, _new_number(answer, reference, comparison.question), "several_numbers", answer.text)
    if answer.how == "sentence" and kind == "number" and _said_before(comparison.response, answer, reference):
        return Ruling(None, False, "said_elsewhere", answer.text)
    if kind == "number" and _share_of(answer, reference):
        return Ruling(None, True, "unclear_form", answer.text, answer.raw)
    return Ruling(False, False, "other_answer", answer.text)


def _in_the_other_writing(answer: Answer, reference: str, question: str) -> bool:
    """Whether the yardstick's number is there if the comma or point of the answer is read the other way."""
    raw = answer.raw.rstrip(". ")
    if "," not in raw and "." not in raw and "·" not in raw:
        return False
    text, comma = plain(answer.raw), writes_comma(question)
    goal = {q.value for q in quantities(reference)}
    other = decimal_comma(text, everywhere=not comma)
    if "·" in answer.raw:
        other = answer.raw.replace("·", ".")
    if other != text and any(q.value in goal for q in quantities(other)):
        return True
    if decimal_comma(text, everywhere=comma) == text:
        return False
    return any(q.value in goal and (not comma or "," in q.text or "." in q.text) for q in quantities(text))


def _share_of(answer: Answer, reference: str) -> bool:
    """Whether two numbers of the answer make the yardstick's fraction, as in `1 in 8`, though no fraction was asked for."""
    made = {a.value / b.value for a, b in pairwise(answer.among) if b.value}
    return bool(made) and any(q.value in made and q.value.denominator > 1 for q in quantities(reference))


def _could_be(answer: Answer, reference: str) -> bool:
    """Whether another number of the answer's stretch is the yardstick's, or the one number in it is doubtful."""
    goal = {q.value for q in quantities(reference)}
    values = {q.value for q in answer.among}
    return len(values) < 2 or bool(goal & values)


def _new_number(answer: Answer, reference: str, question: str) -> bool:
    """Guess: an answer that holds the yardstick's number among others means it, unless the question gave that number."""
    goal = {q.value for q in quantities(reference)} & {q.value for q in answer.among}
    return bool(goal - {q.value for q in quantities(question)})


def _said_before(response: str, answer: Answer, reference: str) -> bool:
    """Whether the yardstick's number stands near the end, where the last sentence does not sound like a conclusion."""
    goal, near = {q.value for q in quantities(reference)}, response[-NEAR:]
    if not any(q.value in goal for q in quantities(near)):
        return False
    if not answer.among or answer.raw not in response:  # several lines taken together are one
        return False
    head = answer.segment.partition(answer.text)[0]
    concludes = max(CONCLUDES.finditer(head), key=lambda m: m.start(), default=None)
    if concludes is not None and not any(c.isdigit() for c in head[concludes.end() :]):
        return False
    chosen = len({q.value for q in answer.among}) == 1 and len(quantities(answer.segment)) > 1  # `Lee has 8 and Kim 4`
    if head.rstrip(" $").endswith("=") and answer.text in answer.raw:  # what stands before it in its sentence led to it
        near = near.replace(answer.raw, answer.raw.rpartition(answer.text)[2])
    without = answer.raw if chosen or answer.text not in near else answer.text
    return any(q.value in goal for q in quantities(near.replace(without, " ")))


class RulesJudge:
    """The rules as a judge."""

    @property
    def fingerprint(self) -> str:
        """Name and version of the rules."""
        return f"rules-{RULES_VERSION}"

    def __call__(self, comparisons: Iterable[Comparison]) -> Iterator[Finding]:
        """Judge in order; a doubt is `unjudged`, its reason the doubt."""
        for comparison in comparisons:
            ruling = rule(comparison)
            yield Finding(ruling.outcome, "rules", ruling.reason)


def make(settings: object = None, model: object = None) -> Judge:
    """Return the judge `rules`; it has no settings and needs no model."""
    del settings, model
    return RulesJudge()
