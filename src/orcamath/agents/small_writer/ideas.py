"""Ideas of ours for a suggester that has few of its own, chosen by what a problem asks for."""

from orcamath.agents.small_writer.money import speaks_of_money
from orcamath.agents.wellformed import ask_of
from orcamath.records import Problem
from orcamath.text.patterns import pattern

__all__ = ["idea_for"]

# by what a problem asks for: ways to go on from its answer
_IDEAS = {
    "age": ("somebody is some years younger", "somebody is some times as old", "some years go by"),
    "money": (
        "something more has to be paid",
        "a part of the money is given away",
        "it is the same for several weeks",
        "it is shared out equally",
    ),
    "measure": ("it happens several times a week", "somebody else has some more", "a part of it is used up"),
    "count": (
        "some of them are given away",
        "some more come in",
        "they are shared out equally",
        "each one costs something",
        "somebody else has some times as many",
    ),
}
_MEASURE = pattern(
    r"how (?:long|far|tall|heavy|fast)|how (?:many|much) (?:more |less |fewer )?(?:minutes|hours|days|weeks|miles|feet|pounds|"
    r"meters|inches|liters|gallons|water|time|weight)|weigh",
    "asks for a length, a time, a weight or a volume",
    ("how long does it take", "how many more miles", "how much does it weigh"),
    ("how many pens", "how old"),
)


def idea_for(item: Problem) -> str:
    """Choose an idea that fits what a problem asks for, by the hash of the problem."""
    ask = ask_of(item.question).lower()
    kind = "count"
    if "how old" in ask or "age" in ask.split():
        kind = "age"
    elif _MEASURE.search(ask):
        kind = "measure"
    elif speaks_of_money(ask, item.question):
        kind = "money"
    return _IDEAS[kind][int(item.id[:8], 16) % len(_IDEAS[kind])]
