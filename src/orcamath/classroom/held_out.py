"""The classroom's contamination rule: a problem whose structure is kept for measuring may not be trained or practised on.

Deviation: the paper compares words (Jaccard of 1-grams). In a template language nearly all texts share their words, so
here the problem is read back through the grammar and its (theme, operation sequence) decides. A question that cannot be
read cannot be shown to be clean, so it goes too: put `UnreadableScreen` before `HeldOut` to have those counted apart.
"""

from orcamath.classroom.grammar import NoStory, parse_story
from orcamath.classroom.growing import family, split_of
from orcamath.classroom.solving import structure
from orcamath.records import digest

__all__ = ["HeldOut", "UnreadableScreen", "make"]

_VERSION = 2


class HeldOut:
    """Screen: the structure is held out, or cannot be read."""

    reason = "held_out_structure"
    fingerprint = digest("classroom", reason, _VERSION)

    def __call__(self, question: str) -> str | None:
        """Return the split and structure it collides with, `unreadable: …`, or None."""
        try:
            story = parse_story(question)
        except NoStory as e:
            return f"unreadable: {str(e)[:200]}"
        split = split_of(story)
        shape = family(story) if split == "confirm" else " ".join(structure(story))
        return None if split == "train" else f"{split}: {shape}"


class UnreadableScreen:
    """Screen: the grammar cannot read the question."""

    reason = "unreadable"
    fingerprint = digest("classroom", reason, _VERSION)

    def __call__(self, question: str) -> str | None:
        """Return where the question departs from the language, or None."""
        try:
            parse_story(question)
        except NoStory as e:
            return str(e)[:200]
        return None


def make() -> tuple[UnreadableScreen, HeldOut]:
    """Return both, so that what cannot be read is counted apart."""
    return UnreadableScreen(), HeldOut()
