"""The final answer of a solution, as short text, with what the finding rests on."""

from typing import NamedTuple

from orcamath.answers.choose import choose
from orcamath.answers.latex import plain
from orcamath.answers.locate import How, locate
from orcamath.answers.numbers import Quantity
from orcamath.answers.units import compound
from orcamath.records import AnswerKind

__all__ = ["Answer", "final_answer", "find"]


class Answer(NamedTuple):
    """A final answer and how it was found."""

    text: str
    how: How
    sure: bool
    """False where another number in the same stretch could be meant."""
    segment: str
    """The stretch it was chosen from, without markup."""
    among: tuple[Quantity, ...] = ()
    """Every number of the stretch that could have been meant."""


def find(text: str, kind: AnswerKind = "number", question: str = "") -> Answer | None:
    """Find the final answer of a solution; None where nothing in it looks like one."""
    found = locate(text)
    if found is None:
        return None
    segment = plain(found.text).strip(" :").rstrip(".")
    if not segment:
        return None
    if kind != "number":
        return Answer(segment, found.how, found.how != "sentence", segment)
    choice = choose(segment, question)
    if choice is None:
        return Answer(segment, found.how, False, segment)
    q = choice.quantity
    end = compound(segment, q)
    sure = choice.sure and (found.how != "sentence" or len(choice.among) == 1 or found.last)
    return Answer(segment[q.start : end].strip(), found.how, sure, segment, choice.among)


def final_answer(
    text: str, kind: AnswerKind = "number", question: str = "", options: tuple[str, ...] = ()
) -> str | None:
    """Return the short answer that a solution ends in, None where there is none.

    For a number: the number as written with its currency, percent sign or unit (`$18`, `60%`, `3 hours 20 minutes`), chosen
    in the context of its sentence; None where there is no number. For the other kinds the stretch behind the marker,
    without markup; for a choice, the letter where `options` tell it.
    """
    answer = find(text, kind, question)
    if answer is None or (kind == "number" and not answer.among):
        return None
    return answer.text
