"""What a stage says of itself, beside its function: name, version, settings, facts. Its type tells what it is made of.

    @stage("teach", version=3, settings=TeachSettings, facts=TeachFacts)
    def teach(out: Output, settings: TeachSettings, problems: Artifact, teacher: Remembered) -> TeachFacts: ...

A recipe hands `teach` to its workshop with the settings and the inputs; a wrong or missing one is a type error there. Called
with an `Output` in front it simply runs, which is how tests and other stages use it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Concatenate, Generic, NamedTuple, ParamSpec, TypeVar

from orcamath.records import Settings
from orcamath.store.artifacts import Output
from orcamath.store.facts import Facts

__all__ = ["Stage", "StageLabel", "stage"]

S = TypeVar("S", bound=Settings)
P = ParamSpec("P")
F = TypeVar("F", bound=Facts)


class StageLabel(NamedTuple):
    """A stage's label read back: of `practice 3.1`, the name and which of several."""

    name: str
    which: str

    @classmethod
    def read(cls, label: str) -> "StageLabel":
        """Read what `Stage.label` wrote.

        >>> StageLabel.read("practice 3.1").round
        3
        """
        name, _, which = label.partition(" ")
        return cls(name, which)

    @property
    def round(self) -> int | None:
        """The round of practice that it is of, by its spell too; None before all rounds, and for what goes by a name."""
        number, _, _ = self.which.partition(".")
        return int(number) if number.isdecimal() else None

    @property
    def whole(self) -> bool:
        """Whether it is a round's, and no spell of one."""
        return self.which.isdecimal()


@dataclass(frozen=True)
class Stage(Generic[S, P]):
    """A stage: settings `S` and inputs `P` in, tables and facts out."""

    name: str
    """What its folders, its settings' key and its file are called."""
    version: int
    """Raised where the same inputs would come out differently; older results are then made anew."""
    settings: type[S]
    facts: type[Facts]
    """What it returns; readers of the sealed stage read it back by this record."""
    make: Callable[Concatenate[Output, S, P], Facts]
    which: str = ""
    """Which of several in one run: the round, or the student."""

    @property
    def label(self) -> str:
        """What people call it: `teach`, `practice 3`."""
        return f"{self.name} {self.which}".strip()

    def of(self, which: object) -> "Stage[S, P]":
        """Return the same stage for one round, or one student."""
        return replace(self, which=str(which))

    def __call__(self, out: Output, settings: S, *inputs: P.args, **named: P.kwargs) -> Facts:
        """Make it, into `out`, and return what it says of itself."""
        return self.make(out, settings, *inputs, **named)


def stage(
    name: str, *, version: int, settings: type[S], facts: type[F]
) -> Callable[[Callable[Concatenate[Output, S, P], F]], Stage[S, P]]:
    """Declare the function below as a stage."""

    def declare(make: Callable[Concatenate[Output, S, P], F]) -> Stage[S, P]:
        return Stage(name, version, settings, facts, make)

    return declare
