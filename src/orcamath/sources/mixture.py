"""What the paper says of its seeds, and what it leaves open: printed beside the counts of `seeds: lila`.

Paper, section 2.1: 36,217 problems, the train and validation parts of eleven sets as Lila distributes them. Counts per set
are not published, so none can be checked; the parts listed under `OURS` are choices of ours that the total depends on.
"""

from collections.abc import Mapping

from orcamath.store.facts import Fact

__all__ = ["OURS", "Mixture", "note"]

PAPER_TOTAL = 36_217

OURS = (
    "NumGLUE: task types 1, 2, 4 and 8, the ones that ask a number of a question that stands alone",
    "ALGES: read as Lila's `simuleq` (ALG514); DRAW as its `draw_structured`",
    "MathQA: all of Lila's `mathqa_*` parts",
    "GSM8K: Lila's `GSM8k_structured`, which holds the training problems of the original",
    "splits: Lila's own train and validation; its test part is left out",
    "the same row twice is kept once",
)


class Mixture(Fact):
    """The mixture's counts beside the paper's total, and which parts are our choice."""

    paper: int = 0
    here: int = 0
    difference: int = 0
    our_choice: tuple[str, ...] = ()


def note(by_source: Mapping[str, int]) -> Mixture:
    """Return what is to be said of seeds taken from these sources, in these numbers."""
    total = sum(by_source.values())
    return Mixture(paper=PAPER_TOTAL, here=total, difference=total - PAPER_TOTAL, our_choice=OURS)
