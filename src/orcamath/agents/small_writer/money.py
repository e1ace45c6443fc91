"""Does a text speak of money? Time and water are asked for by `how much` and spent, too, so other words decide with it."""

from orcamath.text.money import CURRENCY_NAMES, CURRENCY_SIGNS
from orcamath.text.patterns import pattern

__all__ = ["HOW_MUCH", "speaks_of_money"]

HOW_MUCH = (
    r"how much (?:(?:more|less|extra|total|money|cash|change|profit|tax|rent|interest|debt|income|in (?:all|total)|tip|discount|"
    r"allowance|savings|(?:per|an?|each|every) \w+|of (?:the|his|her|their|its) \w+) )*"
    r"(?:do|does|did|is|are|was|were|will|would|has|have|had|can|could|should|must|cost)\b"
)
"""`how much` without a thing that is no money, up to the verb: a piece of an expression."""

_CURRENCY = pattern(
    rf"[{CURRENCY_SIGNS}]|\b(?:{CURRENCY_NAMES}|pounds?|money)\b",
    "names a currency",
    ("He spends $3.", "It costs 5 dollars.", "How much money?"),
    ("He spends 3 hours.", "It is worth a try."),
)
_MONEY = pattern(
    rf"[{CURRENCY_SIGNS}]|\b(?:{CURRENCY_NAMES}|pounds?|money|costs?|price|pay|paid|pays|earn|earns|charges?|fee|"
    r"salary|wages?|bill|budget)\b",
    "speaks of money by itself",
    ("What is the price?", "What does he pay?", "How many of the £9 are left?", "How many rupees?"),
    ("How long does he spend on it?", "What is its value?", "At what rate does it flow?", "What percent is it?"),
)
_PERHAPS_MONEY = pattern(
    rf"\b(?:spend|spends|spent|worth|value|amount|rate)\b|\b{HOW_MUCH}",
    "speaks of money only where there is a currency: time is spent too",
    (
        "He spent it.",
        "What is it worth?",
        "How much is it?",
        "How much per hour does she make?",
        "How much tip did he leave?",
    ),
    ("He paid.", "How much water is left?", "How much juice does she make?"),
)
_A_THING = pattern(
    rf"^(?!.*\b{HOW_MUCH}).*\bhow (?:much|many)\b.*\b(?:spend|spends|spent)\b",
    "spends something that it names",
    ("How much time does Ken spend?", "How many hours did he spend?"),
    ("How much does Ken spend?", "How much money did he spend?"),
)


def speaks_of_money(text: str, story: str) -> bool:
    """Tell whether a text speaks of money: `how much` and `spend` do so only where the story has a currency."""
    if _MONEY.search(text):
        return True
    return bool(_PERHAPS_MONEY.search(text) and _CURRENCY.search(story) and not _A_THING.search(text))
