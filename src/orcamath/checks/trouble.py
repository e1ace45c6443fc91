"""What a check found: where, what, and what to do instead. And which checks could not be made here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from orcamath.errors import OrcamathError, RecipeError

if TYPE_CHECKING:
    from orcamath.plan.sizes import ModelSize
    from orcamath.sources.source import Found
    from orcamath.student.encode import Encoder

__all__ = ["Checked", "Notes", "Trouble"]


class Trouble(NamedTuple):
    """One thing that would stop the run later."""

    where: str
    """Key of the recipe, or the file."""
    what: str
    """What is wrong, the value, and what to do instead."""

    def line(self) -> str:
        """Return it as one line for people."""
        return f"{self.where}: {self.what}"


class Checked(NamedTuple):
    """All that was found."""

    troubles: tuple[Trouble, ...]
    unchecked: tuple[str, ...]
    """What needs the network, a key or another machine, and was left out."""
    warnings: tuple[str, ...] = ()
    """What will not stop the run, and is worth knowing before it is paid."""

    def require(self, recipe: str) -> tuple[str, ...]:
        """Return the warnings. Raises RecipeError with every trouble, one a line, where there is any."""
        if self.troubles:
            n = len(self.troubles)
            head = (
                f"`{recipe}` would not come through; {n} thing{'s' if n > 1 else ''} to mend before anything is paid:"
            )
            raise RecipeError("\n".join([head, *(f"  {t.line()}" for t in self.troubles)]))
        return self.warnings


class Notes:
    """Gathers troubles, each once, whichever arm has them."""

    def __init__(self, *, everything: bool) -> None:
        """`everything`: use the network and the environment's keys too."""
        self.everything = everything
        self.encoders: dict[tuple[str, str | None], Encoder] = {}
        """Of the local models that were looked at and are fit, by path and revision: arms share them."""
        self.sizes: dict[str, ModelSize | None] = {}
        """Of students, by the recipe's name for them: arms share them."""
        self.rows: dict[str, list[Found]] = {}
        """The first rows of sources that could be read, by their settings: arms share them."""
        self._troubles: dict[Trouble, None] = {}
        self._unchecked: dict[str, None] = {}
        self._warnings: dict[str, None] = {}

    def trouble(self, where: str, what: str) -> None:
        """Note what would stop the run."""
        self._troubles[Trouble(where, " ".join(what.split()))] = None

    def warn(self, where: str, what: str) -> None:
        """Note what will not stop the run, and is worth knowing before."""
        self._warnings[f"{where}: {what}"] = None

    def lacks(self, where: str, what: str) -> None:
        """Note what this machine has not got: it stops a run, but a plan may be for another machine."""
        (self.trouble if self.everything else self.warn)(where, what)

    def left_out(self, what: str) -> None:
        """Note a check that was not made."""
        self._unchecked[what] = None

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Note what the block raises on purpose as a trouble of that place."""
        try:
            yield
        except OrcamathError as e:
            self.trouble(where, str(e))

    def result(self) -> Checked:
        """Return all of it."""
        return Checked(tuple(self._troubles), tuple(self._unchecked), tuple(self._warnings))
