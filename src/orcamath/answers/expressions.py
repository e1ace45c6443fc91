"""Small algebraic expressions: `4t`, `2x+3`, `10√2`, `(3, 5)`, `[2, 5)`, `3/4 + 1/2`. Read, evaluated, compared.

A recursive-descent reader over at most `MAX_CHARS` characters of plain text (`latex.plain` has removed the markup), with
implicit multiplication and single-letter variables. Two expressions are the same when they agree at several points: exactly,
as fractions, where only + − × ÷ and whole powers occur; to 1e-9 where a root or π does. Nothing is ever `eval`ed.
"""

import math
import re
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "Expression",
    "Node",
    "Number",
    "equal",
    "parse_expression",
    "points",
    "same_expression",
    "value_at",
    "value_of",
]

MAX_CHARS = 200
MAX_DEPTH = 24
MAX_POWER = 64
MAX_FACTORIAL = 100
MAX_BITS = 4096
POINTS = (Fraction(7, 3), Fraction(-11, 5), Fraction(13, 7))

Number: TypeAlias = Fraction | float
Node: TypeAlias = tuple[str, Any, Any]
_CONSTANTS: dict[str, float] = {"π": math.pi, "pi": math.pi, "e": math.e}
_FUNCTIONS = {"ln": math.log, "log": math.log10, "exp": math.exp, "sin": math.sin, "cos": math.cos, "tan": math.tan}
_TOKEN = re.compile(
    r"\s*(?:([0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?|\.[0-9]+)|(sqrt|pi|choose|ln|log|exp|sin|cos|tan)|([A-Za-zπθ])|(\*\*|[-+*/^()!°√_|]))"
)


class Expression(NamedTuple):
    """A parsed expression and the letters in it."""

    node: Node
    letters: frozenset[str]


class _Unreadable(Exception):
    """The text is no expression; stays inside this module."""


class _Reader:
    """Reads tokens left to right; one piece of look-ahead."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        self.at = 0
        self.letters: set[str] = set()
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise _Unreadable
            self.tokens.append(match[0].strip())
            at = match.end()

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        piece = self.peek()
        self.at += 1
        return piece

    def sum(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _Unreadable
        node = self.product(depth)
        while self.peek() in ("+", "-"):
            node = (self.take(), node, self.product(depth))
        return node

    def product(self, depth: int) -> Node:
        node = self.signed(depth)
        while piece := self.peek():
            if piece in ("*", "/", "choose"):
                self.take()
                node = (piece, node, self.signed(depth))
            elif piece[0].isalnum() or piece in "(√π":
                if piece[0].isdigit() and self.tokens[self.at - 1][0].isdigit():
                    raise _Unreadable  # `3 5` is two numbers; a mixed number was read before
                node = ("*", node, self.power(depth))
            else:
                break
        return node

    def signed(self, depth: int) -> Node:
        negative = False
        while self.peek() in ("-", "+"):
            negative ^= self.take() != "+"
        node = self.power(depth)
        return ("-", ("number", Fraction(0), None), node) if negative else node

    def power(self, depth: int) -> Node:
        node = self.atom(depth)
        while self.peek() in ("°", "!"):
            if self.take() == "!":
                node = ("!", node, None)
        if self.peek() in ("^", "**"):
            self.take()
            if depth + 1 > MAX_DEPTH:
                raise _Unreadable
            negative = self.peek() == "-" and bool(self.take())
            exponent = self.atom(depth + 1)
            node = ("^", node, ("-", ("number", Fraction(0), None), exponent) if negative else exponent)
        return node

    def atom(self, depth: int) -> Node:
        piece = self.take()
        if not piece:
            raise _Unreadable
        if piece == "(":
            node = self.sum(depth + 1)
            if self.take() != ")":
                raise _Unreadable
            return node
        if piece == "|":
            node = self.sum(depth + 1)
            if self.take() != "|":
                raise _Unreadable
            return ("abs", node, None)
        if piece in ("sqrt", "√"):
            return ("sqrt", self.atom(depth + 1) if depth < MAX_DEPTH else None, None)
        if piece in _CONSTANTS:
            return ("number", _CONSTANTS[piece], None)
        if piece in _FUNCTIONS:
            return self.function(piece, depth)
        if piece[0].isdigit() or piece[0] == ".":
            if len(piece) > 40:
                raise _Unreadable
            return ("number", Fraction(piece.replace(",", "")), None)
        if piece[0].isalpha():
            self.letters.add(piece)
            return ("letter", piece, None)
        raise _Unreadable

    def function(self, name: str, depth: int) -> Node:
        """Read what a function is applied to: brackets, or the factors that follow it (`ln 2x`); `log_2 8` has a base."""
        if depth + 1 > MAX_DEPTH:
            raise _Unreadable
        base = None
        if name == "log" and self.peek() == "_":
            self.take()
            base = self.atom(depth + 1)
        if self.peek() == "^":
            raise _Unreadable  # `sin^2 x` means something else than it says
        inside = self.atom(depth + 1)
        while (piece := self.peek()) and (piece.isalpha() and piece not in _FUNCTIONS and piece != "choose"):
            inside = ("*", inside, self.power(depth + 1))
        return (name, inside, base)


_MIXED = re.compile(r"(?<![0-9.^/])([0-9]{1,6}) +([0-9]{1,6})/([0-9]{1,6})(?![0-9.])")


def parse_expression(text: str) -> Expression | None:
    """Read an expression; None where the text is something else (words, an equation, too long)."""
    if not text or len(text) > MAX_CHARS or " or " in text or " and " in text:
        return None
    text = _MIXED.sub(r"(\1+\2/\3)", text.replace("$", "").replace("%", ""))
    try:
        reader = _Reader(text)
        node = reader.sum(0)
        if reader.at < len(reader.tokens):
            return None
        return Expression(node, frozenset(reader.letters))
    except (_Unreadable, RecursionError):
        return None


def value_of(expression: Expression) -> Number | None:
    """Return the number an expression without letters stands for; None with letters, or where it has no finite value."""
    return None if expression.letters else _value(expression.node, {})


def same_expression(a: Expression, b: Expression) -> bool | None:
    """Compare by value at several points; None where they cannot be evaluated."""
    decided = None
    for point in points(a.letters | b.letters):
        left, right = value_at(a, point), value_at(b, point)
        if left is None or right is None:
            continue
        if not equal(left, right):
            return False
        decided = True
    return decided


def points(letters: frozenset[str]) -> list[dict[str, Number]]:
    """Return places at which expressions are compared: a value for every letter; one empty place where there is none."""
    named = sorted(letters)
    return [
        {letter: point + Fraction(3 * j + i, 17) for j, letter in enumerate(named)}
        for i, point in enumerate(POINTS if named else POINTS[:1])
    ]


def value_at(expression: Expression, point: dict[str, Number]) -> Number | None:
    """Return the value at a place; None where there is no finite one."""
    return _value(expression.node, point)


def equal(left: Number, right: Number) -> bool:
    """Exactly equal fractions; with a root, π, e or a logarithm in one of them, equal to nine figures."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left == right
    if not left or not right:
        return abs(float(left) - float(right)) < 1e-12
    return math.isclose(left, right, rel_tol=1e-9)


def _value(node: Node, letters: dict[str, Number]) -> Number | None:
    try:
        value = _walk(node, letters)
        return value if isinstance(value, Fraction) or math.isfinite(value) else None
    except (ZeroDivisionError, OverflowError, ValueError, TypeError, _Unreadable):
        return None


def _walk(node: Node, letters: dict[str, Number]) -> Number:
    name, left, right = node
    if name == "number":
        number: Number = left
        return number
    if name == "letter":
        return letters[left]
    a = _walk(left, letters)
    if name == "sqrt":
        return _root(a)
    if name == "abs":
        return -a if a < 0 else a
    if name == "!":
        if not isinstance(a, Fraction) or a.denominator != 1 or not 0 <= a <= MAX_FACTORIAL:
            raise _Unreadable
        return Fraction(math.factorial(int(a)))
    if name in _FUNCTIONS:
        said = _FUNCTIONS[name](float(a))
        return said if right is None else math.log(a) / math.log(_walk(right, letters))
    b = _walk(right, letters)
    if name == "^":
        return _power(a, b)
    if name == "choose":
        if not (isinstance(a, Fraction) and isinstance(b, Fraction) and a.denominator == b.denominator == 1):
            raise _Unreadable
        if not 0 <= b <= a <= MAX_FACTORIAL:
            raise _Unreadable
        return Fraction(math.comb(int(a), int(b)))
    result: Number = a + b if name == "+" else a - b if name == "-" else a * b if name == "*" else a / b
    if isinstance(result, Fraction) and result.numerator.bit_length() + result.denominator.bit_length() > MAX_BITS:
        raise _Unreadable
    return result


def _root(a: Number) -> Number:
    if isinstance(a, Fraction) and a >= 0:
        top, below = math.isqrt(a.numerator), math.isqrt(a.denominator)
        if top * top == a.numerator and below * below == a.denominator:
            return Fraction(top, below)
    return math.sqrt(a)


def _power(a: Number, b: Number) -> Number:
    if isinstance(a, Fraction) and isinstance(b, Fraction) and b.denominator == 1:
        size = max(a.numerator.bit_length(), a.denominator.bit_length())
        if abs(b) > MAX_POWER * 16 or size * abs(b) > MAX_BITS:
            raise _Unreadable
        return a ** int(b)
    result: Any = float(a) ** float(b)
    if isinstance(result, complex) or not math.isfinite(result):
        raise _Unreadable
    return float(result)
