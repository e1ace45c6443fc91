"""What an agents' stage says where nearly nothing came of its calls: the stages after it are paid as well.

In: a stage's books. Out: its facts, with a warning or as they were.
"""

from collections import Counter
from typing import TypeVar

from orcamath.store.artifacts import Output
from orcamath.store.facts import Facts

__all__ = ["with_few_told"]

F = TypeVar("F", bound=Facts)
FEW = 20
"""Calls a problem that is kept: more of them are too many, whatever the agent."""


def with_few_told(facts: F, out: Output) -> F:
    """Return what a stage says, with a warning where it asked and kept nothing, or one problem for every `FEW` calls or more."""
    asked, kept = out.balance.asked, out.balance.kept
    if not asked or kept * FEW > asked:
        return facts
    reasons = Counter(out.failed_calls) + Counter(out.balance.rejected)
    why = f" (rejected most often: `{reasons.most_common(1)[0][0]}`)" if reasons else ""
    said = (
        f"of {asked:,} calls {kept:,} problems were kept{why}, and what follows is paid too: `orcamath doctor RECIPE "
        f"--writer` finds the `writer_size` that fits, or name another `writer`"
    )
    return facts.model_copy(update={"warnings": (*facts.warnings, said)})
