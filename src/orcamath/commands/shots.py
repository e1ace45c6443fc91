"""Worked examples for `evaluate --few-shot N`: problems for training with their solutions, as turns before the question.

In → a source and what is tested; out → 2 N turns. Which ones is a matter of their ids' hashes, so the same source gives the same
examples, whatever its order; as for a base that a recipe shows lessons (`base_shown`).
"""

from collections.abc import Set
from heapq import nsmallest

from orcamath.errors import UsageError
from orcamath.held import held
from orcamath.ports import Message
from orcamath.records import Problem, digest
from orcamath.sources.source import SourceSettings, Unsplit

__all__ = ["worked_examples"]


def worked_examples(n: int, source: SourceSettings, tested: Set[str]) -> tuple[Message, ...]:
    """Return `n` worked problems of a source that are for training and whose question is not `tested`.

    Raises UsageError where there are fewer.
    """
    found = held("source", source.name)(source)
    problems = (f.problem if isinstance(f, Unsplit) else f for f in found)
    worked = [
        p
        for p in problems
        if isinstance(p, Problem) and p.split == "train" and p.solution is not None and p.question not in tested
    ]
    if len(worked) < n:
        raise UsageError(
            f"`--few-shot {n}` needs as many worked problems for training that are not measured on, and "
            f"`{source.path or source.title}` has {len(worked)}; name a file of them with --shots FILE (columns `question` and "
            f"`solution`)"
        )
    chosen = nsmallest(n, worked, key=lambda p: digest("shown", p.id))
    return tuple(m for p in chosen for m in (Message("user", p.asked), Message("assistant", p.solution or "")))
