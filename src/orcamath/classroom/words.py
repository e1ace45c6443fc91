"""The classroom's vocabulary: themes, names, and the sentences in which a step can be told, hidden or asked for.

A sentence is a template. `{S}` is whoever owns the quantity at that point, `{P}` somebody new, `{n}` the step's number (or
`several`, where it is hidden); the rest is filled from the theme and the unit that is being counted. No template holds a
number word, so that every number of a problem is a numeral.
"""

from types import MappingProxyType
from typing import NamedTuple

__all__ = [
    "FRIENDS",
    "HIDDEN",
    "KINDS",
    "NAMES",
    "RESULT_QUESTIONS",
    "RESULT_TOLD",
    "STARTS",
    "START_QUESTION",
    "THEMES",
    "UNITS",
    "Kind",
    "Noun",
    "Theme",
    "Verb",
    "noun",
    "verb",
]

HIDDEN = "several"
FRIENDS = "the friends"
UNITS = ("item", "container", "money")


class Noun(NamedTuple):
    """What is counted."""

    one: str
    many: str


class Verb(NamedTuple):
    """`picked`, `pick`."""

    past: str
    stem: str


class Theme(NamedTuple):
    """A small world: things, what holds them, and how they come and go."""

    item: Noun
    container: Noun
    gain: tuple[Verb, Verb]
    lose: tuple[Verb, Verb]


def _theme(item: str, container: str, gain: str, lose: str) -> Theme:
    def noun_of(text: str) -> Noun:
        one, many = text.split("/")
        return Noun(one, many)

    def verbs(text: str) -> tuple[Verb, Verb]:
        a, b = (Verb(*v.split("/")) for v in text.split(", "))
        return a, b

    return Theme(noun_of(item), noun_of(container), verbs(gain), verbs(lose))


THEMES: MappingProxyType[str, Theme] = MappingProxyType(
    {
        "orchard": _theme("apple/apples", "basket/baskets", "picked/pick, bought/buy", "gave away/give away, ate/eat"),
        "bakery": _theme("cookie/cookies", "tray/trays", "baked/bake, bought/buy", "sold/sell, ate/eat"),
        "library": _theme("book/books", "shelf/shelves", "bought/buy, borrowed/borrow", "returned/return, lent/lend"),
        "beach": _theme("shell/shells", "bucket/buckets", "found/find, gathered/gather", "lost/lose, broke/break"),
        "playground": _theme("marble/marbles", "jar/jars", "won/win, found/find", "lost/lose, gave away/give away"),
        "post": _theme("stamp/stamps", "album/albums", "collected/collect, bought/buy", "sold/sell, used/use"),
        "school": _theme("pencil/pencils", "case/cases", "bought/buy, found/find", "lent/lend, lost/lose"),
        "garden": _theme(
            "flower/flowers", "vase/vases", "picked/pick, bought/buy", "dropped/drop, gave away/give away"
        ),
        "farm": _theme("egg/eggs", "carton/cartons", "gathered/gather, bought/buy", "broke/break, sold/sell"),
        "club": _theme("card/cards", "pack/packs", "won/win, collected/collect", "lost/lose, gave away/give away"),
        "party": _theme("balloon/balloons", "bunch/bunches", "bought/buy, found/find", "broke/break, lost/lose"),
        "craft": _theme("bead/beads", "string/strings", "made/make, bought/buy", "used/use, dropped/drop"),
        "zoo": _theme("banana/bananas", "crate/crates", "gathered/gather, bought/buy", "used/use, ate/eat"),
        "workshop": _theme("nail/nails", "tin/tins", "made/make, borrowed/borrow", "used/use, lost/lose"),
    }
)
NAMES = (
    "Mia",
    "Ben",
    "Zoe",
    "Tom",
    "Ada",
    "Leo",
    "Eva",
    "Max",
    "Ida",
    "Sam",
    "Lily",
    "Noah",
    "Rosa",
    "Omar",
    "Jane",
    "Ravi",
)

_CONTAINER_VERBS = (
    (Verb("bought", "buy"), Verb("borrowed", "borrow")),
    (Verb("lost", "lose"), Verb("gave away", "give away")),
)
_MONEY_VERBS = ((Verb("earned", "earn"), Verb("received", "receive")), (Verb("spent", "spend"), Verb("lost", "lose")))
_MONEY = Noun("dollar", "dollars")


def noun(theme: str, unit: int) -> Noun:
    """Return what is counted in a unit: the theme's item (0), its container (1), or money (2)."""
    return (THEMES[theme].item, THEMES[theme].container, _MONEY)[unit]


def verb(theme: str, unit: int, wording: int, *, gain: bool) -> Verb:
    """Return how that unit comes (`gain`) or goes."""
    world = THEMES[theme]
    return ((world.gain, world.lose), _CONTAINER_VERBS, _MONEY_VERBS)[unit][0 if gain else 1][wording]


class Kind(NamedTuple):
    """A kind of step: its arithmetic, its sentences, its question, and what it does to owner and unit."""

    signs: str
    """The operations of solving it forwards; the second of two adds the old quantity to the new one."""
    told: tuple[str, ...]
    asked: str
    owner: str = "same"
    """`same`, `new` (somebody else's quantity is followed from here on) or `friends`."""
    units: tuple[int, ...] = (0, 1, 2)
    to: int | None = None
    """The unit afterwards, where it changes."""


STARTS = ("{S} had {n} {u}.", "At the start {S} had {n} {u}.", "{S} started with {n} {u}.")
START_QUESTION = "how many {u} did {S} have at the start?"
RESULT_TOLD = ("In the end {S} had {n} {u}.", "{S} ended up with {n} {u}.")
RESULT_QUESTIONS = ("how many {u} did {S} have in the end?", "how many {u} did {S} end up with?")
_POOLED = "and {P} and {S} put all their {u} together."

KINDS: MappingProxyType[str, Kind] = MappingProxyType(
    {
        "add": Kind(
            "+", ("{S} {gain} {n} more {u}.", "Then {S} {gain} {n} more {u}."), "how many more {u} did {S} {gains}?"
        ),
        "sub": Kind("-", ("{S} {lose} {n} {u}.", "After that {S} {lose} {n} {u}."), "how many {u} did {S} {loses}?"),
        "more": Kind(
            "+",
            ("{P} had {n} more {u} than {S}.", "{P} counted {n} {u} more than {S}."),
            "how many more {u} than {S} did {P} have?",
            "new",
        ),
        "fewer": Kind(
            "-",
            ("{P} had {n} fewer {u} than {S}.", "{P} counted {n} {u} fewer than {S}."),
            "how many fewer {u} than {S} did {P} have?",
            "new",
        ),
        "times": Kind(
            "*",
            ("{P} had {n} times as many {u} as {S}.", "{P} counted {n} times as many {u} as {S}."),
            "how many times as many {u} as {S} did {P} have?",
            "new",
        ),
        "times_of": Kind(
            "/",
            ("{S} had {n} times as many {u} as {P}.", "{S} counted {n} times as many {u} as {P}."),
            "how many times as many {u} as {P} did {S} have?",
            "new",
        ),
        "days": Kind(
            "*",
            ("{S} got that many {u} on each of {n} days.", "That was for each day, and {S} kept all {u} of {n} days."),
            "for how many days did {S} do that?",
        ),
        "split": Kind(
            "/",
            (
                "{S} made {n} equal piles of the {u} and kept a single pile.",
                "{S} shared all the {u} among {n} people, and each got a part like that of {S}.",
            ),
            "how many equal parts of the {u} did {S} make?",
        ),
        "pack": Kind(
            "/",
            (
                "{S} packed all the {items} into {cases} of {n} {items} each.",
                "{S} filled {cases} with {n} {items} each until no {items} were left.",
            ),
            "how many {items} did {S} put into each {case}?",
            units=(0,),
            to=1,
        ),
        "unpack": Kind(
            "*",
            (
                "Each {case} held {n} {items}, and {S} took out all the {items}.",
                "{S} opened every {case} and took {n} {items} out of each.",
            ),
            "how many {items} were in each {case}?",
            units=(1,),
            to=0,
        ),
        "sell": Kind(
            "*",
            ("{S} sold every {item} for {n} dollars.", "{S} got {n} dollars for each {item}."),
            "how many dollars did {S} get for each {item}?",
            units=(0,),
            to=2,
        ),
        "buy": Kind(
            "/",
            (
                "{S} paid all the dollars for {items} at {n} dollars each.",
                "Each {item} cost {n} dollars, and {S} paid all the dollars for {items}.",
            ),
            "how many dollars did each {item} cost?",
            units=(2,),
            to=0,
        ),
        "join": Kind(
            "+",
            ("{P} had {n} {u}, " + _POOLED, "{P} came with {n} {u}, " + _POOLED),
            "how many {u} did {P} bring?",
            "friends",
        ),
        "join_more": Kind(
            "++",
            ("{P} had {n} more {u} than {S}, " + _POOLED, "{P} came with {n} more {u} than {S}, " + _POOLED),
            "how many more {u} than {S} did {P} bring?",
            "friends",
        ),
        "join_fewer": Kind(
            "-+",
            ("{P} had {n} fewer {u} than {S}, " + _POOLED, "{P} came with {n} fewer {u} than {S}, " + _POOLED),
            "how many fewer {u} than {S} did {P} bring?",
            "friends",
        ),
        "join_times": Kind(
            "*+",
            (
                "{P} had {n} times as many {u} as {S}, " + _POOLED,
                "{P} came with {n} times as many {u} as {S}, " + _POOLED,
            ),
            "how many times as many {u} as {S} did {P} bring?",
            "friends",
        ),
    }
)
