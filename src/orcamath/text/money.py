"""How money is written: the signs of currencies, and the words that are nothing but one.

Expressions are made of these pieces, each where it decides something: `pounds` may be a weight, and time is spent, too.
"""

__all__ = ["CURRENCY_NAMES", "CURRENCY_SIGNS"]

CURRENCY_SIGNS = "$€£₹"
"""Written in front of a number; inside brackets of an expression as they are."""
CURRENCY_NAMES = r"dollars?|euros?|cents?|pence"
"""Alternatives of an expression."""
