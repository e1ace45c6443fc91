"""How money is written: the signs of currencies, and the words that are nothing but one.

Expressions are made of these pieces, each where it decides something: `pounds` may be a weight, and time is spent, too.
"""

__all__ = ["CURRENCIES", "CURRENCY_NAMES", "CURRENCY_SIGNS", "dollars", "spent_of"]

CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds", "₹": "rupees"}
"""Sign → what is counted by it."""
CURRENCY_SIGNS = "".join(CURRENCIES)
"""Written in front of a number; inside brackets of an expression as they are."""
CURRENCY_NAMES = r"dollars?|euros?|cents?|pence|rupees?"
"""Alternatives of an expression."""


def dollars(usd: float) -> str:
    """Write an amount of US dollars: to the cent, and below a dollar to a hundredth of one where it is no whole cents.

    >>> dollars(1234.5), dollars(0.0087), dollars(0.5), dollars(0)
    ('$1,234.50', '$0.0087', '$0.50', '$0.00')
    """
    return f"${usd:,.2f}" if usd >= 1 or round(usd, 4) == round(usd, 2) else f"${usd:,.4f}"


def spent_of(spent: float, cap: float | None) -> str:
    """Write what is spent, in US dollars, beside its cap, if any: `$1.25 spent of $50.00`."""
    return f"{dollars(spent)} spent" + (f" of {dollars(cap)}" if cap is not None else "")
