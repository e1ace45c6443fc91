"""Answers to one problem, put together where they say the same: what votes, agreement and contradictions are counted by."""

from collections.abc import Sequence

from orcamath.answers.compare import same
from orcamath.records import AnswerKind

__all__ = ["alike"]


def alike(
    kind: AnswerKind, answers: Sequence[str], question: str = "", options: tuple[str, ...] = ()
) -> list[list[int]]:
    """Group the places of answers that say the same, in order of appearance; each is held against the first of a group.

    >>> alike("number", ["3", "4", "3.0", "three"])
    [[0, 2, 3], [1]]
    """
    groups: list[list[int]] = []
    for i, answer in enumerate(answers):
        group = next((g for g in groups if same(kind, answer, answers[g[0]], question, options)), None)
        if group is None:
            groups.append([i])
        else:
            group.append(i)
    return groups
