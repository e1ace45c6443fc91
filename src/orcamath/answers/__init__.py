"""Short answers: finding them in a solution, reading them exactly, telling whether two say the same.

`final_answer` finds, `quantities` reads numbers, `same` compares, `alike` groups, `worked` tells whether an answer shows its
working. Everything is exact (`fractions.Fraction`), linear in the length of the text, and never raises on any string.
"""

from orcamath.answers.compare import likely, same
from orcamath.answers.find import Answer, final_answer, find_answer
from orcamath.answers.groups import alike
from orcamath.answers.kinds import kind_of
from orcamath.answers.numbers import Quantity, quantities
from orcamath.answers.working import worked

__all__ = [
    "Answer",
    "Quantity",
    "alike",
    "final_answer",
    "find_answer",
    "kind_of",
    "likely",
    "quantities",
    "same",
    "worked",
]
