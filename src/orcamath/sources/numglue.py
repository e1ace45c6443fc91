"""NumGLUE (Mishra et al. 2022): eight task types; those that are word problems of their own are 1, 2, 4 and 8.

Type 1 needs common sense, 2 domain knowledge, 4 is a sentence with a blank, 8 an arithmetic word problem. Types 3 (two
options), 5 and 6 (a passage) and 7 (inference) are no word problems; `options: {types: [1, 8]}` narrows the choice.
"""

import re
from collections.abc import Iterator

from orcamath.errors import DataError
from orcamath.records import Rejected
from orcamath.sources.hub_rows import copies
from orcamath.sources.source import Found, Row, SourceSettings, each, gold_kind, number_text, problem_from

__all__ = ["LICENCE", "read"]

LICENCE = "Apache-2.0 (allenai/numglue)"
TYPES = (1, 2, 4, 8)


def _types_wanted(settings: SourceSettings) -> frozenset[int]:
    """Return the task types to read. Raises DataError for one that is no word problem."""
    types = settings.options.get("types", TYPES)
    if not isinstance(types, list | tuple) or not types or not set(types) <= set(TYPES):
        raise DataError(f"source `{settings.name}`: `types` is {types!r}; it can hold {', '.join(map(str, TYPES))}")
    return frozenset(types)


def read(settings: SourceSettings) -> Iterator[Found]:
    """Yield the problems of the wanted types, in file order."""
    wanted = _types_wanted(settings)
    found = copies(settings, ("numglue_*", "*"))
    return each((r for r in found if isinstance(r, Rejected) or _type(r) in wanted), lambda row: _make(row, settings))


def _type(row: Row) -> int | None:
    digits = re.findall(r"\d+", str(row.values.get("type", "")))
    return int(digits[0]) if len(digits) == 1 else None


def _make(row: Row, settings: SourceSettings) -> Found:
    answer = number_text(_answer(row.values.get("answer")))
    return problem_from(
        row, settings, row.values.get("question"), answer, licence=LICENCE, answer_kind=gold_kind(answer)
    )


def _answer(value: object) -> object:
    """Some types wrap the answer as `number`, `date` and `spans`, all but one of them empty."""
    if not isinstance(value, dict):
        return value
    return value.get("number") or value.get("spans")
