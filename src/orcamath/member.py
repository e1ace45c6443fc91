"""Whose code a member of a family is, and what is said where it does not keep to the family's contract (see `held.py`)."""

from collections.abc import Callable, Iterable, Iterator
from inspect import signature
from typing import NamedTuple, TypeVar

from orcamath.errors import OthersFailed
from orcamath.extend import FAMILIES, code_of, contract_of

__all__ = ["Member"]

T = TypeVar("T")


class Member(NamedTuple):
    """A member by family and name."""

    family: str
    name: str

    def takes(self, function: Callable[..., object], what: str, *parameters: str) -> None:
        """Look whether a function can be called as it will be. Raises OthersFailed."""
        try:
            signature(function).bind(*parameters)
        except TypeError as e:
            called = f"{what}({', '.join(parameters)})"
            raise OthersFailed(
                f"{self.family} `{self.name}`: `{called}` cannot be called: {e}. {contract_of(self.family)}"
            ) from None
        except ValueError:  # written in C: it does not say
            return

    def due(self, kind: type[T], found: object, what: str, wanted: str) -> T:
        """Return what was found where it is of a kind. Raises OthersFailed."""
        if isinstance(found, kind):
            return found
        raise self.wrong(found, what, wanted)

    def text(self, found: object, what: str, wanted: str = "a text that is not empty") -> str:
        """Return a text that says something."""
        if isinstance(found, str) and found:
            return found
        raise self.wrong(found, what, wanted)

    def named(self, fingerprint: object) -> str:
        """Return what names a judge or a screen in digests: its `fingerprint`, and what its code says."""
        return f"{self.text(fingerprint, 'fingerprint')}, {code_of(self.family, self.name)}"

    def sound(self, flaw: str | None, found: object, what: str, wanted: str) -> None:
        """Take what `fields` says of a record's fields. Raises OthersFailed where that is something."""
        if flaw is not None:
            raise self.broke(what, f"returned a {type(found).__name__} {flaw}", wanted)

    def many(self, found: object, wanted: str) -> Iterator[object]:
        """Return an iterator over what can be gone through."""
        if isinstance(found, str) or not isinstance(found, Iterable):
            raise self.wrong(found, self.entry, wanted)
        return iter(found)

    def wrong(self, found: object, what: str, wanted: str) -> OthersFailed:
        """Say who returned what, and what was due."""
        return self.broke(what, f"returned {_shown(found)}", wanted)

    def too_few(self, what: str, missing: str, wanted: str) -> OthersFailed:
        """Say who ended before everything was answered, what is `missing`, and what was due."""
        return self.broke(what, f"ended too early: {missing}", wanted)

    def broke(self, what: str, how: str, wanted: str) -> OthersFailed:
        """Say of what in theirs how it broke the contract, and what was due."""
        return OthersFailed(
            f"{self.family} `{self.name}`: `{what}` {how}; it must return {wanted}. {contract_of(self.family)}"
        )

    @property
    def entry(self) -> str:
        """The name of the family's entry."""
        return FAMILIES[self.family].entry


def _shown(found: object) -> str:
    return f"{type(found).__name__} ({found!r:.80})"
