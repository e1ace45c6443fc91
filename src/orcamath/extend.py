"""What a stranger adds: a source, an agent, a judge, a loss or a backend is one file, found by its name.

A family is a package; a member is a module in it whose name is the name in the recipe, and which has the family's entry.
A member elsewhere is named by the path of its file (`./my_judge.py`). `assemble.py` does the finding; this module only
says where and what.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["FAMILIES", "Family"]


class Family(NamedTuple):
    """Where members of a family live, what each must define, and in words what that is."""

    package: str
    entry: str
    contract: str
    also: Mapping[str, str] = MappingProxyType({})
    """Members that live in another room: name → module."""


FAMILIES: dict[str, Family] = {
    "source": Family(
        "orcamath.sources",
        "read",
        "read(settings: SourceSettings) -> Iterator[Problem]: the problems of one data set, split and licence on each",
        {"classroom": "orcamath.classroom.seeds"},
    ),
    "agent": Family("orcamath.agents", "make", "make(settings) -> Agent: two pure halves, request and parse"),
    "judge": Family("orcamath.judges", "make", "make(settings, model) -> Judge: findings in input order"),
    "loss": Family("orcamath.student.losses", "loss", "loss(batch, settings) -> Loss: a pure function of log-probs"),
    "backend": Family(
        "orcamath.backends",
        "open_chat",
        "open_chat(settings: ModelSettings) -> Chat",
        {"textbook": "orcamath.classroom.textbook"},
    ),
}
