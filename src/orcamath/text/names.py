"""Names in a text: capitalised words that are neither common openings of a sentence nor written small elsewhere in it."""

from collections.abc import Sequence

from orcamath.text.words import CALENDAR

__all__ = ["names_among"]

_COMMON = """
a about after afterwards again all also altogether although among an and another anyone approximately around as assume
assuming at before because between both but by calculate compared consider currently determine due during each early
eight eighteen eleven evaluate even eventually every everyone exactly fifteen fifty finally find first five following
for four fourteen from given half he her here hers his how however i if in initially instead it its last later lastly
let most next nine now of on once one only originally other otherwise our out over part please round second seven she
similarly simplify since six solve some someone starting still such suppose ten that the their then there these they
third this those three through thus to today together tomorrow total twelve twenty twice two under unfortunately until
upon using was we were what when where whereas which while who with within without work write yesterday yet you your
"""
_NOT_NAMES = CALENDAR | frozenset(_COMMON.split())


def names_among(words: Sequence[str]) -> list[str]:
    """Return the names among the words of one text, in order of appearance: of people, of places, of what begins a sentence."""
    capital = [word for word in dict.fromkeys(words) if word.istitle() and len(word) > 1]
    small = set(words)
    return [word for word in capital if (lower := word.lower()) not in _NOT_NAMES and lower not in small]
