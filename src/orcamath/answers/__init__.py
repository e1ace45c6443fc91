"""Short answers: finding them in a solution, reading them exactly, telling whether two say the same.

`final_answer` finds, `quantities` reads numbers, `same` compares. Everything is exact (`fractions.Fraction`), linear in the
length of the text, and never raises on any string.
"""

from orcamath.answers.choose import choose
from orcamath.answers.compare import kind_of, same
from orcamath.answers.latex import plain
from orcamath.answers.locate import locate
from orcamath.answers.numbers import Quantity, quantities
from orcamath.answers.units import unit_after
from orcamath.records import AnswerKind

__all__ = ["Quantity", "final_answer", "kind_of", "quantities", "same"]


def final_answer(
    text: str, kind: AnswerKind = "number", question: str = "", options: tuple[str, ...] = ()
) -> str | None:
    """Return the short answer that a solution ends in, None where there is none.

    For a number: the number as written with its currency, percent sign or unit (`$18`, `60%`, `3 hours 20 minutes`), chosen
    in the context of its sentence; for the other kinds the stretch behind the marker, without markup.
    """
    found = locate(text)
    if found is None:
        return None
    segment = plain(found.text).strip(" .:")
    if kind != "number":
        return segment or None
    choice = choose(segment, question)
    if choice is None:
        return None if found.how == "sentence" else (segment or None)
    q = choice.quantity
    _, unit, end = unit_after(segment, q.end)
    return segment[q.start : end if unit else q.end].strip()
