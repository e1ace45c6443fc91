"""How money is written: the signs of currencies, and the words that are nothing but one.

Expressions are made of these pieces, each where it decides something: `pounds` may be a weight, and time is spent, too.
"""

__all__ = ["CURRENCY_NAMES", "CURRENCY_SIGNS", "dollars", "spent_of"]

CURRENCY_SIGNS = "$€£₹"
"""Written in front of a number; inside brackets of an expression as they are."""
CURRENCY_NAMES = r"dollars?|euros?|cents?|pence"
"""Alternatives of an expression."""


def dollars(usd: float) -> str:
    """Write an amount of US dollars: to the cent, below a dollar to a hundredth of one, since small calls cost that.

    >>> dollars(1234.5), dollars(0.0087), dollars(0)
    ('$1,234.50', '$0.0087', '$0.00')
    """
    return f"${usd:,.4f}" if 0 < usd < 1 else f"${usd:,.2f}"


def spent_of(spent: float, cap: float | None) -> str:
    """Write what is spent, in US dollars, beside its cap, if any: `$1.25 spent of $50.00`."""
    return f"{dollars(spent)} spent" + (f" of {dollars(cap)}" if cap is not None else "")
