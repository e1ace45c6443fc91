"""What a stage says of itself besides its tables: a record beside the stage, JSON in its manifest.

In: the record that a stage returns. Out: the same record for whoever reads the sealed stage (report, viewer, plan, verbs), so
that both name one field. What a stage did not say is not written. What another version said, or a stage that this one does
not know, is kept as it is under `others`; what it did not say has the field's default.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer
from pydantic import model_validator as validator

from orcamath.errors import DataError

__all__ = ["Fact", "Facts"]


class Fact(BaseModel):
    """Base of facts that have parts: frozen; every part has a default, since an older version may not have said it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    others: dict[str, object] = Field({}, repr=False)
    """JSON that no field is for."""

    @validator(mode="before")
    @classmethod
    def _keep_others(cls, said: object) -> object:
        if not isinstance(said, Mapping):
            return said
        known = {name for field, info in cls.model_fields.items() for name in (field, info.alias)}
        others = {k: v for k, v in said.items() if k not in known}
        return {**{k: v for k, v in said.items() if k in known}, **({"others": others} if others else {})}

    @model_serializer(mode="wrap")
    def _flat(self, plain: SerializerFunctionWrapHandler) -> dict[str, object]:
        fields: dict[str, object] = plain(self)
        fields.pop("others", None)
        return {**self.others, **fields}

    def plain(self) -> dict[str, object]:
        """Return what was said as JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @classmethod
    def of(cls, said: Mapping[str, object], where: object = "") -> Self:
        """Read what a stage said. Raises DataError naming the fact where it is not of this version's kind."""
        try:
            return cls.model_validate(said)
        except ValidationError as e:
            first = e.errors()[0]
            fact = ".".join(map(str, first["loc"]))
            raise DataError(
                f"{f'`{where}`: ' if where else ''}the fact `{fact}` reads {first['input']!r:.80}, which this version cannot use "
                f"({first['msg']}): another version sealed it. Delete that folder and run again, or read it with that version"
            ) from e


class Facts(Fact):
    """Base of all that a stage says of itself."""

    failed_calls: dict[str, int] = Field({})
    """Whole replies that could not be used, by reason. Booked by `Output`."""
    agents: dict[str, dict[str, int]] = Field({})
    """Agent → its calls, its results and their tokens. Booked by `Output`."""
    warnings: tuple[str, ...] = ()
    """What a reader should know before trusting the result."""

    def tokens(self) -> dict[str, int]:
        """Return the tokens that were counted, by the fact's name; agents' as `prompt_tokens` and `completion_tokens`."""
        counted = {name: n for name, n in self.plain().items() if name.startswith("n_") and "tokens" in name}
        found = {name: n for name, n in counted.items() if isinstance(n, int)}
        for what in ("prompt_tokens", "completion_tokens"):
            if n := sum(books.get(what, 0) for books in self.agents.values()):
                found[what] = n
        return found
