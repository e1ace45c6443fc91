"""The calculations that a solution writes out, read exactly: `5 pens x $2 = $10` is 5 * 2 = 10.

In → free text; out → its equations in order, each with the operations of its left side and the number it states. Units, currency
and up to `WORDS_BETWEEN` words behind a number are passed over; a full stop, or another number, begins anew.
One pass over the text; nothing is `eval`ed (see `expressions`).
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from orcamath.answers.expressions import Node, parse_expression
from orcamath.answers.numbers import exact
from orcamath.answers.readings import decimals, near
from orcamath.text.money import CURRENCY_SIGNS

__all__ = ["Equation", "Operation", "Unworkable", "equations", "operations", "walked"]

WORDS_BETWEEN = 3
MAX_PIECES = 60  # of one side; more is a list, not a calculation
_PIECE = re.compile(
    r"(?P<number>[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)|(?P<percent>%)|(?P<sign>\*\*|\\times|\\div|[-+*/×÷−·()])|(?P<equals>=)"
    rf"|(?P<word>[^\W\d_]+)|(?P<pass><<[^<>]{{0,200}}>>|[ \t{CURRENCY_SIGNS}\\{{}}]+)|(?P<end>.|\n)"
)
_SIGNS = {"×": "*", "·": "*", "\\times": "*", "÷": "/", "\\div": "/", "−": "-"}
_TIMES = frozenset(("x", "X", "times"))


class Operation(NamedTuple):
    """`left sign right = value`, in numbers."""

    sign: str
    left: Fraction
    right: Fraction
    value: Fraction

    @property
    def operands(self) -> tuple[Fraction, Fraction]:
        """Both numbers, smaller first."""
        return min(self.left, self.right), max(self.left, self.right)


class Equation(NamedTuple):
    """One calculation and the number that is stated for it."""

    operations: tuple[Operation, ...]
    """Inner ones first; the last one is the value of the left side."""
    stated: Fraction
    decimals: int = 0
    """Digits behind the point of what is stated."""

    @property
    def holds(self) -> bool:
        """Whether the left side is what is stated, or rounds to it; a share may be stated in percent."""
        value = self.operations[-1].value
        within = Fraction(1, 2) / 10**self.decimals if value.denominator != 1 else Fraction(0)
        return any(near(value * scale, self.stated, within) for scale in (1, 100) if scale == 1 or abs(value) < 10)


class _Reader:
    """What was read since the last border: pieces of a calculation or of what is stated for the one before it."""

    def __init__(self) -> None:
        self.left: tuple[Operation, ...] = ()
        self.pieces: list[str] = []
        self.words = 0

    def border(self) -> Iterator[Equation]:
        """Yield what is complete, and begin anew."""
        if self.left and self.pieces:
            yield from _stated(self.left, self.pieces)
        self.left, self.pieces, self.words = (), [], 0

    def equals(self) -> Iterator[Equation]:
        """Take an equals sign: of `a = b = c`, b is stated for a and worked for c."""
        worked = operations(" ".join(self.pieces))
        yield from self.border()
        self.left = worked

    def take(self, kind: str | None, piece: str) -> bool:
        """Take a piece; False where it is none of a calculation."""
        if kind == "number" and not self._after_number() and exact(piece.rstrip(",")) is not None:
            self._add(piece.rstrip(",").replace(",", ""))
        elif kind == "percent" and self._after_number():
            self.pieces[-1] = f"({self.pieces[-1]}/100)"
        elif kind == "sign":
            self._add(_SIGNS.get(piece, piece))
        elif kind == "word" and ((piece in _TIMES and self._after_number()) or (piece == "of" and self._share())):
            self._add("*")
        elif kind == "word" and self._after_number() and self.words < WORDS_BETWEEN:
            self.words += 1
        else:
            return False
        return True

    def _add(self, piece: str) -> None:
        self.words = 0
        if len(self.pieces) < MAX_PIECES:
            self.pieces.append(piece)

    def _after_number(self) -> bool:
        return bool(self.pieces) and (self.pieces[-1][0].isdigit() or self.pieces[-1][-1] in ".)")

    def _share(self) -> bool:
        """Tell whether it ends in `1/3` or `20%`, of which something may be taken."""
        return bool(self.pieces) and (self.pieces[-1].endswith("/100)") or self.pieces[-2:-1] == ["/"])


def equations(text: str) -> list[Equation]:
    """Return every calculation with a stated result, in order; what cannot be read is passed over."""
    return list(_read(text))


def operations(expression: str) -> tuple[Operation, ...]:
    """Return the operations of a calculation, inner ones first; none where it is something else."""
    read = parse_expression(expression)
    if read is None or read.letters:
        return ()
    try:
        return tuple(walked(read.node, hundredths=False)[1])
    except Unworkable:
        return ()


def _read(text: str) -> Iterator[Equation]:
    reader = _Reader()
    for match in _PIECE.finditer(text):
        kind, piece = match.lastgroup, match[0]
        if kind == "equals":
            yield from reader.equals()
        elif kind != "pass" and not reader.take(kind, piece):
            yield from reader.border()
            reader.take(kind, piece)  # two numbers in a row are no calculation; the second may begin one
    yield from reader.border()


def _stated(left: tuple[Operation, ...], pieces: list[str]) -> Iterator[Equation]:
    """Yield the equation whose right side begins with these pieces, where that is a number."""
    negative = pieces[0] == "-" and len(pieces) > 1
    number = pieces[1] if negative else pieces[0]
    percent = number.endswith("/100)")
    value = exact(number.removeprefix("(").removesuffix("/100)"))
    if value is None:
        return
    places = decimals(number) + 2 * percent
    said = Equation(left, value * (-1 if negative else 1) / (100 if percent else 1), places)
    whole = () if said.holds else operations(" ".join(pieces))
    yield Equation(left, whole[-1].value) if whole else said


class Unworkable(Exception):
    """A node that is none of the four operations on numbers; stays inside `answers`."""


def walked(node: Node, *, hundredths: bool) -> tuple[Fraction, list[Operation]]:
    """Return a node's value and the operations that lead to it, inner ones first. Raises Unworkable.

    `hundredths`: whether `5/100` is an operation, or a percentage as it is written.
    """
    name, left, right = node
    if name == "number" and isinstance(left, Fraction):
        return left, []
    if name not in ("+", "-", "*", "/"):
        raise Unworkable
    (a, before), (b, after) = walked(left, hundredths=hundredths), walked(right, hundredths=hundredths)
    if name == "/" and b == 0:
        raise Unworkable
    value = a + b if name == "+" else a - b if name == "-" else a * b if name == "*" else a / b
    if name == "/" and b == 100 and not before and not after and not hundredths:
        return value, []
    return value, [*before, *after, Operation(name, a, b, value)]
